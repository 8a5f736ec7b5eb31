import { Failure } from '../../contract/failure.ts'
import type { ToolFilter } from '../../contract/warm.ts'
import { arrayEdits, edit, objectEdits, replaceNode } from '../../core/prompt/json-edit.ts'
import type { Edit } from '../../core/prompt/json-edit.ts'
import { items, member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonArray, JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import type { TemplateWork } from '../../core/prompt/template.ts'
import { templateEdits } from '../../core/prompt/template-in-json.ts'
import type { StringTemplate } from '../../core/prompt/template-in-json.ts'
import type { Dialect, LintLayout } from '../dialect.ts'
import { filterTools } from './neutral.ts'

/** What a caller fills into a native body, and which of its tools are sent. */
export interface NativeFilling {
  vars?: Readonly<Record<string, unknown>> | undefined
  filter?: ToolFilter | undefined
  /** What the templates of the same request have done so far. */
  work?: TemplateWork | undefined
}

/**
 * A native body with `vars` in its system prompt, and only the tools that the filter allows. All other bytes stay. Throws
 * `invalid_request` or `payload_too_large`, at the field.
 */
export function filled(
  text: string,
  dialect: Pick<Dialect, 'lint' | 'markers'>,
  { vars, filter, work }: NativeFilling,
): string {
  if (vars === undefined && filter === undefined) return text
  const root = readJson(text, 'request')
  if (root.type !== 'object')
    throw new Failure('invalid_request', 'request must be a JSON object.', { field: 'request' })
  const { lint, markers } = dialect
  return edit(text, [
    ...(vars === undefined ? [] : templateEdits(text, systemStrings(root, lint), vars, work)),
    ...(filter === undefined ? [] : toolEdits(root, lint, markers.element, filter)),
  ])
}

/** A native body with another model in the member that names it. All other bytes stay; a body that names none is the same text. */
export function withModel(text: string, model: string): string {
  const root = readJson(text, 'request')
  const edits = ['model', 'modelId'].flatMap((name) => {
    const node = member(root, name)
    return node?.type === 'string' ? [replaceNode(node, JSON.stringify(model))] : []
  })
  return edit(text, edits)
}

/** The strings of the system prompt: those of its members, and those of turns that speak for the developer. */
function systemStrings(root: JsonObject, { system, turns, parts }: LintLayout): StringTemplate[] {
  const own = system.flatMap((name) => textsIn(member(root, name), `request.${name}`, parts))
  const said = items(member(root, turns)).flatMap((turn, index) => {
    const role = stringMember(turn, 'role')
    if (role !== 'system' && role !== 'developer') return []
    return textsIn(member(turn, parts), `request.${turns}[${index}].${parts}`, parts)
  })
  return [...own, ...said]
}

function textsIn(node: JsonNode | undefined, field: string, parts: string): StringTemplate[] {
  switch (node?.type) {
    case 'string':
      return [{ node, field }]
    case 'array':
      return node.items.flatMap((item, index) => textsIn(item, `${field}[${index}]`, parts))
    case 'object':
      return [
        ...textsIn(member(node, 'text'), `${field}.text`, parts),
        ...textsIn(member(node, parts), `${field}.${parts}`, parts),
      ]
    default:
      return []
  }
}

/** A tool of a body: its name, and the lists that it stands in. */
interface ListedTool {
  name: string
  item: number
  /** Its place in the item's own list; null: the item is the tool. */
  inner: number | null
}

function toolEdits(root: JsonObject, { tools: path }: LintLayout, marker: string | null, filter: ToolFilter): Edit[] {
  const list = path.reduce<JsonNode | undefined>((node, name) => (node === undefined ? node : member(node, name)), root)
  const tools = items(list).flatMap((item, index) => toolsIn(item, index, marker))
  const kept = new Set(filterTools(tools, filter))
  if (list?.type !== 'array' || kept.size === tools.length) return []
  // No provider takes an empty list everywhere: the member goes with its last tool.
  if (kept.size === 0) return objectEdits(root, { [path[0]!]: null })
  const isKept = (item: number): boolean => {
    const own = tools.filter((tool) => tool.item === item)
    return own.length === 0 || own.some((tool) => kept.has(tool))
  }
  return [
    ...arrayEdits(list, isKept),
    ...list.items.flatMap((node, item) => {
      const inner = declared(node)
      if (inner === null || !isKept(item)) return []
      const places = new Set(tools.flatMap((tool) => (tool.item === item && kept.has(tool) ? [tool.inner] : [])))
      return arrayEdits(inner, (index) => places.has(index))
    }),
  ]
}

function toolsIn(node: JsonNode, item: number, marker: string | null): ListedTool[] {
  if (marker !== null && member(node, marker) !== undefined) return []
  const inner = declared(node)
  if (inner === null) return [{ name: nameOf(node), item, inner: null }]
  return inner.items.map((one, index) => ({ name: nameOf(one), item, inner: index }))
}

/** The functions of an item that declares several. */
function declared(node: JsonNode): JsonArray | null {
  const list = member(node, 'functionDeclarations') ?? member(node, 'function_declarations')
  return list?.type === 'array' ? list : null
}

/** The name of a tool. One of the provider's own may have none: then its type says which it is, or the member that holds it. */
function nameOf(node: JsonNode): string {
  const named = [node, member(node, 'function'), member(node, 'toolSpec')].flatMap((one) =>
    one === undefined ? [] : (stringMember(one, 'name') ?? []),
  )
  return named[0] ?? stringMember(node, 'type') ?? (node.type === 'object' ? node.members[0]?.key : undefined) ?? ''
}

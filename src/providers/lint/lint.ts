import { items, member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import { lint } from '../../core/lint/lint.ts'
import type { ToolView } from '../../core/lint/tools.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { isDeferred, readBody } from '../dialects/shared/body.ts'
import { credentialFindings } from './credentials.ts'
import { parameterFindings } from './parameters.ts'
import { pointerToken } from './pointer.ts'
import { cardById, dialectOf } from '../registry.ts'
import type { Block, Part, Piece } from '../../core/lint/prompt-view.ts'
import type { Finding } from '../../core/model/advice.ts'
import type { LintLayout, PreparedPrefix } from '../dialect.ts'

/** Lints a prefix that was prepared for a provider. `root` is the JSON pointer of the body in the caller's text. */
export function lintPrefix(
  provider: string,
  prefix: Pick<PreparedPrefix, 'text' | 'estimatedTokens' | 'cacheKey'>,
  facts: Pick<ModelFacts, 'minimumTokens'>,
  root: string,
): Finding[] {
  const card = cardById(provider)
  if (card === undefined) return []
  const layout = dialectOf(card).lint
  const { root: body } = readBody(prefix.text)
  const credentials = credentialFindings(body, root)
  const named = new Set(credentials.map(({ at }) => at))
  const { blocks, tools } = blocksOf(body, layout, root)
  return [
    ...credentials,
    ...lint({
      blocks: blocks.map((block) => ({ ...block, pieces: block.pieces.filter(({ at }) => !named.has(at)) })),
      tools,
      estimatedTokens: prefix.estimatedTokens,
      minimumTokens: facts.minimumTokens,
      maxMarkers: layout.maxMarkers,
      lookback: layout.lookback,
    }),
    ...parameterFindings(layout.parameters, body, prefix.cacheKey, root),
  ]
}

function blocksOf(body: JsonObject, layout: LintLayout, root: string): { blocks: Block[]; tools: ToolView[] } {
  const blocks: Block[] = []
  const tools: ToolView[] = []
  const add = (node: JsonNode, at: string, part: Part): void => {
    const marker = markerOf(node, at, layout.marker)
    const last = blocks.at(-1)
    // In some formats the marker is a list element behind the part.
    const standsAlone = node.type === 'object' && node.members.length === 1 && marker !== null
    if (standsAlone && last !== undefined) blocks[blocks.length - 1] = { ...last, marker }
    else blocks.push({ at, part, pieces: piecesOf(node, at), marker, run: runOf(node) })
  }

  const toolList = layout.tools.reduce<JsonNode | undefined>(member, body)
  for (const [index, tool] of items(toolList).entries()) {
    if (isDeferred(tool)) continue
    const at = `${root}/${layout.tools.join('/')}/${index}`
    add(tool, at, 'tools')
    tools.push(...seenTools(tool, at))
  }
  for (const key of layout.system) {
    const node = member(body, key)
    if (node === undefined) continue
    const list = node.type === 'object' ? member(node, 'parts') : node
    const at = node.type === 'object' ? `${root}/${key}/parts` : `${root}/${key}`
    if (list?.type === 'string') add(list, at, 'system')
    else for (const [index, part] of items(list).entries()) add(part, `${at}/${index}`, 'system')
  }
  for (const [index, turn] of items(member(body, layout.turns)).entries()) {
    const at = `${root}/${layout.turns}/${index}`
    const part = /^(?:system|developer)$/.test(stringMember(turn, 'role') ?? '') ? 'system' : 'turns'
    const content = member(turn, layout.parts)
    if (content?.type === 'array') {
      for (const [place, one] of content.items.entries()) add(one, `${at}/${layout.parts}/${place}`, part)
    } else add(content ?? turn, content === undefined ? at : `${at}/${layout.parts}`, part)
  }
  return { blocks, tools }
}

/** The tools in one entry of the list: itself, or those that it declares. */
function seenTools(tool: JsonNode, at: string): ToolView[] {
  const declared = member(tool, 'functionDeclarations') ?? member(tool, 'function_declarations')
  if (declared !== undefined) return items(declared).flatMap((one) => seenTools(one, at))
  const declaration =
    ['function', 'toolSpec'].map((key) => member(tool, key)).find((node) => node?.type === 'object') ?? tool
  if (declaration.type !== 'object') return []
  return [{ at, name: stringMember(declaration, 'name') ?? null, keys: declaration.members.map(({ key }) => key) }]
}

/** Consecutive tool calls, or consecutive results, are one position of a lookup. Source: platform.claude.com prompt caching pages,
 * checked 2026-11-21. */
function runOf(node: JsonNode): string | null {
  const type = stringMember(node, 'type')
  if (type === 'tool_use' || type === 'tool_result') return type
  return ['toolUse', 'toolResult'].find((key) => member(node, key) !== undefined) ?? null
}

/** Ranks of lifetimes, the longest highest. A marker without one has the shortest. */
const RANKS: Readonly<Record<string, number>> = { '1h': 2, '12h': 3, '24h': 4 }

function markerOf(node: JsonNode, at: string, key: string | null): Block['marker'] {
  const value = key === null ? undefined : member(node, key)
  if (value?.type !== 'object') return null
  return { at: `${at}/${key}`, rank: RANKS[stringMember(value, 'ttl') ?? ''] ?? 1 }
}

/** Members whose strings are names, data or examples. Lint does not search them for text that changes from request to request. */
const NOT_WORDS = new Set(
  `type role id name call_id tool_use_id tool_call_id toolUseId signature encrypted_content data bytes file_id fileUri media_type
  mimeType format detail enum const default examples example pattern $schema $id $ref cache_control cachePoint
  prompt_cache_breakpoint thoughtSignature`.split(/\s+/),
)

/** The texts in a value, each with its JSON pointer. */
export function piecesOf(node: JsonNode, at: string): Piece[] {
  if (node.type === 'string') return [{ at, text: node.value }]
  if (node.type === 'array') return node.items.flatMap((one, index) => piecesOf(one, `${at}/${index}`))
  if (node.type !== 'object') return []
  return node.members.flatMap(({ key, value }) =>
    NOT_WORDS.has(key) && value.type !== 'object' ? [] : piecesOf(value, `${at}/${pointerToken(key)}`),
  )
}

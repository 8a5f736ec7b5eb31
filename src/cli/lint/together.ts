import { readFailure } from '../../contract/failure.ts'
import { items, member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import type { FileFinding } from './file.ts'
import { placeInFile } from './place.ts'

/** Compares bodies of one application: the same tools in another order are a fault that a single body does not show. */
export function lintTogether(files: readonly { file: string; text: string }[]): FileFinding[] {
  const seen = new Map<string, { order: string; file: string }>()
  return files.flatMap(({ file, text }) => {
    const root = jsonOf(text)
    if (root === null) return []
    const wrapped = member(root, 'request')
    const at = wrapped?.type === 'object' ? '/request/tools' : '/tools'
    const names = items(member(wrapped?.type === 'object' ? wrapped : root, 'tools')).map(nameOf)
    const known = names.filter((name) => name !== null)
    if (known.length < 2 || known.length < names.length) return []
    const [set, order] = [JSON.stringify(known.toSorted()), JSON.stringify(known)]
    const first = seen.get(set)
    if (first === undefined) seen.set(set, { order, file })
    if (first === undefined || first.order === order) return []
    return [
      {
        file,
        ...placeInFile(text, root, at, {}),
        severity: 'warning' as const,
        cause: 'unstable_tool_order',
        message: `${first.file} has the same tools in another order, so neither request reads the entries of the other.`,
        fix: 'Sort them by name before sending.',
        pointer: at,
      },
    ]
  })
}

function nameOf(tool: JsonNode): string | null {
  const inner = ['function', 'toolSpec'].map((key) => member(tool, key)).find((node) => node !== undefined)
  return stringMember(inner ?? tool, 'name') ?? null
}

/** Returns null for plain text and for invalid JSON, which has its own finding. */
function jsonOf(text: string): JsonNode | null {
  if (!/^\s*\{/.test(text)) return null
  try {
    return readJson(text)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

import { positionOf } from '../../core/lint/context.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'

/** Finds the place in a file of a character in one of its JSON values. */
export function placeInFile(
  text: string,
  root: JsonNode,
  pointer: string,
  within: { line?: number | undefined; column?: number | undefined },
): { line: number; column: number } {
  const node = nodeAt(root, pointer)
  if (node.type !== 'string' || within.line === undefined) return positionOf(text, node.start)
  const decoded = offsetOf(node.value, within.line, within.column ?? 1)
  return positionOf(text, rawOffset(text, node.start + 1, decoded))
}

/** Returns the value at a JSON pointer, or its nearest ancestor that exists. */
function nodeAt(root: JsonNode, pointer: string): JsonNode {
  let node = root
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    const next: JsonNode | undefined =
      node.type === 'array'
        ? node.items[Number(key)]
        : node.type === 'object'
          ? node.members.find((one) => one.key === key)?.value
          : undefined
    if (next === undefined) return node
    node = next
  }
  return node
}

function offsetOf(value: string, line: number, column: number): number {
  let start = 0
  for (let at = 1; at < line; at++) {
    const next = value.indexOf('\n', start)
    if (next < 0) break
    start = next + 1
  }
  return start + column - 1
}

/** Returns the position in the file of the `count`-th character of a JSON string, whose escapes take several characters. */
function rawOffset(text: string, start: number, count: number): number {
  let at = start
  for (let decoded = 0; decoded < count; decoded++) {
    if (text[at] !== '\\') at += 1
    else at += text[at + 1] === 'u' ? 6 : 2
  }
  return at
}

/** Converts `messages[0].content[1]` to a JSON pointer. */
export function pointerOf(path: string): string {
  if (path === '' || path.startsWith('/')) return path
  return `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`
}

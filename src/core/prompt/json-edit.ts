import type { JsonArray, JsonNode, JsonObject } from './json-text.ts'

/** Replacement of `text.slice(start, end)`; an insertion where both are equal. */
export interface Edit {
  start: number
  end: number
  replacement: string
}

/**
 * Applies edits to a text and keeps everything else byte for byte. Edits may come in any order.
 * Throws a RangeError where they overlap or lie outside the text.
 */
export function edit(text: string, edits: readonly Edit[]): string {
  // Stable order: an insertion stands before a replacement at the same place, equal insertions keep their order.
  const sorted = edits.toSorted((a, b) => a.start - b.start || a.end - b.end)
  const parts: string[] = []
  let at = 0
  for (const { start, end, replacement } of sorted) {
    if (start < at || end < start || end > text.length) throw new RangeError('edits overlap or leave the text')
    parts.push(text.slice(at, start), replacement)
    at = end
  }
  parts.push(text.slice(at))
  return parts.join('')
}

/** Replaces a value by other text. */
export function replaceNode(node: JsonNode, replacement: string): Edit {
  return { start: node.start, end: node.end, replacement }
}

/**
 * Changes members of one object. A string is the member's new raw JSON text: it replaces the value, or is appended where the
 * object has no such member. Null removes the member. One call makes all changes to an object, because neighbours share commas.
 */
export function objectEdits(object: JsonObject, changes: Readonly<Record<string, string | null>>): Edit[] {
  const edits: Edit[] = []
  const present = new Set(object.members.map((entry) => entry.key))
  for (const entry of object.members) {
    const change = Object.hasOwn(changes, entry.key) ? changes[entry.key] : undefined
    if (typeof change === 'string') edits.push(replaceNode(entry.value, change))
  }
  const spans = object.members.map((entry) => ({
    start: entry.keyStart,
    end: entry.value.end,
    kept: !Object.hasOwn(changes, entry.key) || changes[entry.key] !== null,
  }))
  const added = Object.entries(changes).flatMap(([key, raw]) =>
    raw !== null && !present.has(key) ? [`${JSON.stringify(key)}:${raw}`] : [],
  )
  return [...edits, ...listEdits(spans, object.start + 1, added)]
}

/** Keeps the items for which `keep` returns true, and appends raw JSON texts after them. */
export function arrayEdits(array: JsonArray, keep: (index: number) => boolean, append: readonly string[] = []): Edit[] {
  const spans = array.items.map((item, index) => ({ start: item.start, end: item.end, kept: keep(index) }))
  return listEdits(spans, array.start + 1, append)
}

function listEdits(
  spans: readonly { start: number; end: number; kept: boolean }[],
  emptyAt: number,
  added: readonly string[],
): Edit[] {
  const edits: Edit[] = []
  const firstKept = spans.findIndex((span) => span.kept)
  const last = spans.at(-1)
  if (firstKept < 0 && last !== undefined) {
    edits.push({ start: spans[0]!.start, end: last.end, replacement: '' })
  }
  for (const [index, span] of spans.entries()) {
    if (span.kept || firstKept < 0) continue
    // Before the first item that stays, the comma after an item goes with it; after that item, the comma before.
    if (index < firstKept) edits.push({ start: span.start, end: spans[index + 1]!.start, replacement: '' })
    else edits.push({ start: spans[index - 1]!.end, end: span.end, replacement: '' })
  }
  if (added.length > 0) {
    const at = last?.end ?? emptyAt
    edits.push({ start: at, end: at, replacement: (firstKept < 0 ? '' : ',') + added.join(',') })
  }
  return edits
}

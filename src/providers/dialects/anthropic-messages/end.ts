import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonObject } from '../../../core/prompt/json-text.ts'
import { invalid, lastToolElement, lastTurnElement } from '../shared/body.ts'
import type { Body, LastElement, TurnShape } from '../shared/body.ts'
import { markersOver } from '../shared/strategy.ts'
import { MARKER, markerEdits, markers, MAX_MARKERS, retentionEdits, UNMARKABLE } from './markers.ts'
import type { Marker } from './markers.ts'
import type { CacheMarkers } from '../../dialect.ts'

export const SHAPE: TurnShape = { list: 'messages', parts: 'content' }

/** What ends a stored prefix: its last block, the last system block, or the last tool. */
export function lastElement(root: JsonObject): LastElement {
  const turn = lastTurnElement(items(member(root, 'messages')), SHAPE)
  if (turn !== null) return turn
  const system = member(root, 'system')
  if (system?.type === 'string' && system.value !== '') return { node: system, path: 'system', turn: null }
  const blocks = items(system)
  const block = blocks.at(-1)
  if (block !== undefined) return { node: block, path: `system[${blocks.length - 1}]`, turn: null }
  const tool = lastToolElement(root)
  if (tool !== null) return tool
  throw invalid(
    'request',
    `holds nothing that stays the same between requests; add system or tools, or a ${MARKER} marker in an earlier message`,
  )
}

/** Whether one of the body's markers stands on it. */
export function isMarked({ node }: LastElement, marked: readonly Marker[]): boolean {
  return marked.some(({ owner }) => owner === node)
}

/**
 * Edits that mark the end of a stored body and put all of its markers at one retention. Probes and real requests have to agree on both.
 * `most`: markers that the body may have in the end; the first ones go where there are more.
 */
export function endMarkerEdits({ text, root }: Body, retention: string, most = MAX_MARKERS): Edit[] {
  const last = lastElement(root)
  const marked = markers(root)
  const isEndMarked = isMarked(last, marked)
  // Room for the marker at the end: earlier ones only add entries further in front.
  const over = markersOver(marked.length, isEndMarked, most)
  return [
    ...marked.flatMap(({ owner, value }, index) =>
      index < over ? objectEdits(owner, { [MARKER]: null }) : retentionEdits(value, retention),
    ),
    ...(isEndMarked ? [] : markerEdits(last, text.slice(last.node.start, last.node.end), retention)),
  ]
}

export const MARKERS: CacheMarkers = {
  members: [MARKER],
  element: null,
  behind({ text, root }, { node }, retention) {
    const marked = markers(root)
    if (marked.some(({ owner }) => owner === node)) return text
    // One place is kept for the end of the prefix, which a probe marks.
    if (marked.length + 1 >= MAX_MARKERS || UNMARKABLE.has(stringMember(node, 'type') ?? '')) return null
    if (node.type !== 'object' && node.type !== 'string') return null
    return edit(text, markerEdits({ node }, text.slice(node.start, node.end), retention))
  },
  atEnd(body, retention) {
    // A probe leaves out the marker at the top. In a real request it stays, and takes one of the places.
    const top = member(body.root, MARKER)
    if (top?.type !== 'object') return endMarkerEdits(body, retention)
    return [...retentionEdits(top, retention), ...endMarkerEdits(body, retention, MAX_MARKERS - 1)]
  },
  atRetention: ({ root }, retention) => markers(root).flatMap(({ value }) => retentionEdits(value, retention)),
}

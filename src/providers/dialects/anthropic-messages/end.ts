import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonObject } from '../../../core/prompt/json-text.ts'
import { invalid, lastToolElement, lastTurnElement } from '../shared/body.ts'
import type { Body, LastElement, TurnShape } from '../shared/body.ts'
import { isLayout, retentionBefore } from '../shared/retention.ts'
import { markersOver } from '../shared/strategy.ts'
import { MARKER, markerEdits, markers, MAX_MARKERS, retentionEdits, ttlOf, UNMARKABLE } from './markers.ts'
import type { Marker } from './markers.ts'
import type { CacheMarkers } from '../../dialect.ts'

export const SHAPE: TurnShape = { list: 'messages', parts: 'content' }

/** The element at the end of a stored prefix: its last block, else the last system block, else the last tool. */
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
    `contains nothing that stays the same between requests; add system or tools, or a ${MARKER} marker in an earlier message`,
  )
}

/** Whether one of the body's markers marks the element. */
export function isMarked({ node }: LastElement, marked: readonly Marker[]): boolean {
  return marked.some(({ owner }) => owner === node)
}

/**
 * Edits that mark the end of a stored body and set all of its markers to one retention, unless they are a layout of several that ends
 * with it. Probes and real requests must agree on both.
 * `most`: markers allowed in the result. The first ones are removed where there are more.
 */
export function endMarkerEdits({ text, root }: Body, retention: string, most = MAX_MARKERS): Edit[] {
  const last = lastElement(root)
  const marked = markers(root)
  const isEndMarked = isMarked(last, marked)
  // The first markers make room for the one at the end: they only add shorter entries.
  const over = markersOver(marked.length, isEndMarked, most)
  const keeps = isLayout(marked.map(ttlOf), retention)
  return [
    ...marked.flatMap(({ owner, value }, index) =>
      index < over ? objectEdits(owner, { [MARKER]: null }) : keeps ? [] : retentionEdits(value, retention),
    ),
    ...(isEndMarked ? [] : markerEdits(last, text.slice(last.node.start, last.node.end), retention)),
  ]
}

export const MARKERS: CacheMarkers = {
  members: [MARKER],
  element: null,
  markBlock({ text, root }, { node }, retention) {
    const marked = markers(root)
    if (marked.some(({ owner }) => owner === node)) return text
    // One marker is left for the end of the prefix, which a probe marks.
    if (marked.length + 1 >= MAX_MARKERS || UNMARKABLE.has(stringMember(node, 'type') ?? '')) return null
    if (node.type !== 'object' && node.type !== 'string') return null
    const ttls = marked.map((one) => ({ start: one.owner.start, retention: ttlOf(one) }))
    const ttl = isLayout(marked.map(ttlOf), retention) ? retentionBefore(ttls, node.start, retention) : retention
    return edit(text, markerEdits({ node }, text.slice(node.start, node.end), ttl))
  },
  markEnd(body, retention) {
    // A probe leaves out the top-level marker. In a real request it stays, and counts as one.
    const top = member(body.root, MARKER)
    if (top?.type !== 'object') return endMarkerEdits(body, retention)
    return [...retentionEdits(top, retention), ...endMarkerEdits(body, retention, MAX_MARKERS - 1)]
  },
  setRetention: ({ root }, retention) => {
    const marked = markers(root)
    if (isLayout(marked.map(ttlOf), retention)) return []
    return marked.flatMap(({ value }) => retentionEdits(value, retention))
  },
}

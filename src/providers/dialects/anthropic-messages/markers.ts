import { objectEdits, replaceNode } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import { elementAt } from '../shared/body.ts'
import type { Body, LastElement, TurnShape } from '../shared/body.ts'
import { retentionBefore } from '../shared/retention.ts'
import { unmarkable } from '../shared/strategy.ts'
import type { EarlierBreakpoint } from '../shared/strategy.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { CacheRequest } from '../../dialect.ts'

export const MARKER = 'cache_control'

export const MAX_MARKERS = 4

export const UNMARKABLE = new Set(['thinking', 'redacted_thinking'])

/** A cache marker in tools, system or messages. */
export interface Marker {
  owner: JsonObject
  entry: JsonMember
  value: JsonObject
  /** Index of the message that contains it; null in tools and system. */
  turn: number | null
  part: number
}

/** Members with the name of a marker where a marker is allowed, with any value, in the order of the prompt. */
export function markerMembers(root: JsonObject): Omit<Marker, 'value'>[] {
  const found: Omit<Marker, 'value'>[] = []
  const look = (nodes: readonly JsonNode[], turn: number | null): void => {
    for (const [part, owner] of nodes.entries()) {
      if (owner.type !== 'object') continue
      const entry = owner.members.find(({ key }) => key === MARKER)
      if (entry !== undefined) found.push({ owner, entry, turn, part })
    }
  }
  look(items(member(root, 'tools')), null)
  look(items(member(root, 'system')), null)
  for (const [turn, message] of items(member(root, 'messages')).entries()) look(items(member(message, 'content')), turn)
  return found
}

/** Markers with a valid value, in the order of the prompt. */
export function markers(root: JsonObject): Marker[] {
  return markerMembers(root).flatMap((found) =>
    found.entry.value.type === 'object' ? [{ ...found, value: found.entry.value }] : [],
  )
}

/** Writes a plain string as the one block of text that it means. `raw` is its JSON text, `marker` that of a marker to set. */
export function asTextBlocks(raw: string, marker?: string): string {
  return `[{"type":"text","text":${raw}${marker === undefined ? '' : `,"${MARKER}":${marker}`}}]`
}

/** The JSON text of a marker. The default lifetime needs no `ttl`. */
export function markerText(retention: string): string {
  return retention === '5m' ? '{"type":"ephemeral"}' : `{"type":"ephemeral","ttl":${JSON.stringify(retention)}}`
}

/** The lifetime of a marker. */
export function ttlOf({ value }: Pick<Marker, 'value'>): string {
  return stringMember(value, 'ttl') ?? '5m'
}

/** Edits that set a marker to a retention. */
export function retentionEdits(marker: JsonObject, retention: string): Edit[] {
  const present = ttlOf({ value: marker })
  return present === retention ? [] : objectEdits(marker, { ttl: JSON.stringify(retention) })
}

/** Edits that mark an element without a marker. `raw` is the element's JSON text. */
export function markerEdits({ node }: Pick<LastElement, 'node'>, raw: string, retention: string): Edit[] {
  const marker = markerText(retention)
  return node.type === 'object'
    ? objectEdits(node, { [MARKER]: marker })
    : [replaceNode(node, asTextBlocks(raw, marker))]
}

/** Whether an element may have a marker. The provider refuses one on thinking and on empty text. */
function canCarry(node: JsonNode): boolean {
  const text = node.type === 'string' ? node.value : stringMember(node, 'text')
  const isBlock = node.type === 'string' || node.type === 'object'
  return isBlock && text !== '' && !UNMARKABLE.has(stringMember(node, 'type') ?? '')
}

/**
 * Marks the requested breakpoints in front of the end of a stored body, each with the lifetime of the next marker behind it. Where there
 * is none it is the default, which a probe sets to its retention.
 */
export function earlierMarkers(
  { text, root }: Body,
  earlier: readonly EarlierBreakpoint[],
  shape: TurnShape,
  cache: CacheRequest | undefined,
): { edits: Edit[]; advice: Advice[] } {
  const edits: Edit[] = []
  const advice: Advice[] = []
  const marked = markers(root).map((one) => ({ start: one.owner.start, retention: ttlOf(one) }))
  for (const point of earlier) {
    const element = elementAt(root, point.cut, shape)
    if (element === null || !canCarry(element.node)) {
      advice.push(...unmarkable(cache, point, element?.path ?? point.at))
    } else if (member(element.node, MARKER)?.type !== 'object') {
      const { start, end } = element.node
      edits.push(...markerEdits(element, text.slice(start, end), retentionBefore(marked, start, '5m')))
    }
  }
  return { edits, advice }
}

/** Advice about the end of the prefix: whether real requests of this form read the entry, and the change that makes them. */
export function markerAdvice(found: {
  last: LastElement
  marked: readonly Marker[]
  /** How many of them the stored body still contains. */
  kept: number
  isEndMarked: boolean
  automatic: boolean
  retention: string
}): Advice[] {
  const { last, marked, kept, isEndMarked, automatic, retention } = found
  const advice: Advice[] = []
  const how =
    last.node.type === 'string'
      ? `write ${last.path} as [{"type":"text","text":"…","${MARKER}":${markerText(retention)}}]`
      : `add "${MARKER}":${markerText(retention)} to ${last.path}`
  if (isEndMarked) return []
  if (automatic) {
    advice.push({
      cause: 'automatic_marker',
      message: `The top-level ${MARKER} marks the last block of each request. In a probe that is the placeholder turn, so probes omit it and mark ${last.path} instead. Real requests find that entry only within twenty blocks of their end. To make sure of that, ${how}.`,
      at: last.path,
    })
  } else if (kept < marked.length) {
    advice.push({
      cause: 'marker_behind_prefix',
      message: `A marker follows the end of the prefix, where requests differ. Real requests find the prefix only within twenty blocks before that marker. To make sure of that, ${how}.`,
      at: last.path,
    })
  } else {
    advice.push({
      cause: marked.length === 0 ? 'no_marker' : 'end_not_marked',
      message: `Real requests like this one cannot read the entry: the end of the prefix has no ${MARKER}. In them, ${how}.`,
      at: last.path,
    })
  }
  return advice
}

import { Failure } from '../../../contract/failure.ts'
import { objectEdits, replaceNode } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import { elementAt } from '../shared/body.ts'
import type { Body, LastElement } from '../shared/body.ts'
import { isLayout, retentionBefore } from '../shared/retention.ts'
import { droppedMarker, markersOver, unmarkable } from '../shared/strategy.ts'
import type { EarlierBreakpoint } from '../shared/strategy.ts'
import type { Wire } from '../../wire.ts'
import { MARKER as CONTROL, markerText } from '../anthropic-messages/markers.ts'
import { isExplicitMode } from './cache-controls.ts'
import { hasBreakpoints, MARKER, MARKER_TEXT, textBlock } from './breakpoints.ts'
import type { OpenaiShape } from './breakpoints.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { CacheRequest, NativeRequest } from '../../dialect.ts'

/**
 * A kind of marker in requests of OpenAI's formats. OpenAI's own models have breakpoints. A router that passes requests on to Anthropic's
 * models takes their markers, also on tools, which are rendered first.
 */
export interface MarkerKind {
  name: string
  /** The most markers in a request. */
  most: number
  text: (retention: string) => string
  /** True: markers state the lifetime, the same for all of a probe. */
  isControl: boolean
}

/** True for models that cache only at a `cache_control`. */
export function isMarkedModel({ markedModels }: Pick<Wire, 'markedModels'>, model: string): boolean {
  return isAmong(markedModels, model)
}

/** Whether a model is one of `patterns`: ids, or prefixes ending in `*`. */
export function isAmong(patterns: readonly string[], model: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern,
  )
}

/** The marker that probes set, by model and retention. Null: probes set none, and the body's own markers stay as they are. */
export function markerKindOf(root: JsonObject, model: string, retention: string, wire: Wire): MarkerKind | null {
  if (isMarkedModel(wire, model)) return { name: CONTROL, most: 4, text: markerText, isControl: true }
  if (wire.controls !== 'all' || !hasBreakpoints(retention)) return null
  // Four writes a request, of which the implicit mode uses one. Source: developers.openai.com prompt caching guide,
  // checked 2026-11-21.
  const most = isExplicitMode(root) ? 4 : 3
  return { name: MARKER, most, text: () => MARKER_TEXT, isControl: false }
}

/** Why the element can have no marker; null: it can. */
function whyNot({ node, path, turn }: LastElement, markerKind: MarkerKind, shape: OpenaiShape): string | null {
  if (markerKind.isControl) {
    // Only text and tools take one. Source: openrouter.ai prompt caching guide, checked 2026-11-21.
    const text = node.type === 'string' ? node.value : stringMember(node, 'text')
    if (turn === null ? path.startsWith('tools[') : text !== undefined && text !== '') return null
    return `The prefix ends in ${path}, which cannot carry a ${markerKind.name}; end it at a tool or a text part.`
  }
  const list = shape.turns.list
  if (turn === null) {
    return `The prefix ends in ${path}, which cannot carry a ${markerKind.name}; move the text into a developer message at the start of ${list}.`
  }
  if (shape.markable(turn)) return null
  return `The prefix ends in ${path}, which cannot carry a ${markerKind.name}; end it at a developer or user message.`
}

export function canMark(element: LastElement, markerKind: MarkerKind, shape: OpenaiShape): boolean {
  return whyNot(element, markerKind, shape) === null
}

function setMarker(
  body: Body,
  { node }: LastElement,
  markerKind: MarkerKind,
  retention: string,
  shape: OpenaiShape,
): Edit[] {
  const text = markerKind.text(retention)
  if (node.type === 'object') return objectEdits(node, { [markerKind.name]: text })
  return [replaceNode(node, textBlock(body.text.slice(node.start, node.end), shape, { name: markerKind.name, text }))]
}

/** Marks the requested breakpoints in front of the end of a stored body. Those that the body marks itself stay as they are. */
export function earlierMarkers(
  body: Body,
  earlier: readonly EarlierBreakpoint[],
  markerKind: MarkerKind | null,
  shape: OpenaiShape,
  cache: CacheRequest | undefined,
): { edits: Edit[]; advice: Advice[] } {
  const edits: Edit[] = []
  const advice: Advice[] = []
  const ttls = markerKind?.isControl === true ? markedRetentions(body.root, shape) : []
  const elements = markedElements(body.root, shape)
  const marked = ttls.map((retention, index) => ({ start: elements[index]?.start ?? 0, retention }))
  for (const point of earlier) {
    const element = elementAt(body.root, point.cut, shape.turns)
    if (element !== null && isMarked(element.node, shape)) continue
    if (element === null || markerKind === null || !canMark(element, markerKind, shape)) {
      advice.push(...unmarkable(cache, point, element?.path ?? point.at))
    } else {
      const ttl = retentionBefore(marked, element.node.start, '5m')
      edits.push(...setMarker(body, element, markerKind, ttl, shape))
    }
  }
  return { edits, advice }
}

/** True: the element has a marker of a kind that the provider takes. */
export function isMarked(node: JsonNode, { wire }: OpenaiShape): boolean {
  return wire.markers.some((name) => member(node, name)?.type === 'object')
}

/** Elements with a marker, in the order of the prompt. */
export function markedElements(root: JsonObject, shape: OpenaiShape): JsonObject[] {
  const parts = items(member(root, shape.turns.list)).flatMap((turn) => items(member(turn, shape.turns.parts)))
  return [...items(member(root, 'tools')), ...parts].filter(
    (node): node is JsonObject => node.type === 'object' && isMarked(node, shape),
  )
}

/** Edits that mark the end of the prefix, where it has no marker, and set the markers of a probe to its retention. */
export function markEnd(
  body: Body,
  last: LastElement,
  markerKind: MarkerKind,
  retention: string,
  shape: OpenaiShape,
): Edit[] {
  if (markerKind.isControl) return markEndAndAlign(body, last, markerKind, retention, shape)
  const marker = member(last.node, markerKind.name)
  if (marker?.type === 'object') {
    const present = stringMember(marker, 'ttl')
    return present === undefined || present === retention ? [] : objectEdits(marker, { ttl: JSON.stringify(retention) })
  }
  const why = whyNot(last, markerKind, shape)
  if (why !== null) throw new Failure('unsupported', why, { field: `request.${last.path}` })
  return setMarker(body, last, markerKind, retention, shape)
}

/**
 * All markers of a probe have one lifetime, unless they are a layout of several that ends with it. The first ones are removed where there
 * are too many.
 */
function markEndAndAlign(
  body: Body,
  last: LastElement,
  markerKind: MarkerKind,
  retention: string,
  shape: OpenaiShape,
): Edit[] {
  const marked = markedElements(body.root, shape)
  const isEndMarked = isMarked(last.node, shape)
  const setsMarker = !isEndMarked && canMark(last, markerKind, shape)
  const over = markersOver(marked.length, !setsMarker, markerKind.most)
  const edits = setsMarker ? setMarker(body, last, markerKind, retention, shape) : []
  const keeps = isLayout(markedRetentions(body.root, shape), retention)
  for (const [index, owner] of marked.entries()) {
    const marker = member(owner, markerKind.name)
    if (index < over) {
      const names = shape.wire.markers.filter((name) => member(owner, name) !== undefined)
      edits.push(...objectEdits(owner, Object.fromEntries(names.map((name) => [name, null]))))
    } else if (!keeps && marker?.type === 'object' && (stringMember(marker, 'ttl') ?? '5m') !== retention) {
      edits.push(...objectEdits(marker, { ttl: JSON.stringify(retention) }))
    }
  }
  return edits
}

/** Markers on tools, as members. */
export function toolMarkers(root: JsonObject): JsonMember[] {
  return items(member(root, 'tools')).flatMap((tool) =>
    tool.type === 'object' ? tool.members.filter(({ key }) => key === CONTROL) : [],
  )
}

/** Lifetimes of the markers in a stored body, in the order of the prompt. */
export function markedRetentions(root: JsonObject, shape: OpenaiShape): string[] {
  return markedElements(root, shape).map((owner) => stringMember(member(owner, CONTROL), 'ttl') ?? '5m')
}

/** Advice for a body with too many markers: the first ones make room for the one at the end of the prefix. */
export function droppedMarkerAdvice(
  { cache }: NativeRequest,
  stored: Body,
  last: LastElement,
  shape: OpenaiShape,
): Advice[] {
  return droppedMarker(cache, markedElements(stored.root, shape).length, isMarked(last.node, shape), 4)
}

/**
 * Advice about the end of the prefix, for models that need markers: whether real requests read the entry, and the change that makes them.
 */
export function controlAdvice(
  last: LastElement,
  markerKind: MarkerKind,
  retention: string,
  shape: OpenaiShape,
): Advice[] {
  const { node, path } = last
  if (isMarked(node, shape)) return []
  const why = whyNot(last, markerKind, shape)
  if (why !== null) return [{ cause: 'end_not_marked', message: why, at: path }]
  const marker = `"${markerKind.name}":${markerKind.text(retention)}`
  const how =
    node.type === 'string' ? `write ${path} as [{"type":"text","text":"…",${marker}}]` : `add ${marker} to ${path}`
  const message = `Real requests like this one cannot read the entry: the end of the prefix has no ${markerKind.name}. In them, ${how}.`
  return [{ cause: 'end_not_marked', message, at: path }]
}

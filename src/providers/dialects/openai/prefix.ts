import { Failure } from '../../../contract/failure.ts'
import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { byteOffset, items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import {
  cutEdits,
  finalUserTurn,
  invalid,
  joinStreams,
  lastToolElement,
  lastTurnElement,
  mayEnd,
  modelOf,
  objectList,
  readBody,
  sizeOf,
  memberStream,
  toolStream,
} from '../shared/body.ts'
import type { Body, Cut, LastElement } from '../shared/body.ts'
import { credentialMembers } from '../shared/credentials.ts'
import { settingsUpTo } from '../shared/settings.ts'
import { cacheControls, cacheMode, openaiSettings, routingOf } from './settings.ts'
import {
  chooseRetention,
  keyWithoutEffect,
  layoutOf,
  mixedRetentions,
  markerSaysOtherwise,
  openRetention,
} from '../shared/retention.ts'
import { chooseBreakpoints, chooseCut } from '../shared/strategy.ts'
import type { Wire } from '../../wire.ts'
import { LOOKBACK } from '../anthropic-messages/layout.ts'
import { MARKER as CONTROL, markerText } from '../anthropic-messages/markers.ts'
import {
  canMark,
  controlAdvice,
  droppedMarkerAdvice,
  earlierMarkers,
  isMarked,
  isMarkedModel,
  markedRetentions,
  markerKindOf,
  toolMarkers,
} from './mark.ts'
import type { MarkerKind } from './mark.ts'
import { breakpointMembers, endAdvice, isDeveloper, MARKER, OPTIONS, textBlock, textStrings } from './breakpoints.ts'
import type { OpenaiShape } from './breakpoints.ts'
import type { Compared } from '../../compared.ts'
import type { NativeRequest, PreparedPrefix } from '../../dialect.ts'

const CALL_TYPES = new Set(['function_call', 'custom_tool_call'])

/** `prepare` of both formats. Throws like `Dialect.prepare`. */
export function prepareOpenai(
  body: Body,
  request: NativeRequest,
  facts: (model: string) => ModelFacts,
  shape: OpenaiShape,
): PreparedPrefix {
  const model = modelOf(body, request.model)
  const { list } = shape.turns
  const { wire } = shape
  const tools = objectList(body.root, 'tools').length
  const turns = member(body.root, list)?.type === 'string' ? [] : objectList(body.root, list)
  const needsMarkers = isMarkedModel(wire, model)
  const chosen = chooseCut(request, { turns, shape: shape.turns, tools, atTools: needsMarkers })
  const cut = chosen.cut ?? automaticCut(turns, shape)

  const key = cacheKey(body, request, wire)
  const bare = readBody(edit(body.text, storedEdits(body.root, cut, key, shape)))
  const marked = needsMarkers ? markedRetentions(bare.root, shape) : []
  const own = needsMarkers
    ? (marked.at(-1) ?? markedRetentions(body.root, shape).at(-1) ?? topRetention(body.root))
    : ownRetention(body.root, bare.root, shape)
  const retention = chooseRetention(request.cache, own, facts(model), wire.retentions)
  const markerKind = markerKindOf(bare.root, model, retention.name, wire)
  const end = lastElement(bare.root, shape)
  const points = chooseBreakpoints(request.cache, chosen, breakpointsTaken(end, markerKind, shape))
  const earlier = earlierMarkers(bare, points.earlier, markerKind, shape, request.cache)
  const stored = earlier.edits.length === 0 ? bare : readBody(edit(bare.text, earlier.edits))
  const last = lastElement(stored.root, shape)
  checkEnd(last)

  const mayBeBlocks = wire.controls === 'all' || needsMarkers
  const strings = mayBeBlocks ? textStrings(stored.root, shape) : []
  const rules = {
    drop: new Set([
      ...breakpointMembers(stored.root, shape),
      ...(needsMarkers ? toolMarkers(stored.root) : []),
      ...credentialMembers(stored.root),
    ]),
    replace: new Map(strings.map((node) => [node, textBlock(JSON.stringify(node.value), shape)])),
  }
  const kept = items(member(stored.root, list)).length === 0 ? [] : memberStream(stored, list, rules)
  const prompt = [...toolStream(stored, rules), ...memberStream(stored, 'instructions'), ...kept]
  const mode = cacheMode(stored, wire)
  const keys: [string, string][] = key === null ? [] : [['cache_key', JSON.stringify(key)]]
  const settings = openaiSettings(stored, shape, needsMarkers, facts(model))
  return {
    model,
    text: stored.text,
    breakpoint: { path: last.path, byte: byteOffset(stored.text, last.node.end) },
    retention: retention.name,
    ...layoutOf(marked, retention.name),
    // Elsewhere a body needs no marker: without one it uses the model's default.
    ...(needsMarkers ? openRetention(request, own === null ? 0 : 1) : {}),
    canonical: joinStreams([
      ...prompt,
      ...settingsUpTo(cacheControls(stored, wire), 0),
      ...keys,
      ...settingsUpTo(settings, 0),
    ]),
    cacheKey: key,
    ...routingOf(stored, wire),
    ...sizeOf(prompt),
    advice: [
      ...retention.advice,
      ...(needsMarkers
        ? markerSaysOtherwise(request.cache, own, retention.name, `"${CONTROL}":${markerText(retention.name)}`)
        : []),
      ...mixedRetentions(request.cache, marked, retention.name),
      ...(wire.keyMember === null && wire.keyHeader === null ? keyWithoutEffect(request.cache) : []),
      ...chosen.advice,
      ...points.advice,
      ...earlier.advice,
      ...(markerKind?.isControl === true
        ? [
            ...droppedMarkerAdvice(request, stored, last, shape),
            ...controlAdvice(last, markerKind, retention.name, shape),
          ]
        : endAdvice(body, last, retention.name, mode, shape)),
      ...wire.advice,
    ],
  }
}

/** `compared` of both formats. Throws like `Dialect.compared`. */
export function comparedOpenai(
  body: Body,
  request: NativeRequest,
  facts: (model: string) => ModelFacts,
  shape: OpenaiShape,
): Compared {
  const { wire } = shape
  const model = modelOf(body, request.model)
  const needsMarkers = isMarkedModel(wire, model)
  const retention = statedRetention(body.root, wire)
  return {
    model,
    cacheKey: cacheKey(body, request, wire),
    settings: [...cacheControls(body, wire), ...openaiSettings(body, shape, needsMarkers, facts(model))],
    ...routingOf(body, wire),
    ...(retention === null ? {} : { retention }),
    ...(needsMarkers ? { reads: { lookback: LOOKBACK, marksEnd: topRetention(body.root) !== null } } : {}),
  }
}

/** The most markers that are only passed on: the limit of the strictest upstream. */
const MAX_PASSED_ON = 4

/** The most breakpoints in a probe. Where they are only passed on, the one at the end must exist already. */
function breakpointsTaken(end: LastElement, markerKind: MarkerKind | null, shape: OpenaiShape): number {
  if (markerKind !== null) return canMark(end, markerKind, shape) ? markerKind.most : 0
  return shape.wire.controls !== 'all' && isMarked(end.node, shape) ? MAX_PASSED_ON : 0
}

function isUserSide(turn: JsonNode): boolean {
  const role = stringMember(turn, 'role')
  return role === 'user' || role === 'tool' || (stringMember(turn, 'type')?.endsWith('_output') ?? false)
}

/** The last breakpoint that may end the prefix, else the end of the initial developer messages. */
function automaticCut(turns: readonly JsonNode[], format: OpenaiShape): Cut {
  const shape = format.turns
  const finalTurn = finalUserTurn(turns, isUserSide)
  for (let item = turns.length - 1; item >= 0; item--) {
    const blocks = items(member(turns[item], shape.parts))
    const isLast = (part: number): boolean => part === blocks.length - 1
    const part = blocks.findLastIndex(
      (entry, index) => isMarked(entry, format) && mayEnd(item, isLast(index), finalTurn, turns.length),
    )
    if (part >= 0) return { item, part: isLast(part) ? null : part }
  }
  const block = turns.findIndex((turn) => !isDeveloper(turn))
  const end = block < 0 ? turns.length : block
  return end === 0 ? 'none' : { item: end - 1, part: null }
}

function cacheKey(body: Body, request: NativeRequest, { keyMember, keyHeader }: Wire): string | null {
  const own = keyMember === null ? undefined : stringMember(body.root, keyMember)
  const wished = request.cache?.key
  if (own !== undefined && wished !== undefined && own !== wished) {
    throw new Failure('conflict', `cache.key differs from the body's own ${keyMember}.`, { field: 'cache.key' })
  }
  if (keyHeader !== null && wished !== undefined && !/^[\x21-\x7e]{1,256}$/.test(wished)) {
    throw invalid('cache.key', `goes into the header ${keyHeader} and must be 1 to 256 printable characters`)
  }
  // A key that the provider has no member or header for changes nothing: it is the same prefix.
  return own ?? (keyMember === null && keyHeader === null ? null : (wished ?? null))
}

function storedEdits(root: JsonObject, cut: Cut, key: string | null, { turns, wire }: OpenaiShape): Edit[] {
  const list = member(root, turns.list)
  const changes: Record<string, string> = {}
  const { keyMember } = wire
  if (key !== null && keyMember !== null && stringMember(root, keyMember) === undefined) {
    changes[keyMember] = JSON.stringify(key)
  }
  // A plain string is the user's turn: nothing of it is prefix.
  if (list?.type === 'string') changes[turns.list] = '[]'
  return [...objectEdits(root, changes), ...cutEdits(root, cut, turns)]
}

/** The element at the end of a stored prefix: the last part of its last message, else `instructions`, else the last tool. */
export function lastElement(root: JsonObject, shape: OpenaiShape): LastElement {
  const turn = lastTurnElement(items(member(root, shape.turns.list)), shape.turns)
  if (turn !== null) return turn
  const instructions = member(root, 'instructions')
  if (instructions?.type === 'string' && instructions.value !== '') {
    return { node: instructions, path: 'instructions', turn: null }
  }
  const tool = lastToolElement(root)
  if (tool !== null) return tool
  throw invalid(
    'request',
    `contains nothing that stays the same between requests; add a developer message at the start of ${shape.turns.list}, or tools`,
  )
}

function checkEnd({ path, turn }: LastElement): void {
  if (turn === null) return
  if (CALL_TYPES.has(stringMember(turn, 'type') ?? '') || member(turn, 'tool_calls')?.type === 'array') {
    throw invalid(`request.${path}`, 'ends the prefix between a tool call and its result; end it after the result')
  }
}

/** Retention of a top-level marker, which marks the last block of each real request: a miss writes all of it at that. */
function topRetention(root: JsonObject): string | null {
  const top = member(root, CONTROL)
  return top?.type === 'object' ? (stringMember(top, 'ttl') ?? '5m') : null
}

/** Retention that a member at the top states for all of the body. */
function statedRetention(root: JsonObject, { controls }: Wire): string | null {
  if (controls === 'none') return topRetention(root)
  const ofOptions = stringMember(member(root, OPTIONS), 'ttl')
  const old = controls === 'all' ? stringMember(root, 'prompt_cache_retention') : undefined
  return topRetention(root) ?? ofOptions ?? old ?? null
}

function ownRetention(whole: JsonObject, stored: JsonObject, shape: OpenaiShape): string | null {
  if (shape.wire.controls === 'none') return null
  if (shape.wire.controls === 'ttl') return stringMember(member(whole, OPTIONS), 'ttl') ?? null
  const end = lastTurnElement(items(member(stored, shape.turns.list)), shape.turns)
  const named = stringMember(member(end?.node, MARKER), 'ttl') ?? stringMember(member(whole, OPTIONS), 'ttl')
  // Breakpoints or options in a body show that its model has them, even if no row describes the model.
  const isCurrent = member(whole, OPTIONS)?.type === 'object' || breakpointMembers(whole, shape).length > 0
  return named ?? (isCurrent ? '30m' : (stringMember(whole, 'prompt_cache_retention') ?? null))
}

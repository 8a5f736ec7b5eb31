import { Failure } from '../../contract/failures.ts'
import { edit, objectEdits, replaceNode } from '../../core/json-edit.ts'
import type { Edit } from '../../core/json-edit.ts'
import { byteOffset, items, member, stringMember } from '../../core/json-text.ts'
import type { JsonMember, JsonNode, JsonObject } from '../../core/json-text.ts'
import type { Advice, ModelFacts } from '../../core/types.ts'
import {
  cutEdits,
  DUMMY_TEXT,
  finalUserTurn,
  invalid,
  joinStreams,
  lastToolElement,
  lastTurnElement,
  modelOf,
  objectList,
  otherMembers,
  readBody,
  sizeOf,
  strategyCut,
  memberStream,
} from '../body.ts'
import type { Body, Cut, LastElement, TurnShape } from '../body.ts'
import type { ErrorBody } from '../errors.ts'
import { chooseRetention } from '../retention.ts'
import type { NativeRequest, PreparedPrefix } from '../types.ts'

/**
 * What Responses and Chat Completions share. There are two regimes, and the retention tells them apart: models from GPT-5.6 on have
 * `30m` (Responses also `12h`), breakpoints and `prompt_cache_options`; older ones (`in_memory`, `24h`) answer 400 to both.
 * Source: SDK 7.55.0 types and developers.openai.com prompt caching guide, checked 2026-11-21.
 */
export interface OpenaiShape {
  turns: TurnShape
  /** Type of a part that is text from outside the model. */
  textType: 'input_text' | 'text'
  /** Whether a part of a turn of this role may carry a breakpoint. */
  markable(turn: JsonNode): boolean
  wireRetentions: readonly string[]
  notCompared: ReadonlySet<string>
}

const MARKER = 'prompt_cache_breakpoint'
const MARKER_TEXT = '{"mode":"explicit"}'
const OPTIONS = 'prompt_cache_options'
const KEY = 'prompt_cache_key'
const CALL_TYPES = new Set(['function_call', 'custom_tool_call'])

/** Members that change neither the prompt nor which entry it meets, in both formats. */
export const NOT_COMPARED = [
  'model',
  'tools',
  'instructions',
  'stream',
  'stream_options',
  'store',
  'metadata',
  'temperature',
  'top_p',
  'user',
  'safety_identifier',
  KEY,
  OPTIONS,
  'prompt_cache_retention',
] as const

/** True for retentions of the models that know breakpoints and cache options. */
export function hasBreakpoints(retention: string): boolean {
  return retention === '30m' || retention === '12h'
}

export function prepareOpenai(
  body: Body,
  request: NativeRequest,
  facts: (model: string) => ModelFacts,
  shape: OpenaiShape,
): PreparedPrefix {
  const model = modelOf(body, request.model)
  const { list } = shape.turns
  objectList(body.root, 'tools')
  const turns = member(body.root, list)?.type === 'string' ? [] : objectList(body.root, list)
  const cut = strategyCut(request.cache, turns, shape.turns) ?? automaticCut(turns, shape)
  if (cut === 'tools') {
    throw new Failure('unsupported', 'This provider cannot end a prefix at its tools; end it at a message.', {
      field: 'cache.strategy.explicit',
    })
  }

  const key = cacheKey(body, request)
  const stored = readBody(edit(body.text, storedEdits(body.root, cut, key, shape)))
  const last = lastElement(stored.root, shape)
  checkEnd(last)
  const own = ownRetention(body.root, stored.root, shape)
  const retention = chooseRetention(request.cache, own, facts(model), shape.wireRetentions)

  const rules = {
    drop: new Set(breakpointMembers(stored.root, shape)),
    replace: new Map(
      textStrings(stored.root, shape).map((node) => [node, textBlock(JSON.stringify(node.value), shape)]),
    ),
  }
  const kept = items(member(stored.root, list)).length === 0 ? [] : memberStream(stored, list, rules)
  const prompt = [...memberStream(stored, 'tools'), ...memberStream(stored, 'instructions'), ...kept]
  const mode = stringMember(member(stored.root, OPTIONS), 'mode')
  const controls: [string, string][] = [
    ...(mode === 'explicit' ? [['cache_mode', '"explicit"'] as [string, string]] : []),
    ...(key === null ? [] : [['cache_key', JSON.stringify(key)] as [string, string]]),
  ]
  const compared = otherMembers(stored, new Set([...shape.notCompared, list]))
  return {
    model,
    text: stored.text,
    breakpoint: { path: last.path, byte: byteOffset(stored.text, last.node.end) },
    retention: retention.name,
    canonical: joinStreams([...prompt, ...controls, ...compared]),
    cacheKey: key,
    ...sizeOf(prompt),
    advice: [...retention.advice, ...endAdvice(body, last, retention.name, mode, shape)],
  }
}

export function isDeveloper(turn: JsonNode): boolean {
  const role = stringMember(turn, 'role')
  return role === 'developer' || role === 'system'
}

function isUserSide(turn: JsonNode): boolean {
  const role = stringMember(turn, 'role')
  return role === 'user' || role === 'tool' || (stringMember(turn, 'type')?.endsWith('_output') ?? false)
}

/** The last breakpoint outside the final user turn, else the end of the initial developer block. */
function automaticCut(turns: readonly JsonNode[], { turns: shape }: OpenaiShape): Cut {
  const finalTurn = finalUserTurn(turns, isUserSide)
  for (let item = finalTurn - 1; item >= 0; item--) {
    const blocks = items(member(turns[item], shape.parts))
    const part = blocks.findLastIndex((entry) => member(entry, MARKER)?.type === 'object')
    if (part >= 0) return { item, part: part === blocks.length - 1 ? null : part }
  }
  const block = turns.findIndex((turn) => !isDeveloper(turn))
  const end = block < 0 ? turns.length : block
  return end === 0 ? 'none' : { item: end - 1, part: null }
}

function cacheKey(body: Body, request: NativeRequest): string | null {
  const own = stringMember(body.root, KEY)
  const wished = request.cache?.key
  if (own !== undefined && wished !== undefined && own !== wished) {
    throw new Failure('conflict', `cache.key differs from the body's own ${KEY}.`, { field: 'cache.key' })
  }
  return own ?? wished ?? null
}

function storedEdits(root: JsonObject, cut: Cut, key: string | null, shape: OpenaiShape): Edit[] {
  const list = member(root, shape.turns.list)
  const changes: Record<string, string> = {}
  if (key !== null && stringMember(root, KEY) === undefined) changes[KEY] = JSON.stringify(key)
  // A plain string is the user's own turn: nothing of it is the prefix.
  if (list?.type === 'string') changes[shape.turns.list] = '[]'
  return [...objectEdits(root, changes), ...cutEdits(root, cut, shape.turns)]
}

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
    `holds nothing that stays the same between requests; add a developer message at the start of ${shape.turns.list}, or tools`,
  )
}

function checkEnd({ path, turn }: LastElement): void {
  if (turn === null) return
  if (CALL_TYPES.has(stringMember(turn, 'type') ?? '') || member(turn, 'tool_calls')?.type === 'array') {
    throw invalid(`request.${path}`, 'ends the prefix between a tool call and its result; end it behind the result')
  }
}

function ownRetention(whole: JsonObject, stored: JsonObject, shape: OpenaiShape): string | null {
  const end = lastTurnElement(items(member(stored, shape.turns.list)), shape.turns)
  const named =
    stringMember(member(end?.node, MARKER), 'ttl') ??
    stringMember(member(whole, OPTIONS), 'ttl') ??
    stringMember(whole, 'prompt_cache_retention')
  // Whoever uses breakpoints or options speaks to a model that has them, also where we do not know the model.
  const isCurrent = member(whole, OPTIONS)?.type === 'object' || breakpointMembers(whole, shape).length > 0
  return named ?? (isCurrent ? '30m' : null)
}

function parts(root: JsonObject, { turns }: OpenaiShape): JsonNode[] {
  return items(member(root, turns.list)).flatMap((turn) => items(member(turn, turns.parts)))
}

function breakpointMembers(root: JsonObject, shape: OpenaiShape): JsonMember[] {
  return parts(root, shape).flatMap((part) =>
    part.type === 'object' ? part.members.filter(({ key }) => key === MARKER) : [],
  )
}

/** Message contents written as a plain string, where a block could stand. */
function textStrings(root: JsonObject, shape: OpenaiShape) {
  return items(member(root, shape.turns.list)).flatMap((turn) => {
    const node = member(turn, shape.turns.parts)
    return node?.type === 'string' && shape.markable(turn) ? [node] : []
  })
}

function textBlock(raw: string, shape: OpenaiShape, marker?: string): string {
  return `[{"type":"${shape.textType}","text":${raw}${marker === undefined ? '' : `,"${MARKER}":${marker}`}}]`
}

function endAdvice(
  body: Body,
  last: LastElement,
  retention: string,
  mode: string | undefined,
  shape: OpenaiShape,
): Advice[] {
  if (!hasBreakpoints(retention)) return []
  const marked = last.node.type === 'object' && member(last.node, MARKER)?.type === 'object'
  const advice: Advice[] = []
  const how =
    last.node.type === 'string'
      ? `write ${last.path} as [{"type":"${shape.textType}","text":"…","${MARKER}":${MARKER_TEXT}}]`
      : `add "${MARKER}":${MARKER_TEXT} to ${last.path}`
  if (last.turn === null) {
    const where = `a developer message at the start of ${shape.turns.list}`
    advice.push({
      cause: 'no_developer_message',
      message: `The prefix ends in ${last.path}, which can carry no ${MARKER}. If real requests do not read the entry, move the text into ${where} and end it with "${MARKER}":${MARKER_TEXT}.`,
      at: last.path,
    })
  } else if (!marked && mode === 'explicit') {
    advice.push({
      cause: 'explicit_mode_without_breakpoint',
      message: `Real requests of this shape do not use the cache: their mode is explicit and no ${MARKER} stands at the end of the prefix. In them, ${how}.`,
      at: last.path,
    })
  } else if (!marked && !isDeveloper(last.turn)) {
    advice.push({
      cause: 'end_not_marked',
      message: `Real requests look for ends of messages and for breakpoints; to be sure that they find this prefix, ${how}.`,
      at: last.path,
    })
  }
  if (member(body.root, shape.turns.list)?.type === 'string') {
    advice.push({
      cause: 'plain_string_input',
      message: `${shape.turns.list} is a plain string, which is taken for the user's own turn; only what stands in front of it is kept warm.`,
      at: shape.turns.list,
    })
  }
  return advice
}

/** Edits that put an explicit breakpoint on the last shared block, unless it carries one. */
export function markEnd(body: Body, last: LastElement, retention: string, shape: OpenaiShape): Edit[] {
  const ttl = JSON.stringify(retention)
  const marker = member(last.node, MARKER)
  if (marker?.type === 'object') {
    const present = stringMember(marker, 'ttl')
    return present === undefined || present === retention ? [] : objectEdits(marker, { ttl })
  }
  if (last.turn === null) {
    throw new Failure(
      'unsupported',
      `The prefix ends in ${last.path}, which can carry no ${MARKER}; move the text into a developer message at the start of ${shape.turns.list}.`,
      { field: `request.${last.path}` },
    )
  }
  if (!shape.markable(last.turn)) {
    throw new Failure(
      'unsupported',
      `The prefix ends in ${last.path}, which can carry no ${MARKER}; end it at a developer or user message.`,
      { field: `request.${last.path}` },
    )
  }
  if (last.node.type === 'object') return objectEdits(last.node, { [MARKER]: MARKER_TEXT })
  return [replaceNode(last.node, textBlock(body.text.slice(last.node.start, last.node.end), shape, MARKER_TEXT))]
}

/**
 * The raw text of the request's cache options with some set: the caller's own are kept. `ttl` is written only where it says
 * something: an option of its own, or a retention other than the default.
 */
export function cacheOptions(body: Body, retention: string, prewarm: boolean): string | null {
  const own = member(body.root, OPTIONS)
  const present = stringMember(own, 'ttl')
  const setTtl = present === undefined ? retention !== '30m' : present !== retention
  if (own?.type !== 'object') {
    const made = [...(setTtl ? [`"ttl":${JSON.stringify(retention)}`] : []), ...(prewarm ? ['"prewarm":true'] : [])]
    return made.length === 0 ? null : `{${made.join(',')}}`
  }
  const edits = objectEdits(own, {
    ...(setTtl ? { ttl: JSON.stringify(retention) } : {}),
    ...(prewarm ? { prewarm: 'true' } : member(own, 'prewarm') === undefined ? {} : { prewarm: null }),
  })
  const shifted = edits.map((one) => ({ ...one, start: one.start - own.start, end: one.end - own.start }))
  return edit(body.text.slice(own.start, own.end), shifted)
}

/** Changes to the root that every probe of both formats makes. */
export function commonChanges(
  body: Body,
  model: string,
  retention: string,
  prewarm: boolean,
): Record<string, string | null> {
  const { root } = body
  const changes: Record<string, string | null> = { stream: null, stream_options: null }
  if (member(root, 'model') === undefined) changes['model'] = JSON.stringify(model)
  if (hasBreakpoints(retention)) {
    const options = cacheOptions(body, retention, prewarm)
    if (options !== null) changes[OPTIONS] = options
  } else {
    const present = stringMember(root, 'prompt_cache_retention')
    const setsRetention = retention === '24h' ? present !== retention : present !== undefined && present !== retention
    if (setsRetention) changes['prompt_cache_retention'] = JSON.stringify(retention)
  }
  return changes
}

export function isExplicitMode(root: JsonObject): boolean {
  return stringMember(member(root, OPTIONS), 'mode') === 'explicit'
}

/** The user turn that ends a probe which must have one. */
export const DUMMY_TURN = `{"role":"user","content":${JSON.stringify(DUMMY_TEXT)}}`

/** 400s that are about the probe itself: an unknown option, a floor of the output cap, an input without a user turn. */
export function refusesPrimitive({ tokens, param, message }: ErrorBody): boolean {
  return (
    tokens.includes('integer_below_min_value') ||
    /^(prompt_cache_|max_output_tokens|max_tokens|max_completion_tokens|input$)/.test(param) ||
    /prompt_cache_|prewarm|max_(output_|completion_)?tokens/i.test(message)
  )
}

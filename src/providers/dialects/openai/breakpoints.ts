import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { Markable } from '../../../core/conversation/asked-breakpoints.ts'
import type { JsonMember, JsonNode, JsonObject, JsonString } from '../../../core/prompt/json-text.ts'
import type { Body, LastElement, TurnShape } from '../shared/body.ts'
import type { Wire } from '../../wire.ts'
import type { Advice } from '../../../core/model/advice.ts'

/**
 * Differences between Responses and Chat Completions. Both have two generations of models with different retentions. From GPT-5.6 on,
 * models have `30m` (Responses also `12h`), breakpoints and `prompt_cache_options`. Older ones (`in_memory`, `24h`) answer 400 to both.
 * Source: SDK 7.55.0 types and developers.openai.com prompt caching guide, checked 2026-11-21.
 */
export interface OpenaiShape {
  turns: TurnShape
  /** Type of a part with text that is not the model's. */
  textType: 'input_text' | 'text'
  /** Whether the parts of a turn may have a breakpoint. */
  markable(turn: JsonNode): boolean
  notCompared: ReadonlySet<string>
  /** The provider's differences. */
  wire: Wire
}

/** Member that marks a content block as the exact end of a prefix. */
export const MARKER = 'prompt_cache_breakpoint'

export const MARKER_TEXT = '{"mode":"explicit"}'

/** Member with the request's cache settings: mode, lifetime, prewarm. */
export const OPTIONS = 'prompt_cache_options'

/** True for the retentions of models with breakpoints and cache options. */
export function hasBreakpoints(retention: string): boolean {
  return retention === '30m' || retention === '12h'
}

/**
 * What a bot's calls can mark: they are in explicit mode, which takes four breakpoints, on developer and user messages and on results.
 * Source: developers.openai.com prompt caching guide, checked 2026-11-21.
 */
export const EXPLICIT_MODE: Markable = { most: 4, tools: false, answers: 'none' }

function parts(root: JsonObject, { turns }: OpenaiShape): JsonNode[] {
  return items(member(root, turns.list)).flatMap((turn) => items(member(turn, turns.parts)))
}

/** Members with the name of a marker where one is allowed, with any value. They are no part of the prompt. */
export function breakpointMembers(root: JsonObject, shape: OpenaiShape): JsonMember[] {
  return parts(root, shape).flatMap((part) =>
    part.type === 'object' ? part.members.filter(({ key }) => shape.wire.markers.includes(key)) : [],
  )
}

/** Message contents that are plain strings and become a block when they are marked. For the provider both mean the same. */
export function textStrings(root: JsonObject, shape: OpenaiShape): JsonString[] {
  return items(member(root, shape.turns.list)).flatMap((turn) => {
    const node = member(turn, shape.turns.parts)
    return node?.type === 'string' && shape.markable(turn) ? [node] : []
  })
}

/** Writes a plain string as the one block of text that it means. `raw` is its JSON text. */
export function textBlock(
  raw: string,
  shape: Pick<OpenaiShape, 'textType'>,
  marker?: { name: string; text: string },
): string {
  const marked = marker === undefined ? '' : `,"${marker.name}":${marker.text}`
  return `[{"type":"${shape.textType}","text":${raw}${marked}}]`
}

/** Advice about the end of the prefix: whether real requests of this form read the entry, and the change that makes them. */
export function endAdvice(
  body: Body,
  last: LastElement,
  retention: string,
  mode: string | undefined,
  shape: OpenaiShape,
): Advice[] {
  if (shape.wire.controls !== 'all') return markerAdvice(last, shape)
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
      message: `The prefix ends in ${last.path}, which cannot carry a ${MARKER}. If real requests do not read the entry, move the text into ${where} and end it with "${MARKER}":${MARKER_TEXT}.`,
      at: last.path,
    })
  } else if (!marked && mode === 'explicit') {
    advice.push({
      cause: 'explicit_mode_without_breakpoint',
      message: `Real requests like this one do not use the cache: their mode is explicit, and the end of the prefix has no ${MARKER}. In them, ${how}.`,
      at: last.path,
    })
  } else if (!marked && !isDeveloper(last.turn)) {
    advice.push({
      cause: 'end_not_marked',
      message: `Real requests look up prefixes that end at a message or a breakpoint. To make sure that they find this prefix, ${how}.`,
      at: last.path,
    })
  }
  if (member(body.root, shape.turns.list)?.type === 'string') {
    advice.push({
      cause: 'plain_string_input',
      message: `${shape.turns.list} is a plain string, which counts as the user's turn. Only the prompt before it is kept warm.`,
      at: shape.turns.list,
    })
  }
  return advice
}

/** Advice for providers that pass markers on: the server behind them may write nothing without one. */
function markerAdvice(last: LastElement, { wire }: OpenaiShape): Advice[] {
  const names = wire.markers
  if (names.length === 0 || names.some((name) => member(last.node, name) !== undefined)) return []
  return [
    {
      cause: 'end_not_marked',
      message: `${last.path} has no ${names.join(' or ')}. Probes send the body as it is. If the server of this model caches only at markers, add one there, and in real requests.`,
      at: last.path,
    },
  ]
}

export function isDeveloper(turn: JsonNode): boolean {
  const role = stringMember(turn, 'role')
  return role === 'developer' || role === 'system'
}

import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonObject } from '../../../core/prompt/json-text.ts'
import { PLACEHOLDER_TEXT } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import type { ErrorBody } from '../shared/errors.ts'
import type { Wire } from '../../wire.ts'
import { hasBreakpoints, OPTIONS } from './breakpoints.ts'

/**
 * JSON text of the request's cache options for a probe; null: they stay as they are. The caller's options are kept. `ttl` is set where the
 * body has one, or where the retention is not `usual`, the default.
 */
export function cacheOptions(body: Body, retention: string, prewarm: boolean, usual: string): string | null {
  const own = member(body.root, OPTIONS)
  const present = stringMember(own, 'ttl')
  const setTtl = present === undefined ? retention !== usual : present !== retention
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

/**
 * Sampling parameters, also of compatible servers. They change no entry, and models that take none refuse them.
 * Source: openai SDK 7.59.0 types, docs.vllm.ai and openrouter.ai parameters, checked 2026-11-30.
 */
const SAMPLING = Object.fromEntries(
  (
    'temperature top_p top_k top_a min_p typical_p seed stop logprobs top_logprobs logit_bias presence_penalty ' +
    'frequency_penalty repetition_penalty'
  )
    .split(' ')
    .map((name) => [name, null]),
)

/** Changes to members of the body in every probe, for both formats. */
export function commonChanges(
  body: Body,
  model: string,
  retention: string,
  prewarm: boolean,
  wire: Pick<Wire, 'controls' | 'retentions'>,
): Record<string, string | null> {
  const { root } = body
  const changes: Record<string, string | null> = { stream: null, stream_options: null, ...SAMPLING }
  if (member(root, 'model') === undefined) changes['model'] = JSON.stringify(model)
  if (wire.controls === 'none') return changes
  const isTtl = wire.controls === 'ttl'
  if (isTtl || hasBreakpoints(retention)) {
    const options = cacheOptions(body, retention, prewarm, isTtl ? (wire.retentions[0] ?? '') : '30m')
    if (options !== null) changes[OPTIONS] = options
    // The setting of older models: this one ignores or refuses it.
    if (!isTtl) changes['prompt_cache_retention'] = null
  } else {
    const present = stringMember(root, 'prompt_cache_retention')
    const setsRetention = retention === '24h' ? present !== retention : present !== undefined && present !== retention
    if (setsRetention) changes['prompt_cache_retention'] = JSON.stringify(retention)
  }
  return changes
}

/** True: only explicit breakpoints write and read. Without one the request does not use the cache. */
export function isExplicitMode(root: JsonObject): boolean {
  return stringMember(member(root, OPTIONS), 'mode') === 'explicit'
}

/** The user turn at the end of a probe. `nonce` makes it unique. */
export function placeholderTurn(nonce = ''): string {
  return `{"role":"user","content":${JSON.stringify(PLACEHOLDER_TEXT + nonce)}}`
}

/** Header with the cache key, for providers that take it there. */
export function keyHeaders(wire: Pick<Wire, 'keyHeader'>, key: string | null | undefined): Record<string, string> {
  return wire.keyHeader === null || key === null || key === undefined ? {} : { [wire.keyHeader]: key }
}

/** True for a 400 about the probe itself: an unknown option, a minimum of the output cap, an input without a user turn. */
export function refusesPrimitive({ tokens, param, message }: ErrorBody): boolean {
  return (
    tokens.includes('integer_below_min_value') ||
    /^(prompt_cache_|max_output_tokens|max_tokens|max_completion_tokens|input$)/.test(param) ||
    /prompt_cache_|prewarm|max_(output_|completion_)?tokens/i.test(message)
  )
}

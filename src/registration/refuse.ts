import type { WarmBody } from '../contract/warm.ts'
import { Failure } from '../contract/failure.ts'
import type { PreparedPrefix, CacheRequest } from '../providers/dialect.ts'
import { MAX_PREFIX_BYTES, tooLargeFailure } from './json-body.ts'
import type { ModelFacts } from '../core/model/facts.ts'

export function refuseOutOfPlace(body: WarmBody): void {
  for (const field of ['gateway', 'model_preference', 'gateway_models'] as const) {
    if (body[field] !== undefined)
      throw new Failure('unsupported', `${field}: a pool is for POST /warm alone.`, { field })
  }
  if (body.request === undefined) return
  for (const field of ['system', 'tools', 'messages', 'vars', 'tool_filter'] as const) {
    if (body[field] !== undefined) {
      throw new Failure('invalid_request', `${field}: stands beside request, which holds the whole body already.`, {
        field,
      })
    }
  }
}

export function limitPrefix(prefix: PreparedPrefix, field: string): void {
  if (Buffer.byteLength(prefix.text) > MAX_PREFIX_BYTES) throw tooLargeFailure('The prefix', MAX_PREFIX_BYTES, field)
}

/** A token is two bytes at the least in the texts that providers bill: below half the bytes nothing can help it. */
export function refuseTooShort(prefix: PreparedPrefix, facts: ModelFacts, mode: CacheRequest['mode']): void {
  const minimum = facts.minimumTokens
  if (minimum === null) return
  const most = mode === 'required' ? prefix.estimatedTokens : prefix.renderedBytes / 2
  if (most >= minimum) return
  throw new Failure(
    'prefix_too_short',
    `The prefix has about ${prefix.estimatedTokens} tokens; this model caches from ${minimum}.`,
    { field: 'request', estimated_tokens: prefix.estimatedTokens, minimum_tokens: minimum },
  )
}

import { failureValue, readFailure } from '../contract/failure.ts'
import type { ManagedCacheFailure } from '../core/managed-cache/state.ts'
import { takenDespite } from '../providers/dialects/shared/errors.ts'
import { sendWith } from './access-token.ts'
import type { Clock } from '../runtime/clock.ts'
import { transport } from './send.ts'
import type { Access } from '../runtime/env.ts'
import type { ManagedCacheDialect, ManagedCacheRequest } from '../providers/managed-cache/dialect.ts'

/** Result of a managed-cache call. `gone`: the provider no longer has the cache. */
export type ManagedCacheAnswer =
  | { kind: 'answered'; text: string }
  | { kind: 'gone' }
  /** The kill switch is on, or nobody said that it is off: nothing was sent. */
  | { kind: 'held'; why: string }
  | ({ kind: 'failed' } & ManagedCacheFailure)

/** Makes one managed-cache call, unless `held` says why not right before it is sent. Never throws: a failure is its result. */
export async function callManagedCache(
  access: Access,
  dialect: ManagedCacheDialect,
  request: ManagedCacheRequest,
  clock: Clock,
  timeoutMs: number,
  held?: () => Promise<string | null>,
): Promise<ManagedCacheAnswer> {
  const { card, credential } = access
  if (credential === null) {
    const failure = failureValue('provider_key_refused', 'there is no credential for this provider')
    return { kind: 'failed', failure, permanent: true, retryAfterMs: null, accepted: false }
  }
  let baseUrl: string
  try {
    baseUrl = dialect.baseOf(access.baseUrl)
  } catch (thrown) {
    return failedAnswer(thrown, false)
  }
  const result = await sendWith({ access, credential, clock, timeoutMs, held }, (presented, leftMs) =>
    transport.send({ card, baseUrl, credential: presented, request, timeoutMs: leftMs }),
  )
  if (result.kind === 'held') return result
  if (result.kind !== 'sent') {
    const failure =
      result.kind === 'no_token'
        ? result.failure
        : failureValue('provider_timeout', 'The access token arrived too late.')
    const permanent = result.kind === 'no_token' && result.permanent
    return { kind: 'failed', failure, permanent, retryAfterMs: null, accepted: false }
  }
  const { sent } = result
  if (sent.kind === 'failed') {
    const accepted = sent.outcomeKnown ? (false as const) : null
    return { kind: 'failed', failure: sent.failure, permanent: false, retryAfterMs: null, accepted }
  }
  if (sent.status >= 200 && sent.status < 300) return { kind: 'answered', text: sent.text }
  const { failure, gone, permanent, retryAfterMs } = dialect.readError(sent.status, sent.headers, sent.text)
  if (gone) return { kind: 'gone' }
  // After a 5xx it is unknown whether the provider did what was asked, unless it never got the request. After any other status it did not.
  const hasLeft = sent.status < 520 || takenDespite(sent.status, sent.headers, sent.text) === null
  return { kind: 'failed', failure, permanent, retryAfterMs, accepted: sent.status >= 500 && hasLeft ? null : false }
}

/** Turns a thrown value into the result of a call. `accepted`: false if nothing was sent, null if that is unknown. */
export function failedAnswer(thrown: unknown, accepted: false | null): { kind: 'failed' } & ManagedCacheFailure {
  const failure =
    readFailure(thrown) ?? failureValue('internal', 'the call could not be sent, or its answer could not be read')
  return { kind: 'failed', failure, permanent: accepted === false, retryAfterMs: null, accepted }
}

import { failureValue, readFailure } from '../contract/failures.ts'
import type { FailureValue } from '../contract/failures.ts'
import type { Lease, Outcome } from '../durable/records.ts'
import { cardById, dialectOf } from '../providers/registry.ts'
import type { Sent } from '../providers/send.ts'
import type { Dialect } from '../providers/types.ts'
import type { Clock } from '../runtime/clock.ts'
import { door } from '../runtime/door.ts'
import { accessTo } from '../runtime/env.ts'
import type { Access, Vars } from '../runtime/env.ts'

/** What a lease is run with. */
export interface Surroundings {
  clock: Clock
  vars: Vars
  allowedSecrets: readonly string[]
  /** The registered body of a prefix, fetched when its turn comes; null when the prefix is gone. */
  bodyOf: (k: number) => Promise<StoredBody | null>
}

/** What a probe is built from. */
export interface StoredBody {
  text: string
  breakpoint: { path: string; byte: number }
  /** For providers that take it in a header. */
  cacheKey: string | null
}

/**
 * Uses a lease: one request, sent once, not before its time and not after its deadline. Never throws; whatever happens
 * is an outcome to settle. The provider's own answer comes back beside it for foreground calls.
 */
export async function runLease(
  lease: Lease,
  around: Surroundings,
): Promise<{ outcome: Outcome; answer: string | null }> {
  const { clock } = around
  const notSent = (why: string): { outcome: Outcome; answer: null } => ({
    outcome: { lease: lease.id, k: lease.k, kind: 'not_sent', why },
    answer: null,
  })
  try {
    const card = cardById(lease.provider)
    const body = await around.bodyOf(lease.k)
    if (card === undefined || body === null) return notSent('the prefix or its provider is gone')
    const access = accessTo(card, around.vars)
    const dialect = dialectOf(card)
    const refused = accessRefusal(access, around.allowedSecrets)
    if (refused !== null || access.credential === null) {
      const failure = refused ?? failureValue('provider_key_refused', 'there is no credential for this provider')
      return failedBefore(lease, clock.now(), failure)
    }
    const { primitive, retention, maxOutputTokens } = lease
    const request = dialect.probe(
      { text: body.text, model: lease.model, breakpoint: body.breakpoint },
      {
        primitive,
        retention,
        key: body.cacheKey,
        nonce: lease.id,
        ...(maxOutputTokens === null ? {} : { outputTokens: maxOutputTokens }),
      },
    )
    if (clock.now() < lease.notBeforeAt) await clock.sleep(lease.notBeforeAt - clock.now())
    const startedAt = clock.now()
    if (startedAt > lease.sendBy) return notSent('its time had passed before its turn came')
    const sent = await door.send({
      card,
      baseUrl: access.baseUrl,
      credential: access.credential,
      request,
      timeoutMs: Math.max(1, clock.realMs(lease.timeoutMs)),
    })
    return read(lease, sent, dialect, startedAt, clock.now() - startedAt)
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('internal', 'the probe could not be built or sent')
    return failedBefore(lease, clock.now(), failure)
  }
}

/** Why nothing can be sent for this account; null when something can. */
export function accessRefusal(access: Access, allowedSecrets: readonly string[]): FailureValue | null {
  if (access.refusal?.kind === 'unsupported') return access.refusal
  if (access.lab) return access.refusal
  const { secret } = access.card
  const key = (why: string): FailureValue => failureValue('provider_key_refused', why, { secret })
  if (!allowedSecrets.includes(secret))
    return key(
      `this account may not use the secret ${secret}; an administrator allows it (PATCH /accounts/{id} allowed_secrets)`,
    )
  if (access.credential === null)
    return key(`this deployment has no secret ${secret}; set it with "wrangler secret put ${secret}"`)
  return access.refusal
}

function failedBefore(
  lease: Lease,
  now: number,
  failure: ReturnType<typeof failureValue>,
): { outcome: Outcome; answer: null } {
  const { id, k, primitive } = lease
  const primitiveRefused = failure.kind === 'unsupported'
  return {
    outcome: {
      lease: id,
      k,
      kind: 'failed',
      startedAt: now,
      latencyMs: 0,
      primitive,
      failure,
      accepted: false,
      // No waiting sets a variable: the plan stops and names itself.
      permanent: failure.kind === 'not_configured',
      primitiveRefused,
      retryAfterMs: null,
    },
    answer: null,
  }
}

function read(
  lease: Lease,
  sent: Sent,
  dialect: Dialect,
  startedAt: number,
  latencyMs: number,
): { outcome: Outcome; answer: string | null } {
  const base = { lease: lease.id, k: lease.k, startedAt, latencyMs, primitive: lease.primitive }
  const failed = { ...base, kind: 'failed' as const, permanent: false, primitiveRefused: false, retryAfterMs: null }
  if (sent.kind === 'failed') {
    return { outcome: { ...failed, failure: sent.failure, accepted: sent.outcomeKnown ? false : null }, answer: null }
  }
  if (sent.status >= 200 && sent.status < 300) {
    try {
      const answer = dialect.readAnswer(sent.text, sent.headers.get('content-type') ?? '', sent.headers)
      return { outcome: { ...base, kind: 'answered', usage: answer.usage, model: answer.model }, answer: sent.text }
    } catch (thrown) {
      // It was taken and surely billed; what it did is not known.
      const failure =
        readFailure(thrown) ??
        failureValue('unreadable_answer', 'the provider answered something that is not its own format')
      return { outcome: { ...failed, failure, accepted: null }, answer: null }
    }
  }
  const { failure, retryAfterMs, primitiveRefused, permanent } = dialect.readError(sent.status, sent.headers, sent.text)
  return { outcome: { ...failed, failure, retryAfterMs, primitiveRefused, permanent, accepted: false }, answer: null }
}

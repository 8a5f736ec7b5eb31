import { failureValue, readFailure } from '../contract/failure.ts'
import { takenDespite } from '../providers/dialects/shared/errors.ts'
import { cardById, dialectOf } from '../providers/registry.ts'
import { readRateLimits } from '../providers/transport/rate-limit-headers.ts'
import type { Sent } from '../providers/transport/send.ts'
import { keptUsage } from '../providers/dialects/shared/usage.ts'
import type { Clock } from '../runtime/clock.ts'
import { sendWith } from './access-token.ts'
import { transport } from './send.ts'
import { accessTo, placeOf } from '../runtime/env.ts'
import type { Vars } from '../runtime/env.ts'
import { secretFor } from './credential.ts'
import type { SendThrough } from './egress.ts'
import type { Lease, Outcome } from './lease.ts'
import type { StoredCredential } from './credential.ts'
import type { Dialect } from '../providers/dialect.ts'

/** What a lease is run with. */
export interface ProbeCallContext {
  clock: Clock
  vars: Vars
  allowedSecrets: readonly string[]
  /** The account's own credentials that leases name, still sealed. */
  credentials?: readonly StoredCredential[]
  /** The way out through another region, for leases that name one. */
  egress?: SendThrough
  /** The registered body of a prefix, fetched when its turn comes; `held`: why nothing is to be sent any more; null when the prefix is gone. */
  bodyOf: (lease: Lease) => Promise<StoredBody | { held: string } | null>
}

/** What a probe is built from. */
export interface StoredBody {
  text: string
  breakpoint: { path: string; byte: number }
  /** For providers that take it in a header. */
  cacheKey: string | null
  /** Headers of the caller's real requests. */
  headers: Record<string, string>
  /** Where the provider was reached when it was registered; absent in older rows. */
  place?: string | null
}

/**
 * Uses a lease: one request, sent once, not before its time and not after its deadline. Never throws; whatever happens
 * is an outcome to settle. The provider's own answer comes back beside it for foreground calls.
 */
export async function runLease(
  lease: Lease,
  around: ProbeCallContext,
): Promise<{ outcome: Outcome; answer: string | null }> {
  const { clock } = around
  const notSent = (why: string): { outcome: Outcome; answer: null } => ({
    outcome: { lease: lease.id, k: lease.k, kind: 'not_sent', why },
    answer: null,
  })
  try {
    // Whoever throws a switch while this waits is heard: the body is asked for right before it is sent.
    if (clock.now() < lease.notBeforeAt) await clock.sleep(lease.notBeforeAt - clock.now())
    const card = cardById(lease.provider)
    const body = await around.bodyOf(lease)
    if (body !== null && 'held' in body) return notSent(body.held)
    if (card === undefined || body === null) return notSent('the prefix or its provider is gone')
    if (body.place !== undefined && body.place !== placeOf(card, around.vars))
      return notSent('its provider is reached at another address')
    const access = accessTo(card, around.vars)
    const dialect = dialectOf(card)
    const credential = secretFor(lease, access, around.allowedSecrets, around.credentials ?? [], around.vars)
    const { primitive, retention, maxOutputTokens } = lease
    const built = dialect.probe(
      { text: body.text, model: lease.model, breakpoint: body.breakpoint },
      {
        primitive,
        retention,
        key: body.cacheKey,
        nonce: lease.id,
        ...(maxOutputTokens === null ? {} : { outputTokens: maxOutputTokens }),
      },
    )
    const request = { ...built, headers: { ...body.headers, ...built.headers } }
    const startedAt = clock.now()
    if (startedAt > lease.sendBy) return notSent('its time had passed before its turn came')
    const { egress } = around
    const { via, timeoutMs, sendBy } = lease
    const one = await sendWith({ access, credential, clock, timeoutMs, sendBy }, (presented, leftMs) => {
      const call = { card, baseUrl: access.baseUrl, credential: presented, request, timeoutMs: leftMs }
      return via === undefined || egress === undefined ? transport.send(call) : egress(via, call)
    })
    if (one.kind === 'late') return notSent('its time had passed before there was an access token')
    if (one.kind === 'no_token') return failedBefore(lease, clock.now(), one.failure, one.permanent)
    const { sent, sentAt } = one
    const endedAt = clock.now()
    const limits = sent.kind === 'answered' ? readRateLimits(sent.headers, endedAt) : []
    const { outcome, answer } = read(lease, sent, dialect, sentAt, endedAt - sentAt)
    return { outcome: limits.length === 0 || outcome.kind === 'not_sent' ? outcome : { ...outcome, limits }, answer }
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('internal', 'the probe could not be built or sent')
    return failedBefore(lease, clock.now(), failure)
  }
}

function failedBefore(
  lease: Lease,
  now: number,
  failure: ReturnType<typeof failureValue>,
  // No waiting sets a variable: the plan stops and names itself.
  permanent = failure.kind === 'not_configured',
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
      permanent,
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
      const rawUsage = keptUsage(answer.rawUsage)
      const said = { ...base, kind: 'answered' as const, usage: answer.usage, model: answer.model }
      return { outcome: rawUsage === null ? said : { ...said, rawUsage }, answer: sent.text }
    } catch (thrown) {
      // It was taken and surely billed; what it did is not known.
      const failure =
        readFailure(thrown) ??
        failureValue('unreadable_answer', 'the provider answered something that is not its own format')
      return { outcome: { ...failed, failure, accepted: null }, answer: null }
    }
  }
  const { failure, retryAfterMs, primitiveRefused, permanent } = dialect.readError(sent.status, sent.headers, sent.text)
  const accepted = takenDespite(sent.status)
  return { outcome: { ...failed, failure, retryAfterMs, primitiveRefused, permanent, accepted }, answer: null }
}

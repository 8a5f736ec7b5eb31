import { Failure, failureValue, readFailure } from '../contract/failure.ts'
import { takenDespite, usageDespite } from '../providers/dialects/shared/errors.ts'
import { dialectOf } from '../providers/registry.ts'
import { cardById } from '../runtime/cards.ts'
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
import { NO_COUNTS } from '../core/model/usage.ts'
import type { StoredCredential } from './credential.ts'
import { endedSpan, inSpan, warmSpan } from './span.ts'
import type { Tracer } from './span.ts'
import type { Dialect } from '../providers/dialect.ts'

/** Collaborators and credentials that a probe call needs. */
export interface ProbeCallContext {
  clock: Clock
  vars: Vars
  allowedSecrets: readonly string[]
  /** Sealed credentials of the account that leases name. */
  credentials?: readonly StoredCredential[]
  /** Records each call as a span; absent: none does. */
  tracer?: Tracer | undefined
  /** Sends through another region, for leases that name one in `via`. */
  egress?: SendThrough
  /** Asked right before the call is sent: the reason why nothing may be sent, such as the kill switch. Absent: always. */
  held?: () => Promise<string | null>
  /**
   * Reads the registered body of a prefix right before it is sent. `held`: reason why nothing may be sent any more (the word
   * crosses RPC). Null: the prefix was deleted.
   */
  bodyOf: (lease: Lease) => Promise<StoredBody | { held: string } | null>
}

/** Registered data that a probe is built from. */
export interface StoredBody {
  text: string
  breakpoint: { path: string; byte: number }
  /** Cache key, for providers that take it in a header. */
  cacheKey: string | null
  /** Headers of the caller's own requests that the probe repeats. */
  headers: Record<string, string>
  /** Address of the provider at registration, as `placeOf` names it. Absent in rows written before it was stored. */
  place?: string | null
  /** Region or location in that address; absent: the deployment's. */
  region?: string
}

/**
 * Sends the one request of a lease, between its `notBeforeAt` and its `sendBy`. Never throws: each failure is an outcome to
 * settle. `answer` is the provider's own answer, which foreground calls hand on.
 */
export async function runLease(
  lease: Lease,
  context: ProbeCallContext,
): Promise<{ outcome: Outcome; answer: string | null }> {
  const { clock } = context
  const notSent = (why: string): { outcome: Outcome; answer: null } => ({
    outcome: { lease: lease.id, k: lease.k, kind: 'not_sent', why },
    answer: null,
  })
  try {
    // The body is read after the wait, so that a plan that was switched off meanwhile stops the call.
    if (clock.now() < lease.notBeforeAt) await clock.sleep(lease.notBeforeAt - clock.now())
    const card = cardById(lease.provider)
    const body = await context.bodyOf(lease).catch(unreadable)
    if (body !== null && 'held' in body) return notSent(body.held)
    if (card === undefined || body === null)
      return notSent('the prefix was deleted, or its provider is no longer supported')
    if (body.place !== undefined && body.place !== placeOf(card, context.vars, body.region))
      return notSent('the address of its provider has changed')
    const access = accessTo(card, context.vars, body.region)
    const dialect = dialectOf(card)
    const credential = secretFor(lease, access, context.allowedSecrets, context.credentials ?? [], context.vars)
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
    if (startedAt > lease.sendBy) return notSent('its deadline passed before it could be sent')
    const { egress } = context
    const { via, timeoutMs, sendBy } = lease
    const result = await sendWith(
      { access, credential, clock, timeoutMs, sendBy, held: context.held },
      (presented, leftMs) => {
        const call = { card, baseUrl: access.baseUrl, credential: presented, request, timeoutMs: leftMs }
        const send = () => (via === undefined || egress === undefined ? transport.send(call) : egress(via, call))
        const ended = (answer: Sent) => endedSpan(read(lease, answer, dialect, startedAt, 0).outcome)
        return inSpan(context.tracer, warmSpan(lease, card), send, ended)
      },
    )
    if (result.kind === 'held') return notSent(result.why)
    if (result.kind === 'late') return notSent('its deadline passed before an access token arrived')
    if (result.kind === 'no_token') return failedBefore(lease, clock.now(), result.failure, result.permanent)
    const { sent, sentAt } = result
    const endedAt = clock.now()
    const limits = sent.kind === 'answered' ? readRateLimits(sent.headers, endedAt) : []
    const { outcome, answer } = read(lease, sent, dialect, sentAt, endedAt - sentAt)
    return { outcome: limits.length === 0 || outcome.kind === 'not_sent' ? outcome : { ...outcome, limits }, answer }
  } catch (thrown) {
    const failure = readFailure(thrown) ?? failureValue('internal', 'the probe could not be built or sent')
    return failedBefore(lease, clock.now(), failure)
  }
}

/**
 * A deployment without the secret of the bodies' keys cannot open them now, and can again once it has it: a reason to try later, not to
 * stop a plan.
 */
function unreadable(thrown: unknown): never {
  if (readFailure(thrown)?.kind !== 'not_configured') throw thrown
  throw new Failure('internal', 'The stored body cannot be opened: the deployment lacks the secret of its key.')
}

function failedBefore(
  lease: Lease,
  now: number,
  failure: ReturnType<typeof failureValue>,
  // A missing variable or secret does not appear by itself, so a retry would not help.
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
      // The provider accepted the request and billed it. What it did to the cache is unknown.
      const failure =
        readFailure(thrown) ?? failureValue('unreadable_answer', 'the answer is not in the format of the provider')
      return { outcome: { ...failed, failure, accepted: null }, answer: null }
    }
  }
  const { failure, retryAfterMs, primitiveRefused, permanent } = dialect.readError(sent.status, sent.headers, sent.text)
  const said = { ...failed, failure, retryAfterMs, primitiveRefused, permanent }
  const counted = usageDespite(sent.text)
  if (counted === null) {
    return { outcome: { ...said, accepted: takenDespite(sent.status, sent.headers, sent.text) }, answer: null }
  }
  return { outcome: { ...said, accepted: null, usage: dialect.readUsage(counted) ?? NO_COUNTS }, answer: null }
}

import { Failure, readFailure } from '../contract/failures.ts'
import type { FailureValue } from '../contract/failures.ts'
import type { Asked } from '../core/honoured.ts'
import type { Advice } from '../core/types.ts'
import type { Job, Lease, Settled } from '../durable/records.ts'
import type { Flight } from '../durable/flights.ts'
import { accessRefusal } from '../durable/credential.ts'
import { throughEgress } from '../queue/egress.ts'
import { runLease } from '../queue/run-lease.ts'
import type { StoredBody } from '../queue/run-lease.ts'
import type { Card } from '../providers/types.ts'
import { unpack } from '../runtime/bytes.ts'
import type { Clock } from '../runtime/clock.ts'
import { accessTo } from '../runtime/env.ts'
import { newId } from '../runtime/ids.ts'
import { clockOf, keepAlive, registryOf } from './context.ts'
import type { Call, RegistryStub } from './context.ts'
import { jobJson, ownAdvice, planJson, receiptJson, warmthJson } from './present.ts'
import type { Seen } from './present.ts'

/** How long a caller waits, in this clock, before the answer is a job instead. */
export const FOREGROUND_MS = 60_000
/** Between two questions to a Registry that is coming back from an eviction. */
const ASK_AGAIN_MS = 250

/** How a warm that was asked for ended, as far as this caller saw it. */
export interface Warmth {
  settled: Settled | null
  /** The provider's own answer, where this call was the one that sent it. */
  answer: string | null
  /** What it became when it took too long, or was put into the background. */
  job: Job | null
}

/** Refuses a provider that is not warmed at all, before a plan for it is even shown. */
export function refuseUnwarmed(c: Call, card: Card): void {
  const { refusal } = accessTo(card, c.env)
  if (refusal?.kind === 'unsupported') throw new Failure(refusal.kind, refusal.message, refusal.detail)
}

/** Refuses before anything is stored or spent, in words. */
export async function refuseWithoutCredential(c: Call, card: Card): Promise<void> {
  const settings = await registryOf(c).settings()
  // Its key may still be believed for a moment after it was erased.
  if (settings === null) throw new Failure('unauthenticated', 'The account is gone.')
  const refused = accessRefusal(accessTo(card, c.env), settings.allowedSecrets)
  if (refused !== null) throw new Failure(refused.kind, refused.message, refused.detail)
}

/** Follows a warm to its end: as the one who sends, or as one of those who wait for it. `required` judges what becomes a job. */
export async function follow(
  c: Call,
  view: Seen,
  flight: Flight,
  body: StoredBody | null,
  required: Asked | null = null,
): Promise<Warmth> {
  const registry = registryOf(c)
  const prefix_id = view.record.id
  switch (flight.role) {
    case 'refused':
      throw new Failure(flight.kind, `${flight.why}. The prefix stays registered.`, {
        prefix_id,
        ...(flight.untilAt === undefined
          ? {}
          : { retry_after_seconds: Math.max(1, Math.ceil((flight.untilAt - clockOf(c).now()) / 1_000)) }),
      })
    case 'queued':
      return { settled: null, answer: null, job: flight.job }
    case 'leader': {
      const work = lead(c, registry, flight, body)
      // The call and its settlement go on when this caller hangs up: others wait for them.
      keepAlive(c, work)
      const ended = await Promise.race([
        work,
        clockOf(c)
          .sleep(FOREGROUND_MS)
          .then(() => null),
      ])
      if (ended !== null) return { ...ended, job: null }
      return {
        settled: null,
        answer: null,
        job: await registry.promote(flight.lease.k, newId('job'), flight.lease.seq, required),
      }
    }
    case 'follower': {
      const settled = await wait(c, registry, flight.k, flight.seq)
      if (settled !== null) return { settled, answer: null, job: null }
      return { settled: null, answer: null, job: await registry.promote(flight.k, newId('job'), flight.seq, required) }
    }
  }
}

async function lead(
  c: Call,
  registry: RegistryStub,
  flight: Extract<Flight, { role: 'leader' }>,
  body: StoredBody | null,
): Promise<{ settled: Settled; answer: string | null }> {
  const { k, seq } = flight.lease
  let lease: Lease = flight.lease
  for (;;) {
    const { outcome, answer } = await runLease(lease, {
      clock: clockOf(c),
      vars: c.env,
      allowedSecrets: flight.allowedSecrets,
      credentials: flight.credentials,
      egress: throughEgress(c.env),
      bodyOf: async ({ k: key }) => body ?? storedBody(registry, key),
    })
    const renewed = (await registry.settle(seq, [outcome]))[0]
    if (renewed !== undefined) {
      lease = renewed
      continue
    }
    if (outcome.kind === 'not_sent') {
      return {
        settled: { receipt: null, failure: { kind: 'conflict', message: `Nothing was sent: ${outcome.why}.` } },
        answer,
      }
    }
    const settled = await registry.ended(k, seq, 0)
    return { settled: settled ?? { receipt: null, failure: null }, answer }
  }
}

export async function storedBody(registry: RegistryStub, k: number): Promise<StoredBody | null> {
  const stored = await registry.stored(k)
  return stored === null ? null : { ...stored, text: unpack(stored.bytes) }
}

/** Waits for somebody else's call. */
async function wait(c: Call, registry: RegistryStub, k: number, seq: number): Promise<Settled | null> {
  return asked(clockOf(c), FOREGROUND_MS, (left) => registry.ended(k, seq, left))
}

/**
 * Asks a Registry for something that may take up to `waitMs`; null when it did. One that was evicted meanwhile lost its list of
 * who waits, so it is asked again.
 */
export async function asked<Answer>(
  clock: Clock,
  waitMs: number,
  ask: (leftMs: number) => Promise<Answer>,
): Promise<Answer | null> {
  const until = clock.now() + waitMs
  for (;;) {
    const left = until - clock.now()
    if (left <= 0) return null
    try {
      // One that neither answers nor fails must not hold the caller for longer.
      return await Promise.race([ask(left), clock.sleep(left + 1_000).then(() => null)])
    } catch (thrown) {
      if (readFailure(thrown) !== null) throw thrown
      await clock.sleep(Math.min(ASK_AGAIN_MS * clock.rate, left))
    }
  }
}

/** The receipt of a warm; its failure is thrown, with a word that the prefix stays. */
export function receiptOf(warmth: Warmth, view: Seen): Record<string, unknown> | null {
  const { settled, answer } = warmth
  if (settled === null) return null
  if (settled.failure !== null) throw staysRegistered(settled.failure, view.record.id)
  if (settled.receipt === null) return null
  const receipt = receiptJson(settled.receipt)
  return { ...receipt, provider_response: answer === null ? null : parsed(answer) }
}

function staysRegistered(failure: FailureValue, prefixId: string): Failure {
  return new Failure(failure.kind, `${failure.message.replace(/\.?$/, '.')} The prefix stays registered.`, {
    ...failure.detail,
    prefix_id: prefixId,
  })
}

/** A streamed answer is no JSON, and is left out. */
function parsed(answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    return null
  }
}

/** The answer to a warm. */
export function warmedJson(view: Seen, created: boolean, warmth: Warmth, remarks: readonly Advice[] = []) {
  return {
    id: view.record.id,
    fingerprint: view.record.fingerprint,
    created,
    name: view.record.name,
    version: view.record.version,
    warmth: warmthJson(view.belief),
    receipt: receiptOf(warmth, view),
    plan: planJson(view),
    advice: [...remarks, ...ownAdvice(view)],
    ...(warmth.job === null ? {} : { job: jobJson(warmth.job) }),
  }
}

import { Failure } from '../../contract/failure.ts'
import type { Asked } from '../../core/cache/required.ts'
import type { Job, Settled } from '../../durable/registry/records/claim.ts'
import type { Flight } from '../../durable/registry/records/warmed.ts'
import { throughEgress } from '../../calls/egress.ts'
import { runLease } from '../../calls/probe.ts'
import type { StoredBody } from '../../calls/probe.ts'
import { storedBody } from '../../registration/stored-body.ts'
import type { Vars } from '../../runtime/env.ts'
import { newId } from '../../runtime/ids.ts'
import { heldByKillSwitch } from '../../runtime/kill-switch.ts'
import { clockOf, keepAlive, registryOf, tracerOf } from '../server/context.ts'
import type { Call, RegistryStub } from '../server/context.ts'
import type { ReceivedView } from '../present/prefix.ts'
import type { Lease } from '../../calls/lease.ts'
import { FOREGROUND_MS, longPoll } from '../server/long-poll.ts'

/** How a warm ended for one caller. */
export interface WarmResult {
  settled: Settled | null
  /** The provider's own answer; null for callers who shared somebody else's call. */
  answer: string | null
  /** The job that the warm became, in the background or after `FOREGROUND_MS`. */
  job: Job | null
}

/** A warm that a Registry has begun, shared, queued or refused. */
export interface BegunWarm {
  view: ReceivedView
  flight: Flight
}

/**
 * Follows a warm to its end: as the one who sends it, or as one who waits for it. `stored`: the body to send, where the caller has
 * it. `required`: what a job is judged by. Throws the refusal of the Registry.
 */
export async function follow(
  c: Call,
  { view, flight }: BegunWarm,
  stored: StoredBody | null,
  required: Asked | null,
): Promise<WarmResult> {
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
      return flight.waits === true ? untilEnded(c, flight.job) : { settled: null, answer: null, job: flight.job }
    case 'leader': {
      const work = lead(c, flight, stored)
      // Others wait for the call: it is made and settled even if this caller hangs up.
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
        job: await registryOf(c).promote(flight.lease.k, newId('job'), flight.lease.seq, required),
      }
    }
    case 'follower': {
      const settled = await longPoll(c, FOREGROUND_MS, (registry, left) => registry.ended(flight.k, flight.seq, left))
      if (settled !== null) return { settled, answer: null, job: null }
      return {
        settled: null,
        answer: null,
        job: await registryOf(c).promote(flight.k, newId('job'), flight.seq, required),
      }
    }
  }
}

/** Waits for a job as long as for a call of one's own; afterwards the job is the result. */
async function untilEnded(c: Call, queued: Job): Promise<WarmResult> {
  const clock = clockOf(c)
  const until = clock.now() + FOREGROUND_MS
  let job = queued
  while (job.finishedAt === null && clock.now() < until) {
    const { id, status } = job
    job = (await longPoll(c, until - clock.now(), (registry, left) => registry.jobChanged(id, status, left))) ?? job
  }
  if (job.finishedAt === null) return { settled: null, answer: null, job }
  return { settled: { receipt: job.receipt, failure: job.failure }, answer: null, job: null }
}

async function lead(
  c: Call,
  flight: Extract<Flight, { role: 'leader' }>,
  stored: StoredBody | null,
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
      held: () => heldByKillSwitch(c.env, clockOf(c)),
      tracer: tracerOf(c),
      bodyOf: async ({ k: key }) => stored ?? bodyOf(registryOf(c), key, c.env),
    })
    // A new stub: the Registry may have restarted during the call, which breaks older ones.
    const renewed = (await registryOf(c).settle(seq, [outcome]))[0]
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
    const settled = await registryOf(c).ended(k, seq, 0)
    return { settled: settled ?? { receipt: null, failure: null }, answer }
  }
}

async function bodyOf(registry: RegistryStub, k: number, vars: Vars): Promise<StoredBody | null> {
  const prefix = await registry.stored(k)
  return prefix === null ? null : storedBody(prefix, vars)
}

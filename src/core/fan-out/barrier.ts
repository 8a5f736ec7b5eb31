import { isWarm, warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'

/**
 * A barrier before a fan-out of real requests. The first caller is the leader: its own request writes the prefix. The others wait
 * until the entry can be read. A leader that does not report in time is replaced.
 */
export interface Barrier {
  /** The leader: id of its lease, start, and the time after which it is replaced (epoch ms); null: none. */
  leader: { lease: string; sinceAt: number; untilAt: number } | null
  /** Until when the entry is readable by a leader's report (epoch ms); null: no report. */
  readableUntil: number | null
}

export const NO_BARRIER: Barrier = { leader: null, readableUntil: null }

/** Time for which an entry of unknown retention counts as readable. */
export const UNKNOWN_RETENTION_MS = 60_000

/** What a caller has to do. `until` of `ready`: end of the entry, null where it is not cached. */
export type BarrierStep =
  | { do: 'ready'; until: number | null; why: string }
  | { do: 'lead'; why: string }
  | { do: 'wait'; until: number | null; why: string }

/** The step for a caller at `now`. `until` of `wait`: when to ask again without a report; null: a call in flight will end it. */
export function barrierStep(barrier: Barrier, state: PrefixState, inFlight: boolean, now: number): BarrierStep {
  if (isWarm(state, now))
    return { do: 'ready', until: warmUntil(state), why: 'receipts and real requests show that it is warm' }
  const { leader, readableUntil } = barrier
  if (readableUntil !== null && now < readableUntil) {
    return { do: 'ready', until: readableUntil, why: 'its leader reported that its answer has begun' }
  }
  if (state.verdict === 'uncacheable') {
    return { do: 'ready', until: null, why: 'this provider does not cache it, so waiting is useless' }
  }
  if (leader !== null && now < leader.untilAt)
    return { do: 'wait', until: leader.untilAt, why: 'a leader is writing it' }
  if (inFlight) return { do: 'wait', until: null, why: 'a call that warms it is in flight' }
  return {
    do: 'lead',
    why: leader === null ? 'it is not warm, and no caller is writing it' : 'its leader did not report in time',
  }
}

/** The barrier once the caller with this lease leads. */
export function withLeader(lease: string, now: number, leadMs: number): Barrier {
  return { leader: { lease, sinceAt: now, untilAt: now + leadMs }, readableUntil: null }
}

/** The barrier after a leader's report; null: the lease does not lead any more. */
export function afterReport(
  barrier: Barrier,
  state: PrefixState,
  lease: string,
  outcome: 'readable' | 'failed',
): Barrier | null {
  const { leader } = barrier
  if (leader === null || leader.lease !== lease) return null
  if (outcome === 'failed') return NO_BARRIER
  // From the start of its lead, because its request did not begin earlier.
  return { leader: null, readableUntil: leader.sinceAt + (state.retention?.ttlMs ?? UNKNOWN_RETENTION_MS) }
}

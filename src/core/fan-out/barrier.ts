import { isWarm, warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'

/**
 * A barrier before a fan-out of real requests: the first caller leads and writes the prefix with its own request, the others
 * wait until it can be read, or until they cannot wait any longer. A leader who does not come back is replaced.
 */
export interface Barrier {
  /** Who leads: the name of the lease, since when, and until when it is believed alive; null: nobody. */
  leader: { lease: string; sinceAt: number; untilAt: number } | null
  /** Until when a leader's word holds that the entry can be read; null: nobody gave it. */
  readableUntil: number | null
}

export const NO_BARRIER: Barrier = { leader: null, readableUntil: null }

/** How long an entry is taken for readable where its retention is not known. */
const UNKNOWN_RETENTION_MS = 60_000

export type BarrierStep =
  | { do: 'ready'; until: number | null; why: string }
  | { do: 'lead'; why: string }
  | { do: 'wait'; until: number | null; why: string }

/** What a caller is told now. `until` of a wait: when to look again if nobody says anything. */
export function barrierStep(barrier: Barrier, state: PrefixState, inFlight: boolean, now: number): BarrierStep {
  if (isWarm(state, now))
    return { do: 'ready', until: warmUntil(state), why: 'receipts and real requests show that it is warm' }
  const { leader, readableUntil } = barrier
  if (readableUntil !== null && now < readableUntil) {
    return { do: 'ready', until: readableUntil, why: 'its leader says that its answer has begun' }
  }
  if (state.verdict === 'uncacheable') {
    return { do: 'ready', until: null, why: 'this provider does not cache it: there is nothing to wait for' }
  }
  if (leader !== null && now < leader.untilAt)
    return { do: 'wait', until: leader.untilAt, why: 'a leader is writing it' }
  if (inFlight) return { do: 'wait', until: null, why: 'a warm of it is under way' }
  return {
    do: 'lead',
    why: leader === null ? 'it is not warm, and nobody writes it' : 'its leader did not come back in time',
  }
}

export function led(lease: string, now: number, leadMs: number): Barrier {
  return { leader: { lease, sinceAt: now, untilAt: now + leadMs }, readableUntil: null }
}

/** What a leader's word changes; null where it leads no more. */
export function reported(
  barrier: Barrier,
  state: PrefixState,
  lease: string,
  outcome: 'readable' | 'failed',
): Barrier | null {
  const { leader } = barrier
  if (leader === null || leader.lease !== lease) return null
  if (outcome === 'failed') return NO_BARRIER
  // Counted from when it began to lead: its request began no earlier.
  return { leader: null, readableUntil: leader.sinceAt + (state.retention?.ttlMs ?? UNKNOWN_RETENTION_MS) }
}

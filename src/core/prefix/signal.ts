import type { PrefixState, Transition } from './state.ts'
import type { Signal } from './parts.ts'
import { stopReasonIs } from './stop-reasons.ts'
import { DAY_MS, HOUR_MS } from '../time/time.ts'

/** How long `pending` lasts where the caller gives no end: longer than most tools and builds run. */
export const PENDING_MS = HOUR_MS
/** The longest `pending` that a caller may ask for: a signal is about work that is running, not about a habit. */
export const MOST_PENDING_MS = DAY_MS

/** The signal in force at `now`; null when there is none, or when it has expired. */
export function signalAt(state: PrefixState, now: number): Signal | null {
  const { signal = null } = state
  return signal !== null && signal.kind === 'pending' && signal.untilAt <= now ? null : signal
}

/** Latest end of the work that is pending at `now`; null when none is pending. */
export function pendingUntil(state: PrefixState, now: number): number | null {
  const signal = signalAt(state, now)
  return signal?.kind === 'pending' ? signal.untilAt : null
}

/** Stores a signal in place of the one before. The same signal again adds no row. */
export function applySignal(before: PrefixState, signal: Signal): Transition {
  const ends =
    signal.kind === 'pending' && before.stopped !== null && stopReasonIs(before.stopped.reason, 'endedByPending')
  const state: PrefixState = {
    ...before,
    signal,
    generation: before.generation + 1,
    stopped: ends ? null : before.stopped,
  }
  if (signal.kind === 'end') {
    if (signalAt(before, signal.at)?.kind === 'end') return { state: before, rows: [] }
    const why = 'a caller reported that the session is over'
    return { state, rows: [{ at: signal.at, type: 'decision', decision: 'signal:end', why }] }
  }
  if (pendingUntil(before, signal.at) === signal.untilAt) return { state, rows: [] }
  const why = `a caller reported pending work, until ${new Date(signal.untilAt).toISOString()} at the latest`
  return { state, rows: [{ at: signal.at, type: 'decision', decision: 'signal:pending', why }] }
}

/** The signal that is left after a real request sent at `at`, which ends every signal given before it. */
export function signalAfter(state: PrefixState, at: number): Signal | null {
  const { signal = null } = state
  return signal !== null && signal.at > at ? signal : null
}

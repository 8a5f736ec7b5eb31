import type { PrefixState, Transition } from './state.ts'
import type { Signal } from './parts.ts'
import { stopReasonIs } from './stop-reasons.ts'
import { DAY_MS, HOUR_MS } from '../time/time.ts'
/** How long `pending` holds where the caller gave no end: the longest of a tool's or a build's usual runs. */
export const PENDING_MS = HOUR_MS
/** The furthest end that may be given: a signal is about work that runs, not about a habit. */
export const MOST_PENDING_MS = DAY_MS

/** The signal in force at `now`; null when none was given, or when it has passed. */
export function signalAt(state: PrefixState, now: number): Signal | null {
  const { signal = null } = state
  return signal !== null && signal.kind === 'pending' && signal.untilAt <= now ? null : signal
}

/** Up to when work is pending at `now`; null when none is. */
export function pendingUntil(state: PrefixState, now: number): number | null {
  const signal = signalAt(state, now)
  return signal?.kind === 'pending' ? signal.untilAt : null
}

/** Somebody gave a signal: the newest one counts. The same word again adds no row. */
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
    const why = 'the caller said that the session is over'
    return { state, rows: [{ at: signal.at, type: 'decision', decision: 'signal:end', why }] }
  }
  if (pendingUntil(before, signal.at) === signal.untilAt) return { state, rows: [] }
  const why = `the caller said that work is running that will come back, until ${new Date(signal.untilAt).toISOString()} at the latest`
  return { state, rows: [{ at: signal.at, type: 'decision', decision: 'signal:pending', why }] }
}

/** A request that was sent at `at` answers every signal given before it. One that is older, and only reported late, does not. */
export function signalAfter(state: PrefixState, at: number): Signal | null {
  const { signal = null } = state
  return signal !== null && signal.at > at ? signal : null
}

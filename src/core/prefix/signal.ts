import type { PrefixState, Transition } from './state.ts'
import type { Signal } from './parts.ts'
import { stopReasonIs } from './stop-reasons.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** How long `pending` lasts where the caller gives no end: longer than most tools and builds run. */
export const PENDING_MS = HOUR_MS
/** The longest `pending` that a caller may ask for: a signal is about work that is running, not about a habit. */
export const MOST_PENDING_MS = DAY_MS

/**
 * How long an agent waits after a call of its child has ended. The child's tools run between its calls; one that is silent for longer than the
 * shortest retention would have to write its own prompt again.
 */
export const WAITING_MS = 5 * MINUTE_MS

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

/**
 * A child agent called for one that uses this prefix, which waits for it: `pending` holds until `WAITING_MS` after the call. Nothing changes where the
 * parent has called since, where the caller ended the session, or where pending work lasts as long. No work of children outlasts `MOST_PENDING_MS`.
 */
export function applyChildCall(
  before: PrefixState,
  { startedAt, endedAt }: { startedAt: number; endedAt: number },
  now: number,
): Transition {
  const same = { state: before, rows: [] }
  const { lastArrivalAt } = before
  const untilAt = Math.min(endedAt + WAITING_MS, (lastArrivalAt ?? startedAt) + MOST_PENDING_MS)
  if (startedAt < (lastArrivalAt ?? 0) || untilAt <= now || signalAt(before, now)?.kind === 'end') return same
  const pendingTo = pendingUntil(before, now)
  if (pendingTo !== null && pendingTo >= untilAt) return same
  const after = applySignal(before, { kind: 'pending', at: startedAt, untilAt, child: true })
  if (pendingTo !== null) return { state: after.state, rows: [] }
  const why =
    'an agent that uses it waits for a child agent, which has called; pending for 5 minutes after each of its calls'
  return { state: after.state, rows: [{ at: now, type: 'decision', decision: 'signal:pending', why }] }
}

/** Why work is pending, for the words of a decision. */
export function pendingWhy({ signal = null }: PrefixState): string {
  return signal?.kind === 'pending' && signal.child === true
    ? 'an agent that uses it waits for a child agent'
    : 'a caller reported pending work'
}

/** The signal that is left after a real request sent at `at`, which ends every signal given before it. */
export function signalAfter(state: PrefixState, at: number): Signal | null {
  const { signal = null } = state
  return signal !== null && signal.at > at ? signal : null
}

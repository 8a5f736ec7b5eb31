/**
 * What an always-on object does next. It lives for as long as somebody talks to it: there is no limit on its run, only an
 * idle time-out, a soft budget that is looked at between events, and an end that somebody asks for.
 */

export type LiveEnd = 'idle_timeout' | 'cost_budget_exceeded' | 'shutdown'

export interface LiveLimits {
  /** Without an event for so long it ends; null: never. */
  idleTimeoutMs: number | null
  /** Soft: the event in which it is passed is still finished. null: no budget. */
  costBudgetNanos: number | null
  /** Rows of history kept; the oldest go first. */
  maxHistory: number
  /** Events that may wait; one more is refused. */
  maxMailbox: number
}

export const LIVE_LIMITS: LiveLimits = {
  idleTimeoutMs: null,
  costBudgetNanos: null,
  maxHistory: 1_000,
  maxMailbox: 1_000,
}

/** An event is handed to its handler so often before it is set aside. */
export const MAX_ATTEMPTS = 5

/** What is known between two events. */
export interface LifecycleState {
  limits: LiveLimits
  spentNanos: number
  /** When the last event came in or was finished, or, before the first, when it was started. */
  activeAt: number
  /** Since when it is parked: nothing is handled, and nothing ends by itself. Absent: it is not. */
  pausedAt?: number
  /** What a handler waits to be told by somebody; parked as well until then. `answerType` is the type of event that the answer becomes. */
  asked?: { question: string; answerType: string; at: number }
  ended: { reason: LiveEnd; why: string; at: number } | null
}

export type LiveStep =
  | { do: 'handle' }
  | { do: 'end'; reason: LiveEnd; why: string }
  | { do: 'wait'; until: number }
  /** Nothing is due, ever: only an event can change that. */
  | { do: 'rest' }

/** `headAt` is when the oldest waiting event may run; null when none waits. The budget is looked at before the mailbox. */
export function nextStep(sight: LifecycleState, headAt: number | null, now: number): LiveStep {
  const { limits, spentNanos, activeAt, pausedAt, asked, ended } = sight
  if (ended !== null || pausedAt !== undefined || asked !== undefined) return { do: 'rest' }
  if (limits.costBudgetNanos !== null && spentNanos >= limits.costBudgetNanos) {
    const why = `it has spent ${usd(spentNanos)} of its budget of ${usd(limits.costBudgetNanos)} USD`
    return { do: 'end', reason: 'cost_budget_exceeded', why }
  }
  if (headAt !== null) return headAt <= now ? { do: 'handle' } : { do: 'wait', until: headAt }
  if (limits.idleTimeoutMs === null) return { do: 'rest' }
  const idleAt = activeAt + limits.idleTimeoutMs
  if (now < idleAt) return { do: 'wait', until: idleAt }
  return { do: 'end', reason: 'idle_timeout', why: `no event came for ${limits.idleTimeoutMs / 1000} s` }
}

/** How long an event waits after its `attempts`-th failure: two seconds, doubled each time, a minute at the most. */
export function retryDelayMs(attempts: number): number {
  return Math.min(60_000, 1_000 * 2 ** attempts)
}

function usd(nanos: number): string {
  return String(nanos / 1e9)
}

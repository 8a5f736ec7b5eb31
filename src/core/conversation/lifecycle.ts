/**
 * Decides the next step of a live object. It has no limit on its run time. It ends by an idle time-out, by a budget that is checked
 * between events, or by request.
 */

export type LiveEnd = 'idle_timeout' | 'cost_budget_exceeded' | 'shutdown'

export interface LiveLimits {
  /** Time without an event after which the object ends; null: never. */
  idleTimeoutMs: number | null
  /** Soft limit: the event that exceeds it is still finished. Null: no budget. */
  costBudgetNanos: number | null
  /** History rows kept; the oldest are dropped first. */
  maxHistory: number
  /** Events that may wait; further ones are refused. */
  maxMailbox: number
}

export const LIVE_LIMITS: LiveLimits = {
  idleTimeoutMs: null,
  costBudgetNanos: null,
  maxHistory: 1_000,
  maxMailbox: 1_000,
}

/** Attempts to handle an event before it is set aside. */
export const MAX_ATTEMPTS = 5

/** State between two events. */
export interface LifecycleState {
  limits: LiveLimits
  spentNanos: number
  /** When the last event arrived or was finished; before the first event, when the object was started. */
  activeAt: number
  /** Since when the object is paused: it handles no event and does not end by itself. Absent: not paused. */
  pausedAt?: number
  /** Question of a handler. The object is paused until the answer, which arrives as an event of type `answerType`. */
  asked?: { question: string; answerType: string; at: number }
  ended: { reason: LiveEnd; why: string; at: number } | null
}

export type LiveStep =
  | { do: 'handle' }
  | { do: 'end'; reason: LiveEnd; why: string }
  | { do: 'wait'; until: number }
  /** No time is due. Only an event changes that. */
  | { do: 'rest' }

/** The next step at `now`. `headAt`: when the oldest waiting event may run; null: none waits. The budget comes before the mailbox. */
export function nextStep(state: LifecycleState, headAt: number | null, now: number): LiveStep {
  const { limits, spentNanos, activeAt, pausedAt, asked, ended } = state
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

/** Wait of an event after its `attempts`-th failure: 2 s, doubled each time, at most 60 s. */
export function retryDelayMs(attempts: number): number {
  return Math.min(60_000, 1_000 * 2 ** attempts)
}

function usd(nanos: number): string {
  return String(nanos / 1e9)
}

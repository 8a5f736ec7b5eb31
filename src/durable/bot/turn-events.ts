import { FAILURES } from '../../contract/failure.ts'
import type { Unmet } from '../../core/conversation/asked-breakpoints.ts'
import { usd } from '../../core/model/price.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { Turn } from '../live/definition.ts'
import type { CallOutcome } from './call-outcome.ts'
import type { BotShell } from './model-call.ts'
import type { ModelCall } from './tables/calls.ts'

/** Events that end a turn, for the listeners of a bot. */

/** A call that was or may have been billed. */
export type Paid = Exclude<CallOutcome, { kind: 'refused' }>

export function paidOf(calls: readonly ModelCall[]): Paid[] {
  return calls.flatMap(({ outcome }) => (outcome === null || outcome.kind === 'refused' ? [] : [outcome]))
}

/**
 * What the account's ledger charges for calls of a turn, in nano-dollars: their known cost, else the worst case that was reserved for them. A
 * call without an end counts too. A call without a price has no worst case, and counts as nothing.
 */
export function chargedNanos(calls: readonly ModelCall[]): number[] {
  return calls.flatMap(({ outcome, worstNanos }) => {
    if (outcome?.kind === 'refused') return []
    const charged = outcome?.nanos ?? worstNanos
    return charged === null ? [] : [charged]
  })
}

/** Cost of calls in nano-dollars; null: that of one is unknown. */
export function costNanos(paid: readonly Paid[]): number | null {
  return total(paid.map((call) => call.nanos ?? null))
}

interface AnsweredTurn {
  text: string
  complete: boolean
  finished: boolean
  unmet: readonly Unmet[]
}

export function messageEvent(
  turn: string,
  { text, complete, finished, unmet }: AnsweredTurn,
  paid: readonly Paid[],
  at: number,
): Record<string, unknown> {
  const sum = (of: (usage: Usage) => number | null): number | null => {
    return total(paid.map(({ usage }) => (usage === undefined ? null : of(usage))))
  }
  return {
    type: 'message',
    turn_id: turn,
    at: new Date(at).toISOString(),
    text,
    complete,
    finished,
    calls: paid.length,
    usage: {
      input_tokens: sum((usage) => usage.inputTokens),
      cached_input_tokens: sum((usage) => usage.cacheReadTokens),
      cache_write_input_tokens: sum((usage) => usage.cacheWriteTokens),
      output_tokens: sum((usage) => usage.outputTokens),
    },
    cost_usd: costUsd(paid),
    ...(unmet.length === 0
      ? {}
      : {
          advice: unmet.map(({ cause, at: field, why, instead }) => ({
            cause,
            message: `${why} ${instead}`,
            at: field,
          })),
        }),
  }
}

export function failedEvent(
  turn: string,
  outcome: Exclude<CallOutcome, { kind: 'answered' }>,
  paid: readonly Paid[],
  at: number,
): Record<string, unknown> {
  const { kind, message, detail } = outcome.failure
  const own = outcome.kind === 'refused' ? false : outcome.billed
  const shown = kind === 'cache_not_honoured' && detail !== undefined ? { detail } : {}
  return {
    type: 'failed',
    turn_id: turn,
    at: new Date(at).toISOString(),
    failure: { kind, message, retryable: FAILURES[kind].retryable, ...shown },
    // Earlier calls of the turn were billed, whatever the outcome of its last.
    billed: own === false && paid.some(({ kind: how }) => how === 'answered') ? true : own,
    cost_usd: costUsd(paid),
  }
}

/** Ends a turn that was cut off in each attempt: counts the cost of its calls, and publishes the failure. */
export function giveUpTurn({ calls, clock, publish }: BotShell, { id, attempt, spend }: Omit<Turn, 'ask'>): void {
  const made = calls.ofTurn(id)
  const paid = paidOf(made)
  for (const nanos of chargedNanos(made)) spend(nanos)
  const message = `The turn was interrupted ${attempt} times and was given up.`
  publish({
    type: 'failed',
    turn_id: id,
    at: new Date(clock.now()).toISOString(),
    failure: { kind: 'internal', message, retryable: FAILURES.internal.retryable },
    billed: made.some(({ outcome }) => outcome === null) ? null : paid.length > 0,
    cost_usd: costUsd(paid),
  })
}

/** Sum; null: a part is unknown. */
function total(parts: readonly (number | null)[]): number | null {
  return parts.reduce<number | null>((sum, part) => (sum === null || part === null ? null : sum + part), 0)
}

function costUsd(paid: readonly Paid[]): number | null {
  const nanos = costNanos(paid)
  return nanos === null ? null : usd(nanos)
}

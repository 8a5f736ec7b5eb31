import { failureValue } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { costOf } from '../../core/model/price.ts'
import { believable } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import { readEvents } from '../../providers/dialects/shared/answer.ts'
import { fields, mergedUsage } from '../../providers/dialects/shared/usage.ts'
import type { Fields } from '../../providers/dialects/shared/usage.ts'
import { dialectOf } from '../../providers/registry.ts'
import type { Card } from '../../providers/card.ts'
import type { CallOutcome } from './call-outcome.ts'
import type { ModelCall } from './tables/calls.ts'
import type { Turn } from '../live/definition.ts'

/** How a call that was given up is charged. */
export type Charged = 'nothing' | 'usage' | 'input_and_longest_output' | 'worst_case'

/** Result of a cancellation. `cancelled` false: the turn had its end before. */
export interface Cancellation {
  turn: string
  cancelled: boolean
  billed: boolean | null
  nanos: number | null
  charged: Charged
}

/** A turn in its handler. */
export interface RunningTurn {
  id: string
  controller: AbortController
  /** Resolves when the handler has ended, in whichever way. True: with an answer. */
  answered: Promise<boolean>
}

/** Outcome of a call that was given up before it was sent. */
export const NEVER_SENT: CallOutcome = {
  kind: 'refused',
  failure: failureValue('cancelled', 'The turn was cancelled before its call was sent, so the call costs nothing.'),
}

/**
 * Outcome of a call that was given up while the provider answered. What it costs is not known: the provider may go on, and bills what it
 * has generated. If the beginning of the answer states the input, that is charged, with the longest output; else the worst case.
 */
export function cancelledCall(
  card: Card,
  called: { facts: ModelFacts; maxOutputTokens: number; retention: string },
  beginning: string,
): CallOutcome {
  const { price, contextTokens } = called.facts
  const usage = usageSoFar(card, beginning, contextTokens)
  const longest = usage === null ? null : { ...usage, outputTokens: called.maxOutputTokens }
  const nanos = longest === null ? null : costOf(longest, price, called.retention)
  const how =
    nanos === null
      ? 'is charged at its worst case'
      : 'is charged for the input that the provider stated and for the longest answer'
  const failure = failureValue('cancelled', `The turn was cancelled. Its call may be billed, and ${how}.`)
  return { kind: 'failed', failure, billed: null, ...(usage === null ? {} : { usage }), nanos }
}

/** Usage that the beginning of a stream states; null: not even its input. */
function usageSoFar(card: Card, beginning: string, contextTokens: number | undefined): Usage | null {
  // The last event may be cut off.
  const whole = beginning.slice(0, Math.max(beginning.lastIndexOf('\n\n'), beginning.lastIndexOf('\r\n\r\n')) + 1)
  if (whole.trim() === '') return null
  let stated: Usage | null
  try {
    stated = dialectOf(card).readUsage(mergedUsage(readEvents(whole, 'text/event-stream').events.map(usageOf)))
  } catch {
    return null // it is no stream of events
  }
  const usage = stated === null ? null : believable(stated, contextTokens)
  // How much was generated until the provider noticed is not known.
  return usage === null || usage.inputTokens === null ? null : { ...usage, outputTokens: null, reasoningTokens: null }
}

/** The usage object of one event of a stream, wherever its format puts it. */
function usageOf(event: Fields): Fields | null {
  const inside = fields(event['message']) ?? fields(event['response']) ?? event
  return fields(inside['usage'] ?? inside['usageMetadata'])
}

/** What a cancelled turn's last call came to. `wasAnswered`: the turn had its answer before. */
export function cancellationOf(turn: string, calls: readonly ModelCall[], wasAnswered: boolean): Cancellation {
  const outcome = calls.at(-1)?.outcome ?? null
  const none = { turn, cancelled: true, billed: false, nanos: 0, charged: 'nothing' } as const
  if (outcome === null) return none
  if (outcome.kind === 'answered') {
    const { nanos } = outcome
    return { turn, cancelled: !wasAnswered, billed: true, nanos, charged: nanos === null ? 'worst_case' : 'usage' }
  }
  if (outcome.kind === 'refused') return none
  const { billed, nanos = null, failure } = outcome
  const known = failure.kind === 'cancelled' ? 'input_and_longest_output' : 'usage'
  return { turn, cancelled: !wasAnswered, billed, nanos, charged: nanos === null ? 'worst_case' : known }
}

/** Picks the turn to cancel: the given one if it waits or runs, else the one in its handler or between two tries. Null: there is none. */
export function turnToCancel(
  waiting: readonly { id: string; type: string; attempts: number }[],
  wanted: string | undefined,
): Turn['id'] | null {
  const turns = waiting.filter(({ type }) => type === 'message')
  const found =
    wanted === undefined
      ? waiting.slice(0, 1).find(({ type, attempts }) => type === 'message' && attempts > 0)
      : turns.find(({ id }) => id === wanted)
  return found?.id ?? null
}

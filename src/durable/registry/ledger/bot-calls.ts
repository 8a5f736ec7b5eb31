import { dollars } from '../../../core/model/price.ts'
import type { BotCallRow } from '../records/ledger.ts'
import type { OpenBotCall } from '../tables/bot-calls.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { dayOf, MINUTE_MS } from '../../../core/time/time.ts'
import { EMPTY_DAY } from '../records/day.ts'
import { callOf } from '../records/bot-call.ts'

/** A call that a bot is about to make. */
export interface BotCallBegun {
  bot: string
  /** Id of the call, unique within the bot. */
  call: string
  /** Most that the call may cost, in nano-dollars; null: no price is known. */
  worstNanos: number | null
}

/** End of a bot's call. `costNanos` null: its usage or its price is unknown. */
export interface BotCallEnded {
  bot: string
  call: string
  outcome: 'answered' | 'refused' | 'failed' | 'unknown'
  costNanos: number | null
  why: string
  /** When it was sent. Absent in reports of an older version: when it was begun. */
  sentAt?: number
}

/** Longer than any call takes. A call without an end by then was cut off. */
const GIVEN_UP_MS = 10 * MINUTE_MS

/**
 * Calls of bots in the ledger of their account. The worst case of a call is reserved in today's budget before it is sent. A call
 * without a reported end is charged at its worst case, as a keep-alive is.
 */
export class BotCallLedger {
  readonly #store: RegistryStore

  constructor(store: RegistryStore) {
    this.#store = store
  }

  /** Reserves the worst case of a call. Returns null, or the reason why the budget forbids the call. */
  begin({ bot, call, worstNanos }: BotCallBegun, budgetNanos: number | null, now: number): string | null {
    return this.#store.transaction(() => {
      this.giveUp(now)
      const id = idOf(bot, call)
      const ownNanos = this.#store.botCalls.openOne(id)?.worstNanos ?? 0 // reserved by an earlier attempt, which this one replaces
      const left =
        budgetNanos === null ? null : budgetNanos - this.#store.spentNanos(now) - this.#store.reservedNanos() + ownNanos
      if (left !== null && worstNanos === null) {
        return "no price is known for this model, so a call cannot be checked against the account's budget"
      }
      if (left !== null && worstNanos !== null && worstNanos > left) {
        return `the worst case of the call (${dollars(worstNanos)}) does not fit into what the account may still spend today (${dollars(Math.max(0, left))})`
      }
      this.#store.botCalls.open({ id, bot, worstNanos, expiresAt: now + GIVEN_UP_MS }, now)
      return null
    })
  }

  /** Books the end of a call. False: there is no such call, or its end was booked already. */
  end({ bot, call, outcome, costNanos, why, sentAt }: BotCallEnded): boolean {
    return this.#store.transaction(() => {
      const open = this.#store.botCalls.openOne(idOf(bot, call))
      if (open === null) return false
      const known = outcome === 'refused' ? 0 : costNanos
      this.#close(
        open,
        outcome,
        known ?? open.worstNanos,
        known === null ? `${why}; charged at its worst case` : why,
        sentAt ?? open.at,
      )
      return true
    })
  }

  /** Charges expired calls without an end at their worst case. */
  giveUp(now: number): void {
    for (const open of this.#store.botCalls.expired(now)) {
      this.#close(open, 'unknown', open.worstNanos, 'its outcome is unknown; charged at its worst case', open.at)
    }
  }

  #close(open: OpenBotCall, outcome: BotCallRow['outcome'], costNanos: number | null, why: string, at: number): void {
    const { turn, purpose } = callOf(open.id.slice(open.bot.length + 1))
    this.#store.botCalls.close(open.id, { at, bot: open.bot, turn, purpose, outcome, costNanos, why })
    // It was reserved in the budget of the day on which it was sent, so it belongs there, however long it took.
    const day = dayOf(at)
    const totals = this.#store.days.load(day) ?? EMPTY_DAY
    this.#store.days.save(day, {
      ...totals,
      botCalls: totals.botCalls + 1,
      botCostNanos: totals.botCostNanos + (costNanos ?? 0),
      botUnpricedCalls: totals.botUnpricedCalls + (costNanos === null ? 1 : 0),
    })
  }
}

function idOf(bot: string, call: string): string {
  return `${bot}/${call}`
}

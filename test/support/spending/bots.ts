import { BotCallLedger } from '../../../src/durable/registry/ledger/bot-calls.ts'
import type { TestAccount } from '../account.ts'
import type { Bills } from './bills.ts'
import { pick } from './terms.ts'

const BOT_WORST = [2_000_000, 40_000_000, 90_000_000]

/** The calls of one bot. */
export class SpendingBot {
  sent = 0
  readonly #account: TestAccount
  readonly #bills: Bills
  readonly #budget: number | null
  /** Calls that may be sent, and those that were sent. A call is sent once, and begun again only if it was not. */
  readonly #allowed: string[] = []
  readonly #open: { call: string; nanos: number; sentAt: number }[] = []
  readonly #worst = new Map<string, number>()
  #calls = 0

  constructor(account: TestAccount, bills: Bills, budget: number | null) {
    this.#account = account
    this.#bills = bills
    this.#budget = budget
  }

  get #ledger(): BotCallLedger {
    return new BotCallLedger(this.#account.store)
  }

  begin(which: number, how: number, now: number): void {
    // Sometimes a call that was cut off before it was sent.
    const again = how < 0.2 ? pick(this.#allowed, which, 0) : undefined
    const call = again ?? `evt_${(this.#calls += 1)}`
    const worstNanos = BOT_WORST[Math.floor(which * BOT_WORST.length)] as number
    const why = this.#ledger.begin({ bot: 'bot_1', call, worstNanos }, this.#budget, now)
    const at = this.#allowed.indexOf(call)
    if (at >= 0) this.#allowed.splice(at, 1)
    if (why !== null) return
    this.#allowed.push(call)
    this.#worst.set(call, worstNanos)
  }

  send(which: number, how: number, now: number): void {
    const call = pick(this.#allowed, which, how)
    if (call === undefined) return
    this.#allowed.splice(this.#allowed.indexOf(call), 1)
    // An expired call is not sent: a turn ends long before its call is given up.
    if (this.#account.store.botCalls.openOne(`bot_1/${call}`) === null) return
    const nanos = Math.ceil((this.#worst.get(call) ?? 0) * (how < 0.5 ? 1 : how))
    this.#bills.add('bots', nanos, now)
    this.sent += 1
    this.#open.push({ call, nanos, sentAt: now })
  }

  end(which: number, how: number): void {
    const one = pick(this.#open, which, how)
    if (one === undefined) return
    const lost = how > 0.7
    const outcome = lost ? ('unknown' as const) : ('answered' as const)
    const { call, nanos, sentAt } = one
    this.#ledger.end({ bot: 'bot_1', call, outcome, costNanos: lost ? null : nanos, why: 'x', sentAt })
  }

  giveUp(now: number): void {
    this.#ledger.giveUp(now)
  }
}

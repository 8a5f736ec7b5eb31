/** Bots that converse in the storm. Each message has a mark of its own, and is sent again under its key until the product took it. */
import { PLACES, SENTENCE, WIRES } from '../bodies.ts'
import type { BotAtRest, Message } from './judge.ts'
import type { Booking } from '../reconcile.ts'
import type { Account, StormWorld } from '../world.ts'

/** No bot's history is longer, so that each message has a row in it. */
const HISTORY_ROWS = 10_000
/** What a bot may send of its conversation; it bounds what a message costs. */
const HISTORY_TOKENS = 4_096
const SENTENCES = 60
/** Share of messages that a client sends once more, although they were taken. */
const SENT_TWICE = 0.1

interface Bot {
  account: Account
  id: string
  mark: string
  messages: number
}

export class BotTraffic {
  /** All messages that were sent; one without a turn was not taken. */
  readonly messages: Message[] = []
  readonly bots: Bot[] = []
  readonly #world: StormWorld
  readonly #roll: () => number
  #next = 0

  constructor(world: StormWorld, roll: () => number) {
    this.#world = world
    this.#roll = roll
  }

  async create(accounts: readonly Account[], count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const account = accounts[n % accounts.length]
      const wire = WIRES[n % WIRES.length]
      if (account === undefined || wire === undefined) return
      const { provider, model } = PLACES[wire]
      const mark = `storm-bot-${String(n).padStart(4, '0')}`
      const { status, body } = await this.#world.client(account.key)<{ id: string }>('POST', '/bots', {
        provider,
        model,
        system_prompt: `${mark} ${SENTENCE.repeat(SENTENCES)}`,
        history_tokens: HISTORY_TOKENS,
        max_output_tokens: 64,
        max_history: HISTORY_ROWS,
        inject_time: false,
        keep_warm: { plan: 'off' },
      })
      if (status !== 201) throw new Error(`POST /bots for ${mark} answered ${status}: ${JSON.stringify(body)}`)
      this.bots.push({ account, id: body.id, mark, messages: 0 })
    }
  }

  /** Sends what was not taken yet, and the next bot's next message. */
  async send(): Promise<void> {
    const bot = this.bots[this.#next++ % Math.max(1, this.bots.length)]
    if (bot !== undefined) {
      const mark = `${bot.mark}-msg-${String(bot.messages++).padStart(5, '0')}`
      this.messages.push({ mark, bot: bot.id, turn: null })
    }
    await this.sendRest()
  }

  /** Sends again what the product did not answer for. */
  async sendRest(): Promise<void> {
    for (const message of this.messages) {
      if (message.turn !== null) continue
      await this.#send(message)
      if (message.turn !== null && this.#roll() < SENT_TWICE) await this.#send(message)
    }
  }

  async #send(message: Message): Promise<void> {
    const bot = this.bots.find(({ id }) => id === message.bot)
    if (bot === undefined) return
    const key = { 'idempotency-key': message.mark }
    const call = this.#world.client(bot.account.key, key)
    const text = `${message.mark}: and where does the next boat go?`
    try {
      const { status, body } = await call<{ turn_id: string }>('POST', `/bots/${bot.id}/messages`, { text })
      if (status !== 202) return
      // A second answer that names another turn would be a second message.
      if (message.turn !== null && message.turn !== body.turn_id) message.second = body.turn_id
      message.turn ??= body.turn_id
    } catch {
      return // it was killed in the middle
    }
  }

  /** What the product says of all bots. */
  async atRest(): Promise<BotAtRest[]> {
    const rest: BotAtRest[] = []
    for (const { account, id, mark } of this.bots) {
      const { status, body } = await this.#world.client(account.key)<BotView>('GET', `/bots/${id}`)
      if (status !== 200) throw new Error(`GET /bots/${id} answered ${status}`)
      const ended = body.history.flatMap(({ what, event }) =>
        event !== undefined && ['handled', 'failed', 'dropped'].includes(what) ? [{ turn: event, what }] : [],
      )
      rest.push({ mark, id, status: body.status, waiting: body.waiting, ended })
    }
    return rest
  }

  /** Bookings of a ledger's entries of bots, by the messages that they are for. */
  booked(entries: readonly BotEntry[], labTime: (at: number) => number): Booking[] {
    const marks = new Map(this.messages.map(({ turn, mark }) => [turn, mark]))
    return entries.flatMap(({ turn_id: turn, at, cost_usd: cost, outcome, why }) =>
      outcome === 'refused'
        ? []
        : [
            {
              mark: marks.get(turn) ?? turn,
              at: labTime(Date.parse(at)),
              costNanos: cost === null ? null : Math.round(cost * 1e9),
              why: `${outcome}: ${why}`,
            },
          ],
    )
  }
}

export interface BotEntry {
  type: 'bot'
  bot_id: string
  turn_id: string
  at: string
  outcome: string
  cost_usd: number | null
  why: string
}

interface BotView {
  status: string
  waiting: number
  history: { what: string; event?: string }[]
}

import type * as z from 'zod'
import type { botResponse } from '../contract/bot-responses.ts'
import type {
  botMessage,
  newBot,
  nextTurnCache,
  snapshot,
  botAnswer,
  botErased,
  messageTaken,
} from '../contract/bot.ts'
import { ask, connectionOf } from './connection.ts'
import type { ClientOptions, Connection } from './connection.ts'
import { overEvents, overSocket } from './responses.ts'
import type { Responses } from './responses.ts'

/** Client of bots. It needs only `fetch`, and for sockets a WebSocket that accepts headers. */

export { PilotlightError } from './connection.ts'
export type { ClientOptions } from './connection.ts'
export type { Responses } from './responses.ts'

export type NewBot = Omit<z.input<typeof newBot>, 'snapshot'>
export type BotSnapshot = z.input<typeof snapshot>
export type BotView = z.output<typeof botAnswer>
export type BotResponse = z.output<typeof botResponse>

export interface ResponsesOptions {
  /** `socket` (default): the bot can sleep. `events`: server-sent events, which keep the bot in memory, and billed, while open. */
  via?: 'socket' | 'events'
}

/** Creates a bot. Throws `PilotlightError`, like every function of the client. */
export async function createBot(options: ClientOptions, body: NewBot): Promise<Bot> {
  return create(connectionOf(options), body)
}

/** Creates a bot from a snapshot; `limits` replace those of the snapshot. */
export async function resumeBot(
  options: ClientOptions,
  from: BotSnapshot,
  limits: Pick<NewBot, 'idle_timeout' | 'cost_budget_usd'> = {},
): Promise<Bot> {
  return create(connectionOf(options), { ...limits, snapshot: from })
}

/** Returns the client of an existing bot. Sends no request. */
export function openBot(options: ClientOptions, id: string): Bot {
  return new Bot(connectionOf(options), id)
}

async function create(connection: Connection, body: z.input<typeof newBot>): Promise<Bot> {
  const { id } = await ask<BotView>(connection, 'POST', '/bots', { body })
  return new Bot(connection, id)
}

export class Bot {
  readonly id: string
  readonly #connection: Connection
  readonly #path: string

  constructor(connection: Connection, id: string) {
    this.id = id
    this.#connection = connection
    this.#path = `/bots/${encodeURIComponent(id)}`
  }

  /**
   * Sends a message. Resolves with the turn's id once the bot has stored it; the reply comes through `responses`. Throws `conflict`
   * after the bot's end, with the reason in `detail`. A retry with the same key sends the message only once. `cache`: settings of this
   * turn alone; with them it throws `conflict` while another turn waits or runs.
   */
  async send(
    text: string,
    { idempotencyKey, cache }: { idempotencyKey?: string; cache?: z.input<typeof botMessage>['cache'] } = {},
  ): Promise<string> {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey }
    const body = cache === undefined ? { text } : { text, cache }
    const taken = await this.#ask<z.output<typeof messageTaken>>('POST', '/messages', { body, ...key })
    return taken.turn_id
  }

  /** Opens the bot's responses: those after this resolves, so open them before you send. They end with the bot or by `close`. */
  responses({ via = 'socket' }: ResponsesOptions = {}): Promise<Responses<BotResponse>> {
    const path = `${this.#path}/responses`
    return via === 'socket' ? overSocket(this.#connection, path) : overEvents(this.#connection, path)
  }

  /** Ends the bot. A running turn is finished; waiting messages stay in the snapshot. */
  shutdown(): Promise<BotView> {
    return this.#ask('DELETE', '')
  }

  /** Pauses the bot. A running turn is finished; the bot stores messages and answers none until `resume`. */
  pause(): Promise<BotView> {
    return this.#ask('POST', '/pause')
  }

  /** Resumes a paused bot, which then answers the waiting messages. */
  resume(): Promise<BotView> {
    return this.#ask('POST', '/resume')
  }

  /** Returns a signed snapshot of the bot for `resumeBot`. The bot goes on. */
  snapshot(): Promise<BotSnapshot> {
    return this.#ask('GET', '/snapshot')
  }

  /** Returns the bot's status, usage and cost. */
  view(): Promise<BotView> {
    return this.#ask('GET', '')
  }

  /** Sets the cache request of the next turn alone; null takes it back. Throws `conflict` while a turn waits or runs. */
  async nextTurnCache(cache: z.input<typeof nextTurnCache>['cache']): Promise<void> {
    await this.#ask('POST', '/next-turn-cache', { body: { cache } })
  }

  /** Ends the bot and deletes all its data. */
  async erase(): Promise<void> {
    await this.#ask<z.output<typeof botErased>>('DELETE', '?erase=true')
  }

  #ask<Answer>(method: string, more: string, given: { body?: unknown; idempotencyKey?: string } = {}): Promise<Answer> {
    return ask<Answer>(this.#connection, method, `${this.#path}${more}`, given)
  }
}

import type * as z from 'zod'
import type { botResponse } from '../contract/bot-responses.ts'
import type { newBot, nextTurnCache, snapshot, botAnswer, botErased, messageTaken } from '../contract/bot.ts'
import { ask, connectionOf } from './connection.ts'
import type { ClientOptions, Connection } from './connection.ts'
import { overEvents, overSocket } from './responses.ts'
import type { Responses } from './responses.ts'

/** Bots from a program. It depends on nothing but `fetch`, and on a WebSocket that takes headers where one is used. */

export { PilotlightError } from './connection.ts'
export type { ClientOptions } from './connection.ts'
export type { Responses } from './responses.ts'

export type NewBot = Omit<z.input<typeof newBot>, 'snapshot'>
export type BotSnapshot = z.input<typeof snapshot>
export type BotView = z.output<typeof botAnswer>
export type BotResponse = z.output<typeof botResponse>

export interface ResponsesOptions {
  /** `socket` (default): sleeps with the bot. `events`: server-sent events, which keep it awake, and billed, while they are read. */
  via?: 'socket' | 'events'
}

/** Makes a bot. Throws `PilotlightError`, as everything here does. */
export async function createBot(options: ClientOptions, body: NewBot): Promise<Bot> {
  return made(connectionOf(options), body)
}

/** Makes a bot that goes on where a snapshot was taken; with other limits, if you give them. */
export async function resumeBot(
  options: ClientOptions,
  from: BotSnapshot,
  limits: Pick<NewBot, 'idle_timeout' | 'cost_budget_usd'> = {},
): Promise<Bot> {
  return made(connectionOf(options), { ...limits, snapshot: from })
}

/** A bot that is there already; asks nothing. */
export function openBot(options: ClientOptions, id: string): Bot {
  return new Bot(connectionOf(options), id)
}

async function made(connection: Connection, body: z.input<typeof newBot>): Promise<Bot> {
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
   * Says something, and answers with the turn's id when the bot has it; what it replies comes through `responses`. Throws
   * `conflict` after the end, with the reason in `detail`. Try again with the same key to be sure that it is said once.
   */
  async send(text: string, { idempotencyKey }: { idempotencyKey?: string } = {}): Promise<string> {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey }
    const taken = await this.#ask<z.output<typeof messageTaken>>('POST', '/messages', { body: { text }, ...key })
    return taken.turn_id
  }

  /** Hears the bot from now on, once this has resolved: open it before you send. Ends when the bot does, or with `close`. */
  responses({ via = 'socket' }: ResponsesOptions = {}): Promise<Responses<BotResponse>> {
    const path = `${this.#path}/responses`
    return via === 'socket' ? overSocket(this.#connection, path) : overEvents(this.#connection, path)
  }

  /** Ends it. A turn that has begun is finished; messages that wait stay for a snapshot. */
  shutdown(): Promise<BotView> {
    return this.#ask('DELETE', '')
  }

  /** Parks it: a turn that has begun is finished, messages are taken, and none is answered until `resume`. */
  pause(): Promise<BotView> {
    return this.#ask('POST', '/pause')
  }

  /** Goes on, in place, with what waits. */
  resume(): Promise<BotView> {
    return this.#ask('POST', '/resume')
  }

  /** All that it is, signed, while it goes on. `resumeBot` takes it. */
  snapshot(): Promise<BotSnapshot> {
    return this.#ask('GET', '/snapshot')
  }

  /** What it is doing, what it has used and what it has cost. */
  view(): Promise<BotView> {
    return this.#ask('GET', '')
  }

  /** What the next turn alone asks of the provider's cache. Throws `conflict` while a turn is in flight. */
  async nextTurnCache(cache: z.input<typeof nextTurnCache>['cache']): Promise<void> {
    await this.#ask('POST', '/next-turn-cache', { body: { cache } })
  }

  /** Ends it, and deletes everything that it was. */
  async erase(): Promise<void> {
    await this.#ask<z.output<typeof botErased>>('DELETE', '?erase=true')
  }

  #ask<Answer>(method: string, more: string, given: { body?: unknown; idempotencyKey?: string } = {}): Promise<Answer> {
    return ask<Answer>(this.#connection, method, `${this.#path}${more}`, given)
  }
}

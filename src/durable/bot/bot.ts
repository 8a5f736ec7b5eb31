import { tracing } from 'cloudflare:workers'
import { Failure, otherBodyFailure } from '../../contract/failure.ts'
import { answered } from '../../runtime/answered.ts'
import type { Environment } from '../../runtime/env.ts'
import { newId } from '../../runtime/ids.ts'
import { registryAt } from '../../runtime/objects.ts'
import type { Snapshot } from '../../runtime/snapshot.ts'
import { BotKey } from './bot-key.ts'
import { BotCallLog } from './tables/calls.ts'
import type { ModelCall, ToolRun } from './tables/calls.ts'
import { BotListeners } from './listeners.ts'
import { cancellationOf, turnToCancel } from './cancelled-call.ts'
import type { Cancellation, RunningTurn } from './cancelled-call.ts'
import type { BotShell } from './model-call.ts'
import { CancelledTurns } from './tables/cancelled-turns.ts'
import { MessageKeys } from './tables/message-keys.ts'
import type { MessageKey } from './tables/message-keys.ts'
import { NextCacheTable } from './tables/next-cache-request.ts'
import { cleared, windowOf } from './state.ts'
import { NOT_BEGUN } from '../registry/records/bot.ts'
import type { BotCache, BotState } from '../registry/records/bot.ts'
import { BotTurn } from './turn.ts'
import { giveUpTurn } from './turn-events.ts'
import type { LiveView, Turn } from '../live/definition.ts'
import { busyFailure } from '../live/errors.ts'
import { LiveObject } from '../live/live-object.ts'
import { durableSql } from '../sql.ts'

// A type, not an interface: handlers are found by its keys.
/** `cache` of a message: for its turn alone; null: none. Absent: the request for the next turn, else that of the bot. */
export type BotEvents = { message: { text: string; cache?: BotCache | null }; clear: unknown }

export interface BotView extends LiveView<BotState> {
  calls: ModelCall[]
  tools: ToolRun[]
  tokenCount: number
  remaining: number
}

/** An event with the idempotency key of its request. An event with an id of its own is known by that. */
type KeyedEvent = Parameters<LiveObject<Environment, BotState, BotEvents>['emit']>[0] & { once?: MessageKey }

const CALLS_SHOWN = 20

/**
 * Conversation that calls its model itself. A message is a turn: calls to the model and to tools, each stored before it is sent. A
 * model call with an unknown end fails its turn; it is never repeated automatically.
 */
export class Bot extends LiveObject<Environment, BotState, BotEvents> {
  readonly #key: BotKey
  readonly #calls: BotCallLog
  readonly #nextCache = new NextCacheTable(durableSql(this.ctx.storage))
  readonly #messageKeys = new MessageKeys(durableSql(this.ctx.storage))
  readonly #cancelled = new CancelledTurns(durableSql(this.ctx.storage))
  readonly #listeners = new BotListeners(this.ctx)
  /** The turn in its handler. Lost in an eviction, and so is its call. */
  #running: RunningTurn | null = null

  constructor(ctx: DurableObjectState, env: Environment) {
    // The handlers are given to `super`, before `this` exists: they call the bot through this object.
    const bound: {
      turn?: (state: BotState, message: BotEvents['message'], turn: Turn) => Promise<BotState>
      stopKeepingWarm?: () => Promise<void>
      givenUp?: (turn: Omit<Turn, 'ask'>) => void
    } = {}
    const key = new BotKey(ctx, env)
    super(ctx, env, {
      kind: `bot of ${(ctx.id.name ?? '').split('/')[0]}`,
      version: 2,
      initial: NOT_BEGUN,
      seals: key,
      snapshotSecret: env.KEY_ENCRYPTION_SECRET ?? '',
      givenUp: (type, turn) => {
        if (type === 'message') bound.givenUp?.(turn)
      },
      handlers: {
        message: (state, message, turn) => {
          if (bound.turn === undefined) throw new Failure('internal', 'the bot was not created')
          return bound.turn(state, message, turn)
        },
        clear: async (state) => {
          await bound.stopKeepingWarm?.() // the registered prefix is no longer its beginning
          return cleared(state)
        },
      },
    })
    this.#key = key
    this.#calls = new BotCallLog(durableSql(ctx.storage), key)
    key.seals(this.#calls)
    bound.turn = (state, message, turn) => this.#turn(state, message, turn)
    bound.stopKeepingWarm = () => this.#stopKeepingWarm()
    bound.givenUp = (turn) => {
      giveUpTurn(this.#shell(), turn)
      this.#cancelled.forget(turn.id)
    }
  }

  /** Answers what a method answers or throws, as a value. */
  answer(method: string, given: unknown[]): Promise<unknown> {
    return answered(this, Bot.prototype, method, given)
  }

  async view(): Promise<BotView> {
    this.summary() // an unknown bot needs no key
    await this.#key.ready()
    const seen = this.look()
    const window = windowOf(seen.state)
    return {
      ...seen,
      calls: this.#calls.latest(CALLS_SHOWN),
      tools: this.#calls.latestTools(CALLS_SHOWN),
      tokenCount: window.tokenCount,
      remaining: window.remaining,
    }
  }

  /** A snapshot, once the conversation can be opened. */
  async copy(): Promise<Snapshot> {
    this.summary()
    await this.#key.ready()
    return this.snapshot()
  }

  /**
   * Stores an event in the mailbox, once for each idempotency key: a repeat gets the answer of the first, also after the bot's end. Throws
   * `conflict` where the key came with another body, and else as every live object does.
   */
  override async emit({ once, ...event }: KeyedEvent): Promise<{ id: string; duplicate: boolean }> {
    if (once === undefined || event.id !== undefined) return super.emit(event)
    const now = this.clock.now()
    const repeated = (): string | null => {
      const found = this.#messageKeys.find(once, now)
      if (found === 'other') throw otherBodyFailure()
      return found
    }
    let first = repeated()
    if (first !== null) return { id: first, duplicate: false }
    const id = newId('evt')
    try {
      return await super.emit({ ...event, id }, () => {
        first = repeated() // another one may have come while this one waited for the key of the prompts
        if (first !== null) throw otherBodyFailure()
        this.#messageKeys.add(once, id, now)
      })
    } catch (thrown) {
      if (first !== null) return { id: first, duplicate: false }
      throw thrown
    }
  }

  /** Opens a socket or a server-sent stream that receives every event from now on. */
  override fetch(request: Request): Response {
    const isSocket = request.headers.get('upgrade')?.toLowerCase() === 'websocket'
    const opened = isSocket ? this.#listeners.openSocket() : this.#listeners.openStream()
    this.#announceEnd()
    return opened
  }

  /**
   * Sets the cache request of the next turn alone; null: it has none, `own`: that of the bot. Throws `conflict` while a turn waits or is
   * in flight, and after the end.
   */
  setNextCache(cache: BotCache | null | 'own'): void {
    const { status, why, endedAt, waiting } = this.summary()
    if (endedAt !== null) throw new Failure('conflict', `it has ended: ${why ?? ''}`, { reason: status })
    if (waiting > 0) throw busyFailure()
    if (cache === 'own') this.#nextCache.clear()
    else this.#nextCache.set(cache)
  }

  /**
   * Gives up the turn under way, or the waiting one with this id: its call is aborted, and the turn ends as failed. Resolves when the
   * call has ended and is booked; a waiting turn ends when it is reached. Throws `conflict` where there is no such turn.
   */
  async cancel(wanted?: string): Promise<Cancellation> {
    const { endedAt, status, why } = this.summary()
    await this.#key.ready()
    const turn = turnToCancel(this.waitingEvents(), wanted)
    if (endedAt !== null && this.#running?.id !== turn) {
      throw new Failure('conflict', `it has ended: ${why ?? ''}`, { reason: status })
    }
    if (turn === null) {
      const text = wanted === undefined ? 'No turn is running.' : 'No turn with this id is running or waiting.'
      throw new Failure('conflict', text, { reason: 'no_turn' })
    }
    this.#cancelled.add(turn)
    const running = this.#running
    let wasAnswered = false
    if (running?.id === turn) {
      running.controller.abort()
      wasAnswered = await running.answered
    }
    return cancellationOf(turn, this.#calls.ofTurn(turn), wasAnswered)
  }

  /** Answers input on a socket with a hint: messages are posted. */
  override webSocketMessage(socket: WebSocket): void {
    socket.send(JSON.stringify({ type: 'ignored', why: 'send messages with POST /bots/{id}/messages' }))
  }

  override async alarm(): Promise<void> {
    await super.alarm()
    await this.#stopKeepingWarmIfEnded()
    this.#announceEnd()
  }

  override async shutdown(why?: string): Promise<void> {
    await super.shutdown(why)
    await this.#stopKeepingWarmIfEnded()
    this.#announceEnd()
  }

  override async erase(): Promise<void> {
    await this.#stopKeepingWarm()
    this.#listeners.close('deleted')
    await super.erase()
  }

  async #turn(state: BotState, { text, cache: own }: BotEvents['message'], turn: Turn): Promise<BotState> {
    const { config } = state
    if (config === null) throw new Failure('internal', 'the bot has no configuration')
    const next = this.#nextCache.bindTo(turn.id)
    const cache = own === undefined ? (next === null ? config.cache : next.cache) : own
    const controller = new AbortController()
    if (this.#cancelled.has(turn.id)) controller.abort()
    const shell = { ...this.#shell(), signal: controller.signal }
    const { promise: hasAnswered, resolve: end } = Promise.withResolvers<boolean>()
    this.#running = { id: turn.id, controller, answered: hasAnswered }
    let isAnswered = false
    try {
      const after = await new BotTurn(shell, config, turn, cache).run(state, text)
      isAnswered = after.last?.turn === turn.id
      this.#nextCache.forget(turn.id)
      this.#cancelled.forget(turn.id)
      return after
    } finally {
      this.#running = null
      end(isAnswered)
    }
  }

  #shell(): BotShell {
    return {
      env: this.env,
      clock: this.clock,
      calls: this.#calls,
      id: (this.ctx.id.name ?? '').split('/').at(-1) ?? '',
      sync: () => this.ctx.storage.sync(),
      publish: (event) => this.#listeners.send(event),
      tracer: tracing,
    }
  }

  /** After the end, removes the conversation from the planner. */
  async #stopKeepingWarmIfEnded(): Promise<void> {
    if (this.ended() !== null) await this.#stopKeepingWarm()
  }

  async #stopKeepingWarm(): Promise<void> {
    const [account = '', id = ''] = (this.ctx.id.name ?? '').split('/')
    try {
      await registryAt(this.env, account).leaveBot(id)
    } catch {
      console.warn("a bot's keep-alives could not be stopped; they end by themselves")
    }
  }

  /** After the end, sends the end to the listeners and closes them. */
  #announceEnd(): void {
    if (this.#listeners.count === 0) return
    const { status, why, endedAt, waiting } = this.summary()
    if (endedAt === null) return
    this.#listeners.send({ type: 'ended', at: new Date(endedAt).toISOString(), reason: status, why, waiting })
    this.#listeners.close(status)
  }
}

import { Failure, FAILURES, failureValue, readFailure } from '../contract/failures.ts'
import type { ChatWindow } from '../core/chat-window.ts'
import { MAX_ATTEMPTS } from '../core/live.ts'
import type { Overrides } from '../core/overrides.ts'
import { costOf, usd } from '../core/price.ts'
import { sightOf } from '../core/turn.ts'
import type { Usage } from '../core/types.ts'
import { readReply, turnRequest } from '../providers/conversation.ts'
import { cardById, dialectOf } from '../providers/registry.ts'
import type { Card, ProbeRequest } from '../providers/types.ts'
import { door } from '../runtime/door.ts'
import { accessTo } from '../runtime/env.ts'
import type { Environment } from '../runtime/env.ts'
import { factsOf } from '../runtime/facts.ts'
import { freshOverrides } from '../runtime/overrides.ts'
import { BotCalls } from './bot-calls.ts'
import type { CallOutcome, ModelCall } from './bot-calls.ts'
import { added, NOT_BEGUN, windowOf } from './bot-state.ts'
import type { BotConfig, BotState } from './bot-state.ts'
import { secretFor } from './credential.ts'
import type { LiveView, Turn } from './live-definition.ts'
import { LiveObject } from './live-object.ts'
import { durableSql } from './sql.ts'

// A type, not an interface: handlers are found by its keys.
export type BotEvents = { message: { text: string } }

export interface BotView extends LiveView<BotState> {
  calls: ModelCall[]
  tokenCount: number
  remaining: number
}

const CALL_TIMEOUT_MS = 300_000
const SOCKETS = 100
/** A row holds 2 MB, and what is kept of a conversation is one: this, and the longest answer twice, fit into it. */
const MAX_WINDOW_BYTES = 900_000
const CALLS_SHOWN = 20
/**
 * A conversation with a model that goes on for as long as somebody talks to it. A message is a turn: one call, written down
 * before it is sent. A call whose end is not known ends its turn as a failure; it is never sent a second time by itself.
 */
export class Bot extends LiveObject<Environment, BotState, BotEvents> {
  readonly #calls = new BotCalls(durableSql(this.ctx.storage))

  constructor(ctx: DurableObjectState, env: Environment) {
    // Only behind `super` is there a bot that a handler could call.
    const late: { turn?: (state: BotState, text: string, turn: Turn) => Promise<BotState> } = {}
    super(ctx, env, {
      kind: `bot of ${(ctx.id.name ?? '').split('/')[0]}`,
      version: 1,
      initial: NOT_BEGUN,
      snapshotSecret: env.KEY_ENCRYPTION_SECRET ?? '',
      handlers: {
        message: (state, { text }, turn) => {
          if (late.turn === undefined) throw new Failure('internal', 'the bot is not there yet')
          return late.turn(state, text, turn)
        },
      },
    })
    late.turn = (state, text, turn) => this.#turn(state, text, turn)
  }

  view(): BotView {
    const seen = this.look()
    const window = windowOf(seen.state)
    return {
      ...seen,
      calls: this.#calls.latest(CALLS_SHOWN),
      tokenCount: window.tokenCount,
      remaining: window.remaining,
    }
  }

  /** Opens a socket that hears every response from now on. It sleeps with the object and costs nothing meanwhile. */
  override fetch(): Response {
    if (this.ctx.getWebSockets().length >= SOCKETS) {
      return new Response(null, { status: 429 })
    }
    const { 0: client, 1: server } = new WebSocketPair()
    this.ctx.acceptWebSocket(server)
    this.#farewell()
    return new Response(null, { status: 101, webSocket: client })
  }

  /** Nothing is said through this socket: messages are posted. */
  override webSocketMessage(socket: WebSocket): void {
    socket.send(JSON.stringify({ type: 'ignored', why: 'messages are sent with POST /bots/{id}/messages' }))
  }

  override async alarm(): Promise<void> {
    await super.alarm()
    this.#farewell()
  }

  override async shutdown(why?: string): Promise<void> {
    await super.shutdown(why)
    this.#farewell()
  }

  override async erase(): Promise<void> {
    for (const socket of this.ctx.getWebSockets()) socket.close(1000, 'deleted')
    await super.erase()
  }

  async #turn(state: BotState, text: string, turn: Turn): Promise<BotState> {
    const { config } = state
    if (config === null) throw new Failure('internal', 'the bot has no configuration')
    const window = windowOf(state)
    window.add({ role: 'user', text })
    const outcome = this.#known(turn) ?? (await this.#call(config, window, turn))
    if (outcome.kind === 'refused' && FAILURES[outcome.failure.kind].retryable && turn.attempt < MAX_ATTEMPTS) {
      throw new Error(outcome.failure.message)
    }
    const usage = outcome.kind === 'refused' ? undefined : outcome.usage
    const nanos = outcome.kind === 'refused' ? null : (outcome.nanos ?? null)
    if (nanos !== null) turn.spend(nanos)
    const totals = usage === undefined ? state.totals : added(state.totals, usage, nanos)
    const at = this.clock.now()
    if (outcome.kind !== 'answered') {
      const { kind, message } = outcome.failure
      const failure = { kind, message, retryable: FAILURES[kind].retryable }
      const billed = outcome.kind === 'refused' ? false : outcome.billed
      this.#tell({ type: 'failed', turn_id: turn.id, at: new Date(at).toISOString(), failure, billed })
      // The question is not kept: the conversation is as it was.
      return { ...state, totals }
    }
    window.add({ role: 'assistant', text: outcome.text })
    this.#tell({
      type: 'message',
      turn_id: turn.id,
      at: new Date(at).toISOString(),
      text: outcome.text,
      complete: outcome.complete,
      usage: {
        input_tokens: outcome.usage.inputTokens,
        cached_input_tokens: outcome.usage.cacheReadTokens,
        cache_write_input_tokens: outcome.usage.cacheWriteTokens,
        output_tokens: outcome.usage.outputTokens,
      },
      cost_usd: nanos === null ? null : usd(nanos),
    })
    return { ...state, window: window.state(), totals, last: { turn: turn.id, at, text: outcome.text } }
  }

  /** What an earlier try at this turn already brought; null when the call is still to be made. */
  #known(turn: Turn): CallOutcome | null {
    const known = this.#calls.of(turn.id)
    if (known === null) return null
    if (known.outcome !== null) return known.outcome.kind === 'refused' ? null : known.outcome
    const message =
      'The call to the model was cut off and may have been billed. It is not sent again by itself; send the message again.'
    const outcome: CallOutcome = { kind: 'failed', failure: failureValue('internal', message), billed: null }
    this.#calls.end(turn.id, outcome, turn.now)
    return outcome
  }

  async #call(config: BotConfig, window: ChatWindow, turn: Turn): Promise<CallOutcome> {
    const end = (outcome: CallOutcome): CallOutcome => {
      this.#calls.end(turn.id, outcome, this.clock.now())
      return outcome
    }
    const { clock } = this
    let ready: { card: Card; baseUrl: string; credential: string; request: ProbeRequest }
    try {
      ready = await this.#prepare(config, window, turn)
    } catch (thrown) {
      const failure = readFailure(thrown) ?? failureValue('internal', 'the call could not be prepared')
      return { kind: 'refused', failure }
    }
    const sentAt = clock.now()
    this.#calls.begin(turn.id, sentAt)
    // On disk before it is sent: an eviction from here on leaves a call without an end.
    await this.ctx.storage.sync()
    const sent = await door.send({ ...ready, timeoutMs: Math.max(1, clock.realMs(CALL_TIMEOUT_MS)) })
    if (sent.kind === 'failed') {
      const { failure } = sent
      return end(sent.outcomeKnown ? { kind: 'refused', failure } : { kind: 'failed', failure, billed: null })
    }
    const dialect = dialectOf(ready.card)
    if (sent.status < 200 || sent.status >= 300) {
      return end({ kind: 'refused', failure: dialect.readError(sent.status, sent.headers, sent.text).failure })
    }
    const type = sent.headers.get('content-type') ?? ''
    let usage: Usage | undefined
    let nanos: number | null = null
    try {
      usage = dialect.readAnswer(sent.text, type, sent.headers).usage
      const { price, retentions } = factsOf(config.provider, config.model, sentAt)
      nanos = costOf(usage, price, config.cache?.retention ?? retentions[0]?.name ?? '')
      return end({ kind: 'answered', ...readReply(ready.card, sent.text, type), usage, nanos })
    } catch (thrown) {
      const failure = readFailure(thrown) ?? failureValue('unreadable_answer', 'the answer could not be read')
      return end({ kind: 'failed', failure, billed: true, nanos, ...(usage === undefined ? {} : { usage }) })
    }
  }

  /** Everything that a call needs and that can refuse it before it is sent. */
  async #prepare(config: BotConfig, window: ChatWindow, turn: Turn) {
    const { env, clock } = this
    if (Buffer.byteLength(JSON.stringify(window.state())) > MAX_WINDOW_BYTES) {
      const text = `The conversation with this message is larger than ${MAX_WINDOW_BYTES} bytes; send a shorter one.`
      throw new Failure('payload_too_large', text, { limit_bytes: MAX_WINDOW_BYTES })
    }
    await freshOverrides(clock, async () => (await env.DIRECTORY.getByName('directory').overrides()) as Overrides)
    const grants = await env.REGISTRY.getByName(config.account).grantsFor(config.credential.name)
    if (grants === null) throw new Failure('unauthenticated', 'The account is gone.')
    if (grants.killed) throw new Failure('forbidden', 'The kill switch is on.')
    const card = cardById(config.provider)
    if (card === undefined) throw new Failure('unsupported', 'The provider is gone.')
    const access = accessTo(card, env)
    const use = { credential: config.credential.name, credentialGeneration: config.credential.generation }
    const credential = secretFor(use, access, grants.allowedSecrets, grants.credentials, env)
    const request = turnRequest(card, {
      ...sightOf(window, { now: turn.now, injectTime: config.injectTime, final: false }),
      model: config.model,
      maxOutputTokens: config.maxOutputTokens,
      cache: config.cache,
      tools: [],
    })
    return { card, baseUrl: access.baseUrl, credential, request }
  }

  #tell(response: Record<string, unknown>): void {
    const text = JSON.stringify(response)
    for (const socket of this.ctx.getWebSockets()) {
      try {
        socket.send(text)
      } catch {
        socket.close(1011) // its other end has gone
      }
    }
  }

  /** After the end nothing more comes: says so, and closes. */
  #farewell(): void {
    const sockets = this.ctx.getWebSockets()
    if (sockets.length === 0) return
    const { status, why, endedAt, waiting } = this.look()
    if (status === 'running' || endedAt === null) return
    this.#tell({ type: 'ended', at: new Date(endedAt).toISOString(), reason: status, why, waiting })
    for (const socket of sockets) socket.close(1000, status)
  }
}

import { FAILURES, failureValue } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { ChatWindow } from '../../core/conversation/window.ts'
import type { ChatMessage } from '../../core/conversation/window.ts'
import { MAX_ATTEMPTS } from '../../core/conversation/lifecycle.ts'
import { usd } from '../../core/model/price.ts'
import { estimateTokens } from '../../core/prompt/tokens.ts'
import {
  asksForTools,
  exitResult,
  MAX_SUMMARY_CHARS,
  nextInTurn,
  refusedCalls,
  roundMessages,
  turnViewOf,
  summaryViewOf,
} from '../../core/conversation/turn.ts'
import type { Round } from '../../core/conversation/turn.ts'
import { takesTools } from '../../providers/conversation.ts'
import { cardById } from '../../runtime/cards.ts'
import { replyOf } from './call-outcome.ts'
import type { CallOutcome } from './call-outcome.ts'
import { askModel } from './model-call.ts'
import type { Asked, BotShell } from './model-call.ts'
import { added, toolsOf, windowOf } from './state.ts'
import { MAX_ITERATIONS } from '../registry/records/bot.ts'
import type { BotCache, BotConfig, BotState, BotTotals } from '../registry/records/bot.ts'
import { runTools } from './tool-calls.ts'
import { handOver } from './keep-warm.ts'
import type { TurnCall } from './keep-warm.ts'
import type { Turn } from '../live/definition.ts'
import type { Usage } from '../../core/model/usage.ts'
import { callId, summaryId, toolId } from '../registry/records/bot-call.ts'
import { MINUTE_MS } from '../../core/time/time.ts'

const CALL_TIMEOUT_MS = 300_000
/** Longest turn: an alarm is cut off after 15 minutes. */
const TURN_MS = 13 * MINUTE_MS
/** Least time left to begin a call. */
const LEAST_CALL_MS = 20_000
const SUMMARY_TOKENS = 600

/**
 * One turn of a bot: the message, the model, the tools that it calls, the model again, up to its answer. Each attempt starts from
 * the message and skips the calls that are already in the tables.
 */
export class BotTurn {
  readonly #shell: BotShell
  readonly #config: BotConfig
  readonly #turn: Turn
  readonly #cache: BotCache | null
  #summaries = 0
  /** Calls of this attempt, for the planner. */
  readonly #calls: TurnCall[] = []

  constructor(shell: BotShell, config: BotConfig, turn: Turn, cache: BotCache | null) {
    this.#shell = shell
    this.#config = config
    this.#turn = turn
    this.#cache = cache
  }

  /** State after the message. Throws where the provider must be asked again later. */
  async run(state: BotState, said: string): Promise<BotState> {
    const { clock } = this.#shell
    const window = windowOf(state)
    const rounds: Round[] = []
    await this.#add(window, { role: 'user', text: said })
    for (;;) {
      const next = nextInTurn(rounds, this.#config.maxIterations ?? MAX_ITERATIONS)
      if (next.do === 'call') {
        await this.#callTools(window, rounds, next.calls)
        continue
      }
      const id = callId(this.#turn.id, rounds.length)
      const outcome = this.#known(id) ?? (await this.#ask(window, id, next.final))
      if (outcome.kind === 'refused' && FAILURES[outcome.failure.kind].retryable && this.#turn.attempt < MAX_ATTEMPTS) {
        throw new Error(outcome.failure.message)
      }
      if (outcome.kind !== 'answered') return this.#failed(state, outcome)
      this.#calls.push({
        begunAt: this.#shell.calls.of(id)?.begunAt ?? clock.now(),
        usage: outcome.usage,
        final: next.final,
      })
      this.#calibrate(window, outcome.usage)
      const reply = replyOf(outcome)
      const result = this.#config.exitTool === true ? exitResult(reply) : null
      if (result === null && asksForTools(reply, next.final)) {
        rounds.push({ reply, results: refusedCalls(reply) })
        continue
      }
      const text = result ?? reply.text
      if (text.trim() === '') {
        const failure = failureValue('unreadable_answer', 'the model called a tool although no more calls were allowed')
        return this.#failed(state, { kind: 'failed', failure, billed: true })
      }
      const at = clock.now()
      this.#answered({ ...outcome, text }, result !== null, at)
      const sent = new ChatWindow({ budgetTokens: this.#config.historyTokens, state: window.state() })
      const forgot = await this.#add(window, { role: 'assistant', text })
      await handOver(this.#shell, this.#config, this.#cache, forgot ? headOf(sent) : sent, this.#calls)
      const totals = this.#spent(state.totals)
      const last = { turn: this.#turn.id, at, text }
      return { ...state, window: window.state(), totals: { ...totals, turns: totals.turns + 1 }, last }
    }
  }

  async #callTools(
    window: ChatWindow,
    rounds: Round[],
    open: { index: number; call: Round['reply']['toolCalls'][number] }[],
  ): Promise<void> {
    const round = rounds.at(-1)
    if (round === undefined) return
    const id = (index: number): string => toolId(this.#shell.id, this.#turn.id, rounds.length - 1, index)
    const named = open.map(({ index, call }) => ({ id: id(index), index, call }))
    const isNew = named.some((one) => (this.#shell.calls.tool(one.id)?.result ?? null) === null)
    const results = await runTools(this.#shell, this.#config, this.#turn.id, named)
    for (const [index, result] of results) round.results[index] = result
    await this.#add(window, ...roundMessages(round))
    if (!isNew) return // an earlier attempt published it
    const at = new Date(this.#shell.clock.now()).toISOString()
    const tool_calls = round.reply.toolCalls.length
    this.#shell.publish({ type: 'iteration', turn_id: this.#turn.id, at, iteration: rounds.length, tool_calls })
  }

  #ask(window: ChatWindow, id: string, final: boolean): Promise<CallOutcome> {
    const { injectTime, maxOutputTokens } = this.#config
    const view = turnViewOf(window, { now: this.#shell.clock.now(), injectTime, final })
    const onText = (text: string): void => this.#shell.publish({ type: 'delta', turn_id: this.#turn.id, text })
    return this.#send({ id, view, final, maxOutputTokens, onText })
  }

  /** Calibrates the token estimate of the window by the input that the model counted, without the tools. */
  #calibrate(window: ChatWindow, { inputTokens }: Usage): void {
    const card = cardById(this.#config.provider)
    const tools = card === undefined ? [] : toolsOf(this.#config, takesTools(card))
    // Beside a handle the count contains what is not in the window.
    if (inputTokens !== null && this.#config.contents === undefined)
      window.calibrate(inputTokens, tools.length === 0 ? 0 : estimateTokens(JSON.stringify(tools)))
  }

  async #send(asked: Omit<Asked, 'cache' | 'timeoutMs'>): Promise<CallOutcome> {
    const left = this.#turn.now + TURN_MS - this.#shell.clock.now()
    if (left < LEAST_CALL_MS) {
      const text = 'The turn took too long. The cost of its calls is counted.'
      return { kind: 'failed', failure: failureValue('provider_timeout', text), billed: true }
    }
    const timeoutMs = Math.min(CALL_TIMEOUT_MS, left)
    return askModel(this.#shell, this.#config, { ...asked, cache: this.#cache, timeoutMs })
  }

  /** Adds messages to the conversation. Evicted messages are summarized if configured, else dropped. True: some were evicted. */
  async #add(window: ChatWindow, ...messages: ChatMessage[]): Promise<boolean> {
    const before = turnViewOf(window, { now: this.#turn.now, injectTime: false, final: false })
    const evicted = window.add(...messages)
    if (evicted.length === 0 || this.#config.summarize !== true) return evicted.length > 0
    const id = summaryId(this.#turn.id, this.#summaries)
    this.#summaries += 1
    const view = summaryViewOf(before, evicted)
    const known = this.#known(id)
    const outcome = known ?? (await this.#send({ id, view, final: false, maxOutputTokens: SUMMARY_TOKENS }))
    const text = outcome.kind === 'answered' ? outcome.text.trim().slice(0, MAX_SUMMARY_CHARS) : ''
    if (text !== '') window.summarize(text)
    if (known?.kind === 'answered') return true // an earlier attempt published it
    const at = new Date(this.#shell.clock.now()).toISOString()
    // Without a summary the conversation goes on: the evicted messages are dropped, and listeners get the event.
    this.#shell.publish({
      type: 'compacted',
      turn_id: this.#turn.id,
      at,
      messages: evicted.length,
      summarized: text !== '',
    })
    return true
  }

  /** Outcome of the call in an earlier attempt at this turn; null: the call must be made. */
  #known(id: string): CallOutcome | null {
    const { calls } = this.#shell
    const known = calls.of(id)
    if (known === null) return null
    if (known.outcome !== null) return known.outcome.kind === 'refused' ? null : known.outcome
    const message =
      'The call to the model was interrupted and may have been billed. It is not repeated automatically. Send the message again.'
    const outcome: CallOutcome = { kind: 'failed', failure: failureValue('internal', message), billed: null }
    calls.end(id, outcome, this.#turn.now)
    return outcome
  }

  /** Totals with the usage of all calls of this turn, added once, when it ends. */
  #spent(before: BotTotals): BotTotals {
    let totals = before
    for (const { usage, nanos = null } of this.#paid()) {
      if (nanos !== null) this.#turn.spend(nanos)
      if (usage !== undefined) totals = added(totals, usage, nanos)
    }
    return totals
  }

  #failed(state: BotState, outcome: Exclude<CallOutcome, { kind: 'answered' }>): BotState {
    const { kind, message }: FailureValue = outcome.failure
    const own = outcome.kind === 'refused' ? false : outcome.billed
    const paid = this.#paid()
    this.#shell.publish({
      type: 'failed',
      turn_id: this.#turn.id,
      at: new Date(this.#shell.clock.now()).toISOString(),
      failure: { kind, message, retryable: FAILURES[kind].retryable },
      // Earlier calls of the turn were billed, whatever the outcome of its last.
      billed: own === false && paid.some(({ kind: how }) => how === 'answered') ? true : own,
      cost_usd: costOfAll(paid),
    })
    // The question is dropped: the conversation is as before.
    return { ...state, totals: this.#spent(state.totals) }
  }

  /** Calls of this turn that were or may have been billed. */
  #paid(): Paid[] {
    const calls = this.#shell.calls.ofTurn(this.#turn.id)
    return calls.flatMap(({ outcome }) => (outcome === null || outcome.kind === 'refused' ? [] : [outcome]))
  }

  #answered({ text, complete }: Extract<CallOutcome, { kind: 'answered' }>, finished: boolean, at: number): void {
    const paid = this.#paid()
    const sum = (of: (usage: Usage) => number | null): number | null => {
      return total(paid.map(({ usage }) => (usage === undefined ? null : of(usage))))
    }
    this.#shell.publish({
      type: 'message',
      turn_id: this.#turn.id,
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
      cost_usd: costOfAll(paid),
    })
  }
}

/** Ends a turn that was cut off in each attempt: counts the cost of its calls, and publishes the failure. */
export function giveUpTurn({ calls, clock, publish }: BotShell, { id, attempt, spend }: Omit<Turn, 'ask'>): void {
  const made = calls.ofTurn(id)
  const paid = made.flatMap(({ outcome }) => (outcome === null || outcome.kind === 'refused' ? [] : [outcome]))
  for (const { nanos = null } of paid) if (nanos !== null) spend(nanos)
  const message = `The turn was interrupted ${attempt} times and was given up.`
  publish({
    type: 'failed',
    turn_id: id,
    at: new Date(clock.now()).toISOString(),
    failure: { kind: 'internal', message, retryable: FAILURES.internal.retryable },
    billed: made.some(({ outcome }) => outcome === null) ? null : paid.length > 0,
    cost_usd: costOfAll(paid),
  })
}

/** Beginning that the next turn certainly shares, where the history after it has changed. */
function headOf(sent: ChatWindow): ChatWindow {
  const { system } = sent.state()
  return new ChatWindow({ budgetTokens: sent.budgetTokens, state: { system, summaries: [], recent: [] } })
}

type Paid = Exclude<CallOutcome, { kind: 'refused' }>

/** Sum; null: a part is unknown. */
function total(parts: readonly (number | null)[]): number | null {
  return parts.reduce<number | null>((sum, part) => (sum === null || part === null ? null : sum + part), 0)
}

function costOfAll(paid: readonly Paid[]): number | null {
  const nanos = total(paid.map((call) => call.nanos ?? null))
  return nanos === null ? null : usd(nanos)
}

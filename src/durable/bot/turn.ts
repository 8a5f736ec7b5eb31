import { FAILURES, failureValue } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { ChatWindow } from '../../core/conversation/window.ts'
import type { ChatMessage } from '../../core/conversation/window.ts'
import { MAX_ATTEMPTS } from '../../core/conversation/lifecycle.ts'
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
import type { Place, Round } from '../../core/conversation/turn.ts'
import { takesTools } from '../../providers/conversation.ts'
import { cardById } from '../../runtime/cards.ts'
import type { Unmet } from '../../core/conversation/asked-breakpoints.ts'
import { judgeTurnCall, turnNotHonoured } from '../../core/cache/required-turn.ts'
import type { CacheProof } from '../../core/cache/required-turn.ts'
import { factsOf } from '../../runtime/facts.ts'
import { placing } from './placement.ts'
import { chargedNanos, costNanos, failedEvent, messageEvent, paidOf } from './turn-events.ts'
import type { Paid } from './turn-events.ts'
import { isGivenUp, replyOf } from './call-outcome.ts'
import type { CallOutcome } from './call-outcome.ts'
import { askModel, book } from './model-call.ts'
import type { Asked, BotShell } from './model-call.ts'
import { toolsOf } from '../registry/records/bot.ts'
import { added, windowOf } from './state.ts'
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
  readonly #place: Place
  #summaries = 0
  /** What could not be met of the cache settings, in the latest call. */
  #unmet: Unmet[] = []
  /** Calls of this attempt, for the planner. */
  readonly #calls: TurnCall[] = []

  constructor(shell: BotShell, config: BotConfig, turn: Turn, cache: BotCache | null) {
    this.#shell = shell
    this.#config = config
    this.#turn = turn
    this.#cache = cache
    this.#place = placing(config, cache)
  }

  /** State after the message. Throws where the provider must be asked again later. */
  async run(state: BotState, said: string): Promise<BotState> {
    const { clock } = this.#shell
    const window = windowOf(state)
    const rounds: Round[] = []
    const isCut = await this.#add(window, { role: 'user', text: said })
    let proof = isCut ? undefined : state.proof
    for (;;) {
      const next = nextInTurn(rounds, this.#config.maxIterations ?? MAX_ITERATIONS)
      if (next.do === 'call') {
        if (await this.#callTools(window, rounds, next.calls)) proof = undefined
        continue
      }
      const id = callId(this.#turn.id, rounds.length)
      const outcome = (await this.#known(id)) ?? (await this.#ask(window, id, next.final))
      if (outcome.kind === 'refused' && FAILURES[outcome.failure.kind].retryable && this.#turn.attempt < MAX_ATTEMPTS) {
        throw new Error(outcome.failure.message)
      }
      if (outcome.kind !== 'answered') return this.#failed(state, outcome)
      const begunAt = this.#shell.calls.of(id)?.begunAt ?? clock.now()
      this.#calls.push({ begunAt, usage: outcome.usage, final: next.final })
      // A call that may use no tools can be another prompt, which reads its head alone and writes nothing.
      if (this.#cache !== null && !next.final) {
        const judged = this.#judge(this.#cache, outcome.usage, begunAt, proof)
        const { failure } = judged
        if (failure !== null) return this.#failed(state, { kind: 'failed', failure, billed: true })
        proof = judged.proof
      }
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
      if (forgot) proof = undefined
      await handOver(this.#shell, this.#config, this.#cache, forgot ? headOf(sent) : sent, this.#calls)
      const totals = this.#spent(state.totals)
      const last = { turn: this.#turn.id, at, text }
      const { proof: _before, ...rest } = state
      const after = { ...rest, window: window.state(), totals: { ...totals, turns: totals.turns + 1 }, last }
      return proof === undefined ? after : { ...after, proof }
    }
  }

  /** What the call proved of the cache. `failure`: the cache was required, and this call shows that it was not honoured. */
  #judge(
    { mode, retention, strategy }: BotCache,
    usage: Usage,
    at: number,
    before: CacheProof | undefined,
  ): { proof: CacheProof | undefined; failure: FailureValue | null } {
    const facts = factsOf(this.#config.provider, this.#config.model, at)
    const whole = strategy === undefined || 'count' in strategy
    const { after: proof, broken } = judgeTurnCall({ usage, at, retention, facts, whole, before })
    if (broken === null || mode !== 'required') return { proof, failure: null }
    const cost = costNanos(this.#paid())
    return { proof, failure: turnNotHonoured(broken, { usage, retention }, cost) }
  }

  /** Runs tools, and adds the round to the conversation. True: earlier messages were evicted for it. */
  async #callTools(
    window: ChatWindow,
    rounds: Round[],
    open: { index: number; call: Round['reply']['toolCalls'][number] }[],
  ): Promise<boolean> {
    const round = rounds.at(-1)
    if (round === undefined) return false
    const id = (index: number): string => toolId(this.#shell.id, this.#turn.id, rounds.length - 1, index)
    const named = open.map(({ index, call }) => ({ id: id(index), index, call }))
    const isNew = named.some((one) => (this.#shell.calls.tool(one.id)?.result ?? null) === null)
    const results = await runTools(this.#shell, this.#config, this.#turn.id, named)
    for (const [index, result] of results) round.results[index] = result
    const isCut = await this.#add(window, ...roundMessages(round))
    if (!isNew) return isCut // an earlier attempt published it
    const at = new Date(this.#shell.clock.now()).toISOString()
    const tool_calls = round.reply.toolCalls.length
    this.#shell.publish({ type: 'iteration', turn_id: this.#turn.id, at, iteration: rounds.length, tool_calls })
    return isCut
  }

  #ask(window: ChatWindow, id: string, final: boolean): Promise<CallOutcome> {
    const { injectTime, maxOutputTokens } = this.#config
    const view = turnViewOf(window, { now: this.#shell.clock.now(), injectTime, final, place: this.#place })
    this.#unmet = view.unmet
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
    const before = turnViewOf(window, { now: this.#turn.now, injectTime: false, final: false, place: this.#place })
    const whole = this.#config.summarize === true ? window.state() : null
    const evicted = window.add(...messages)
    if (evicted.length === 0 || whole === null) return evicted.length > 0
    const id = summaryId(this.#turn.id, this.#summaries)
    this.#summaries += 1
    const view = summaryViewOf(before, evicted)
    const known = await this.#known(id)
    const outcome = known ?? (await this.#send({ id, view, final: false, maxOutputTokens: SUMMARY_TOKENS }))
    if (isGivenUp(outcome)) {
      // Whoever gives up a call asked for no loss of history. The next message needs the space, and summarizes then.
      window.restore(whole, ...messages)
      return false
    }
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

  /**
   * Outcome of the call in an earlier attempt at this turn; null: the call must be made. That attempt may have ended before the account's
   * ledger was told, so it is told again: an end counts once.
   */
  async #known(id: string): Promise<CallOutcome | null> {
    const { calls } = this.#shell
    const known = calls.of(id)
    if (known === null || known.outcome?.kind === 'refused') return null
    const message =
      'The call to the model was interrupted and may have been billed. It is not repeated automatically. Send the message again.'
    const interrupted: CallOutcome = { kind: 'failed', failure: failureValue('internal', message), billed: null }
    if (known.outcome === null) calls.end(id, interrupted, this.#turn.now)
    const outcome = known.outcome ?? interrupted
    await book(this.#shell, this.#config, id, outcome, known.begunAt)
    return outcome
  }

  /** Totals with the usage of all calls of this turn, added once, when it ends. */
  #spent(before: BotTotals): BotTotals {
    let totals = before
    for (const nanos of chargedNanos(this.#shell.calls.ofTurn(this.#turn.id))) this.#turn.spend(nanos)
    for (const { usage, nanos = null } of this.#paid()) {
      if (usage !== undefined) totals = added(totals, usage, nanos)
    }
    return totals
  }

  #failed(state: BotState, outcome: Exclude<CallOutcome, { kind: 'answered' }>): BotState {
    this.#shell.publish(failedEvent(this.#turn.id, outcome, this.#paid(), this.#shell.clock.now()))
    // The question is dropped: the conversation is as before.
    return { ...state, totals: this.#spent(state.totals) }
  }

  /** Calls of this turn that were or may have been billed. */
  #paid(): Paid[] {
    return paidOf(this.#shell.calls.ofTurn(this.#turn.id))
  }

  #answered(answer: Extract<CallOutcome, { kind: 'answered' }>, finished: boolean, at: number): void {
    this.#shell.publish(messageEvent(this.#turn.id, { ...answer, finished, unmet: this.#unmet }, this.#paid(), at))
  }
}

/** Beginning that the next turn certainly shares, where the history after it has changed. */
function headOf(sent: ChatWindow): ChatWindow {
  const { system } = sent.state()
  return new ChatWindow({ budgetTokens: sent.budgetTokens, state: { system, summaries: [], recent: [] } })
}

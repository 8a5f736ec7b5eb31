import { estimateTokens } from '../prompt/tokens.ts'
import type { CountTokens } from '../prompt/tokens.ts'

/**
 * What of a conversation is sent. Providers reuse a prompt up to its first difference, so the window changes at its end
 * and nowhere else, save at an eviction: that moves everything behind it, and so it takes a large part at once and is
 * seldom. It cuts between exchanges (a user's message and all that answers it), or, within the only one, between a call's
 * results and the next call: a tool call and its result are never parted.
 */

export interface ToolCall {
  id: string
  name: string
  /** JSON, as the model wrote it. */
  arguments: string
}

export type ChatMessage =
  | { role: 'system'; text: string }
  | { role: 'user'; text: string }
  /** `native`: what the provider itself wants back of an answer with tool calls, as JSON; only its own wire format reads it. */
  | { role: 'assistant'; text: string; toolCalls?: ToolCall[]; native?: string }
  | { role: 'tool'; callId: string; text: string; isError?: boolean }

/** What is kept of a window between turns: plain data. */
export interface ChatWindowState {
  system: ChatMessage[]
  /** Each stands for messages that were evicted. Stable: a new one goes behind them. */
  summaries: string[]
  recent: ChatMessage[]
  /** Tokens of the model for one that we count, learned from its answers; 1 when absent. */
  scale?: number
}

export interface ChatWindowOptions {
  budgetTokens: number
  count?: CountTokens
  /** How much of the conversation goes at once, at the most: 0.25 to 0.5. More only where one exchange is larger. */
  chunk?: number
  state?: ChatWindowState
}

/** Role, separators and names around a text. */
const MESSAGE_TOKENS = 4
/** An eviction that takes less is soon followed by the next. */
const LEAST_CHUNK = 0.25
/** Beyond this share of the budget the older half of the summaries goes, at an eviction. */
const SUMMARY_SHARE = 0.25
/** A vocabulary that counts otherwise by more than this is a mistake in the figures. */
const SCALES = { least: 0.5, most: 3 }

export class ChatWindow {
  readonly budgetTokens: number
  readonly #count: CountTokens
  readonly #chunk: number
  /** Messages do not change, so each is counted once. */
  readonly #counted = new WeakMap<ChatMessage, number>()
  #state: ChatWindowState

  constructor({ budgetTokens, count = estimateTokens, chunk = 0.5, state }: ChatWindowOptions) {
    if (!(budgetTokens > 0)) throw new RangeError('budgetTokens: more than 0')
    if (!(chunk >= LEAST_CHUNK && chunk <= 0.5)) throw new RangeError('chunk: 0.25 to 0.5')
    this.budgetTokens = budgetTokens
    this.#count = count
    this.#chunk = chunk
    this.#state = structuredClone(state ?? { system: [], summaries: [], recent: [] })
  }

  /** System first, then summaries, then what was said lately, as the model is to see it. */
  messages(): ChatMessage[] {
    const { system, summaries, recent } = this.#state
    return [...system, ...summaries.map(asMessage), ...recent]
  }

  state(): ChatWindowState {
    return structuredClone(this.#state)
  }

  get summaryCount(): number {
    return this.#state.summaries.length
  }

  /** System and summaries: what stands in front of what was said lately, and of what an eviction takes. */
  head(): ChatMessage[] {
    return [...this.#state.system, ...this.#state.summaries.map(asMessage)]
  }

  get tokenCount(): number {
    return Math.ceil(this.#tokens(this.messages()))
  }

  /** Messages, the system's and summaries included. */
  get length(): number {
    const { system, summaries, recent } = this.#state
    return system.length + summaries.length + recent.length
  }

  get isEmpty(): boolean {
    return this.length === 0
  }

  /** Tokens left in the budget; 0 when it is exceeded, which system messages and the present exchange may do. */
  get remaining(): number {
    return Math.max(0, this.budgetTokens - this.tokenCount)
  }

  /** Adds messages, and answers those that had to go for them, oldest first: what a summary may be made of. */
  add(...messages: ChatMessage[]): ChatMessage[] {
    for (const message of messages) {
      if (message.role === 'system') this.#state.system.push(message)
      else this.#state.recent.push(message)
    }
    return this.tokenCount > this.budgetTokens ? this.#evict() : []
  }

  /** Puts a summary of what was evicted behind the summaries before it. */
  summarize(text: string): void {
    this.#state.summaries.push(text)
  }

  /**
   * Learns from an answer: the model counted `counted` input tokens for these messages and `besides` of our tokens, which
   * are its tools and what else was sent. Half of the way each time, so that one odd answer does not move the budget far.
   */
  calibrate(counted: number, besides = 0): void {
    const { scale = 1 } = this.#state
    const estimated = this.#tokens(this.messages()) / scale + besides
    if (!(counted > 0 && estimated > 0)) return
    const seen = Math.min(SCALES.most, Math.max(SCALES.least, counted / estimated))
    this.#state.scale = (scale + seen) / 2
  }

  /** Forgets the conversation. System messages stay. */
  clear(): void {
    this.#state = { ...this.#state, summaries: [], recent: [] }
  }

  #evict(): ChatMessage[] {
    const { summaries, recent } = this.#state
    if (this.#tokens(summaries.map(asMessage)) > this.budgetTokens * SUMMARY_SHARE) {
      this.#state.summaries = summaries.slice(Math.ceil(summaries.length / 2))
    }
    const fixed = this.#tokens([...this.#state.system, ...this.#state.summaries.map(asMessage)])
    const room = this.budgetTokens - fixed
    const total = this.#tokens(recent)
    const cuts = recent
      .flatMap(({ role }, index) => (role === 'user' && index > 0 ? [index] : []))
      .map((index) => ({ index, kept: this.#tokens(recent.slice(index)) }))
      .filter(({ kept }) => kept <= Math.min(room, total * (1 - LEAST_CHUNK)))
    // As much as may go and no more, where exchanges end at the right places; else the least that helps.
    const cut = cuts.findLast(({ kept }) => kept >= total * (1 - this.#chunk)) ?? cuts[0]
    const present = recent.findLastIndex(({ role }) => role === 'user')
    const from = cut?.index ?? Math.max(0, present)
    this.#state.recent = recent.slice(from)
    const gone = recent.slice(0, from)
    return this.#tokens(this.#state.recent) <= room ? gone : [...gone, ...this.#evictRounds(room * (1 - this.#chunk))]
  }

  /** The present exchange alone is too long: its question stays, and of its rounds of tool calls the latest. */
  #evictRounds(keepAtMost: number): ChatMessage[] {
    const { recent } = this.#state
    const question = recent.slice(0, recent[0]?.role === 'user' ? 1 : 0)
    const rounds = recent.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []))
    const fits = (at: number): boolean => this.#tokens([...question, ...recent.slice(at)]) <= keepAtMost
    const start = rounds.find(fits) ?? rounds.at(-1) ?? question.length
    this.#state.recent = [...question, ...recent.slice(start)]
    return recent.slice(question.length, start)
  }

  #tokens(messages: readonly ChatMessage[]): number {
    return (this.#state.scale ?? 1) * messages.reduce((sum, message) => sum + this.#tokensOf(message), 0)
  }

  #tokensOf(message: ChatMessage): number {
    const known = this.#counted.get(message)
    if (known !== undefined) return known
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : []
    const texts = [message.text, ...calls.flatMap(({ name, arguments: given }) => [name, given])]
    const tokens = texts.reduce((sum, text) => sum + this.#count(text), MESSAGE_TOKENS * (1 + calls.length))
    this.#counted.set(message, tokens)
    return tokens
  }
}

function asMessage(summary: string): ChatMessage {
  return { role: 'user', text: `Summary of the earlier conversation:\n${summary}` }
}

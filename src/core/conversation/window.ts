import { estimateTokens } from '../prompt/tokens.ts'
import type { CountTokens } from '../prompt/tokens.ts'

/**
 * The part of a conversation that is sent. Providers reuse a prompt up to its first difference, so messages are added only at the
 * end of the window. An eviction moves everything after it, so it is rare and removes a large part at once. It cuts between
 * exchanges (a user's message and the answers to it). In a single exchange it cuts between the results of one call and the next
 * call. A tool call and its result stay together.
 */

export interface ToolCall {
  id: string
  name: string
  /** JSON text from the model. */
  arguments: string
}

export type ChatMessage =
  | { role: 'system'; text: string }
  | { role: 'user'; text: string }
  /** `native`: the provider's own form of an answer with tool calls, as JSON. The same wire format sends it back. */
  | { role: 'assistant'; text: string; toolCalls?: ToolCall[]; native?: string }
  | { role: 'tool'; callId: string; text: string; isError?: boolean }

/** Stored state of a window between turns. */
export interface ChatWindowState {
  system: ChatMessage[]
  /** Summaries of evicted messages, oldest first. A new one is added at the end. */
  summaries: string[]
  recent: ChatMessage[]
  /** The model's tokens for each token that we count, learned from its answers; absent: 1. */
  scale?: number
}

export interface ChatWindowOptions {
  budgetTokens: number
  count?: CountTokens
  /** Largest share of the conversation that one eviction removes: 0.25 to 0.5. More only where one exchange is larger. */
  chunk?: number
  state?: ChatWindowState
}

/** Tokens for role, separators and names of a message. */
const MESSAGE_TOKENS = 4
/** Least share that an eviction removes. After a smaller one the next would follow soon. */
const LEAST_CHUNK = 0.25
/** If the summaries take more than this share of the budget, an eviction drops the older half of them. */
const SUMMARY_SHARE = 0.25
/** Bounds of `scale`. A larger difference between vocabularies is an error in the counts. */
const SCALES = { least: 0.5, most: 3 }

export class ChatWindow {
  readonly budgetTokens: number
  readonly #count: CountTokens
  readonly #chunk: number
  /** Tokens of each message. Messages do not change. */
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

  /** Messages in the order for the model: system, summaries, recent messages. */
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

  /** System messages and summaries: what precedes the recent messages. */
  head(): ChatMessage[] {
    return [...this.#state.system, ...this.#state.summaries.map(asMessage)]
  }

  get tokenCount(): number {
    return Math.ceil(this.#tokens(this.messages()))
  }

  /** Number of messages, with system messages and summaries. */
  get length(): number {
    const { system, summaries, recent } = this.#state
    return system.length + summaries.length + recent.length
  }

  get isEmpty(): boolean {
    return this.length === 0
  }

  /** Tokens left in the budget. 0 where system messages and the current exchange exceed it. */
  get remaining(): number {
    return Math.max(0, this.budgetTokens - this.tokenCount)
  }

  /** Adds messages. Returns the messages that were evicted for them, oldest first, for a summary. */
  add(...messages: ChatMessage[]): ChatMessage[] {
    for (const message of messages) {
      if (message.role === 'system') this.#state.system.push(message)
      else this.#state.recent.push(message)
    }
    return this.tokenCount > this.budgetTokens ? this.#evict() : []
  }

  /** Takes an eviction back: the state before `add`, with its messages at the end, though they exceed the budget. */
  restore(before: ChatWindowState, ...messages: ChatMessage[]): void {
    this.#state = structuredClone(before)
    this.#state.recent.push(...messages)
  }

  /** Adds a summary of evicted messages after the earlier summaries. */
  summarize(text: string): void {
    this.#state.summaries.push(text)
  }

  /**
   * Adjusts the scale by an answer. `counted`: input tokens by the model. `besides`: our count of what was sent besides the
   * messages, such as tools. It moves half of the way, so that one odd answer changes the budget little.
   */
  calibrate(counted: number, besides = 0): void {
    const { scale = 1 } = this.#state
    const estimated = this.#tokens(this.messages()) / scale + besides
    if (!(counted > 0 && estimated > 0)) return
    const seen = Math.min(SCALES.most, Math.max(SCALES.least, counted / estimated))
    this.#state.scale = (scale + seen) / 2
  }

  /** Clears the conversation. System messages stay. */
  clear(): void {
    this.#state = { ...this.#state, summaries: [], recent: [] }
  }

  #evict(): ChatMessage[] {
    const { summaries, recent } = this.#state
    if (this.#tokens(summaries.map(asMessage)) > this.budgetTokens * SUMMARY_SHARE) {
      this.#state.summaries = summaries.slice(Math.ceil(summaries.length / 2))
    }
    const fixed = this.#tokens([...this.#state.system, ...this.#state.summaries.map(asMessage)])
    const available = this.budgetTokens - fixed
    const total = this.#tokens(recent)
    const cuts = recent
      .flatMap(({ role }, index) => (role === 'user' && index > 0 ? [index] : []))
      .map((index) => ({ index, kept: this.#tokens(recent.slice(index)) }))
      .filter(({ kept }) => kept <= Math.min(available, total * (1 - LEAST_CHUNK)))
    // The largest cut within `chunk`, where an exchange ends there; otherwise the smallest cut that is enough.
    const cut = cuts.findLast(({ kept }) => kept >= total * (1 - this.#chunk)) ?? cuts[0]
    const current = recent.findLastIndex(({ role }) => role === 'user')
    const from = cut?.index ?? Math.max(0, current)
    this.#state.recent = recent.slice(from)
    const evicted = recent.slice(0, from)
    return this.#tokens(this.#state.recent) <= available
      ? evicted
      : [...evicted, ...this.#evictRounds(available * (1 - this.#chunk))]
  }

  /** Evicts rounds of the current exchange, which is too long by itself. Its question and its latest rounds stay. */
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

import type { ChatMessage } from '../../src/core/conversation/window.ts'

/**
 * Blazen's rules for a conversation, reimplemented from its guide to always-on agents and from the window and the loop of its
 * source (github.com/ZachHandley/Blazen, blazen-llm: chat_window.rs, agent.rs; read 2026-11-21).
 */

const CHARS_PER_TOKEN = 3.5
const MESSAGE_TOKENS = 4
const PRIMING_TOKENS = 3
/** Assumed: its guide says that recent messages stay unchanged, but not their number. */
const KEPT_VERBATIM = 6

/** Window that adds a message, then removes the first message that is not a system message until the rest fits. */
export class BlazenWindow {
  readonly #budgetTokens: number
  #messages: ChatMessage[]

  constructor(budgetTokens: number, system: string) {
    this.#budgetTokens = budgetTokens
    this.#messages = [{ role: 'system', text: system }]
  }

  messages(): readonly ChatMessage[] {
    return this.#messages
  }

  add(...messages: readonly ChatMessage[]): void {
    for (const message of messages) {
      this.#messages.push(message)
      while (tokensOf(this.#messages) > this.#budgetTokens) {
        const first = this.#messages.findIndex(({ role }) => role !== 'system')
        if (first === -1) break
        this.#messages.splice(first, 1)
      }
    }
  }

  /** Returns the messages to summarise before each turn: all but the system message and the latest ones. */
  older(): readonly ChatMessage[] {
    return this.#messages.filter(({ role }) => role !== 'system').slice(0, -KEPT_VERBATIM)
  }

  /** Replaces the older messages by a summary. */
  compact(summary: string): void {
    const system = this.#messages.filter(({ role }) => role === 'system')
    const said = this.#messages.filter(({ role }) => role !== 'system')
    this.#messages = [...system, { role: 'user', text: summary }, ...said.slice(-KEPT_VERBATIM)]
  }
}

/**
 * Leaves out tool results whose call was evicted. Every provider refuses such a result, and a window that evicts single messages
 * produces them.
 */
export function withoutOrphans(messages: readonly ChatMessage[]): { messages: ChatMessage[]; orphans: number } {
  const kept: ChatMessage[] = []
  let open = new Set<string>()
  let orphans = 0
  for (const message of messages) {
    if (message.role === 'tool' && !open.delete(message.callId)) orphans += 1
    else kept.push(message)
    if (message.role === 'assistant') open = new Set((message.toolCalls ?? []).map(({ id }) => id))
  }
  return { messages: kept, orphans }
}

/** Puts the time before the system prompt. */
export function withTime(system: string, now: number): string {
  return `Current UTC time: ${new Date(now).toISOString()}\n\n${system}`
}

/** Tool that its loop always adds. */
const FINISH_TOOL = {
  name: 'finish_workflow',
  description: 'Ends the loop and returns a final structured result; result is any JSON value, summary is optional.',
  parameters: {
    type: 'object',
    properties: { result: { description: 'The final result.' }, summary: { type: 'string', description: 'Optional.' } },
    required: ['result'],
  },
}

/** Tool that its loop adds for a bot that injects the time. */
const TIME_TOOL = {
  name: 'current_time',
  description: 'Answers with the current time in UTC.',
  parameters: { type: 'object', properties: {} },
}

export function builtInTools(injectsTime: boolean): (typeof FINISH_TOOL | typeof TIME_TOOL)[] {
  return injectsTime ? [TIME_TOOL, FINISH_TOOL] : [FINISH_TOOL]
}

function tokensOf(messages: readonly ChatMessage[]): number {
  return messages.reduce(
    (sum, { text }) => sum + MESSAGE_TOKENS + Math.ceil(Buffer.byteLength(text) / CHARS_PER_TOKEN),
    PRIMING_TOKENS,
  )
}

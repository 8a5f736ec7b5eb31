import { EXIT_PARAMETERS, EXIT_TOOL, readArguments } from '../../contract/tool.ts'
import type { ChatMessage, ToolCall } from './window.ts'
import { breakpointsOf, MAX_ROUND_CALLS } from './breakpoints.ts'
import type { Breakpoints } from './breakpoints.ts'
import { estimateTokens } from '../prompt/tokens.ts'

/**
 * One turn of a bot, decided without doing anything: ask the model, carry out the tools it calls, ask again. The shell keeps
 * what came back in its tables and asks here what is next, so that a turn that was cut off goes on from there.
 */

export interface ToolDefinition {
  name: string
  description: string
  /** A JSON schema of an object. */
  parameters: Record<string, unknown>
}

export interface Reply {
  text: string
  /** False where the cap on the output cut it off. */
  complete: boolean
  toolCalls: ToolCall[]
  native: string | null
}

export interface ToolResult {
  text: string
  isError: boolean
}

/** One answer with tool calls, and their results in order; null where a result is still to come. */
export interface Round {
  reply: Reply
  results: (ToolResult | null)[]
}

export type TurnNext =
  /** `final`: tools stay listed, and none may be called any more. */
  { do: 'ask'; final: boolean } | { do: 'call'; calls: { index: number; call: ToolCall }[] }

/** What a turn does next, after so many rounds. An answer without tool calls ends it, and is no round. */
export function nextInTurn(rounds: readonly Round[], maxIterations: number): TurnNext {
  const last = rounds.at(-1)
  const open = (last?.reply.toolCalls ?? []).flatMap((call, index) =>
    (last?.results[index] ?? null) === null ? [{ index, call }] : [],
  )
  if (open.length > 0) return { do: 'call', calls: open }
  return { do: 'ask', final: rounds.length >= maxIterations }
}

/** Whether an answer asks for tools. After `final` it cannot: what it says counts, and what it calls does not. */
export function asksForTools(reply: Reply, final: boolean): boolean {
  return !final && reply.toolCalls.length > 0
}

/** What the model ended its turn with, by calling the exit tool; null where it did not, or said nothing with it. */
export function finishedWith(reply: Reply): string | null {
  for (const call of reply.toolCalls) {
    if (call.name !== EXIT_TOOL) continue
    const { value } = readArguments(EXIT_PARAMETERS, call.arguments)
    const result = value === null ? '' : (value as { result: string }).result
    if (result.trim() !== '') return result
  }
  return null
}

/** A round as the conversation keeps it: the calls and each one's result, never apart. */
export function roundMessages({ reply, results }: Round): ChatMessage[] {
  const { text, toolCalls, native } = reply
  return [
    { role: 'assistant', text, toolCalls, ...(native === null ? {} : { native }) },
    ...toolCalls.map((call, index): ChatMessage => {
      const result = results[index] ?? { text: 'There is no result.', isError: true }
      return { role: 'tool', callId: call.id, text: result.text, ...(result.isError ? { isError: true } : {}) }
    }),
  ]
}

/** Results that need no call: of calls beyond those that one answer may make. */
export function refusedCalls(reply: Reply): (ToolResult | null)[] {
  const text = `Not called: at most ${MAX_ROUND_CALLS} tools are called at once. Call it again.`
  return reply.toolCalls.map((_, index) => (index < MAX_ROUND_CALLS ? null : { text, isError: true }))
}

/** A result that leaves room for the conversation; what is cut off is said. */
export function boundedResult(result: ToolResult, maxTokens: number): ToolResult {
  const { text, isError } = result
  const tokens = estimateTokens(text)
  if (tokens <= maxTokens) return result
  const kept = text.slice(0, Math.floor((text.length * maxTokens) / tokens))
  return { text: `${kept}\n[cut off here: ${text.length - kept.length} more characters]`, isError }
}

/** What one call of a turn shows the model: the window, and where its breakpoints stand. */
export interface TurnView {
  messages: ChatMessage[]
  marks: Breakpoints
  /** Said behind the last breakpoint, because it is another text each time, and not kept; null: nothing. */
  aside: string | null
  /** Tools stay listed, and none may be called any more. */
  noTools: boolean
}

export function turnViewOf(
  window: { messages(): ChatMessage[]; summaryCount: number },
  { now, injectTime, final }: { now: number; injectTime: boolean; final: boolean },
): TurnView {
  const messages = window.messages()
  const aside = injectTime ? `Current time: ${new Date(now).toISOString()}` : null
  return { messages, marks: breakpointsOf(messages, window.summaryCount), aside, noTools: final }
}

/**
 * What asks for a summary of messages that were evicted: the conversation as it stood `before` they were, with the request
 * behind it. So all but the request is read from the cache, and nothing is written that nobody reads. Tools are not
 * forbidden but asked not to be used, because on some providers to forbid them is another prompt.
 */
export function summaryViewOf(before: TurnView, evicted: readonly ChatMessage[]): TurnView {
  const gone = new Set(evicted)
  const next = before.messages.slice(before.messages.findLastIndex((message) => gone.has(message)) + 1)[0]
  const upTo = next === undefined ? '' : ` up to the message that begins with ${beginning(next)}, and without it`
  const messages: ChatMessage[] = [...before.messages, { role: 'user', text: summaryRequest(upTo) }]
  return { ...before, messages, aside: null, noTools: false }
}

function beginning({ text }: ChatMessage): string {
  return JSON.stringify(text.slice(0, 80))
}

function summaryRequest(upTo: string): string {
  return (
    `Summarize the conversation above${upTo}, for yourself, in at most 200 words: facts, names, numbers, decisions, open questions. ` +
    'It will stand in place of those messages. Call no tool; answer with the summary alone.'
  )
}

/** Behind the system prompt only what is said differs from turn to turn; a summary is cut to this many characters. */
export const MAX_SUMMARY_CHARS = 4_000

import { EXIT_PARAMETERS, EXIT_TOOL, readArguments } from '../../contract/tool.ts'
import type { ChatMessage, ToolCall } from './window.ts'
import type { Placed, Unmet } from './asked-breakpoints.ts'
import { breakpointsOf, MAX_ROUND_CALLS } from './breakpoints.ts'
import type { Breakpoints } from './breakpoints.ts'
import { estimateTokens } from '../prompt/tokens.ts'

/**
 * Decisions of one turn of a bot: ask the model, run the tools that it calls, ask again. The shell stores each result in its
 * tables and asks here for the next step, so that an interrupted turn continues.
 */

export interface ToolDefinition {
  name: string
  description: string
  /** JSON schema of an object. */
  parameters: Record<string, unknown>
}

export interface Reply {
  text: string
  /** False: the output limit cut it off. */
  complete: boolean
  toolCalls: ToolCall[]
  /** The provider's own form of an answer with tool calls, as JSON; null: not needed. */
  native: string | null
}

export interface ToolResult {
  text: string
  isError: boolean
}

/** One answer with tool calls, and their results in order; null: the result is still missing. */
export interface Round {
  reply: Reply
  results: (ToolResult | null)[]
}

export type TurnNext =
  /** `final`: tools stay listed, and the model may not call one. */
  { do: 'ask'; final: boolean } | { do: 'call'; calls: { index: number; call: ToolCall }[] }

/** The next step of a turn after these rounds. An answer without tool calls ends the turn and is not a round. */
export function nextInTurn(rounds: readonly Round[], maxIterations: number): TurnNext {
  const last = rounds.at(-1)
  const open = (last?.reply.toolCalls ?? []).flatMap((call, index) =>
    (last?.results[index] ?? null) === null ? [{ index, call }] : [],
  )
  if (open.length > 0) return { do: 'call', calls: open }
  return { do: 'ask', final: rounds.length >= maxIterations }
}

/** Whether an answer asks for tools. After a `final` call its tool calls are ignored. */
export function asksForTools(reply: Reply, final: boolean): boolean {
  return !final && reply.toolCalls.length > 0
}

/** The result that the model gave to the exit tool; null: it did not call the tool, or the result is empty. */
export function exitResult(reply: Reply): string | null {
  for (const call of reply.toolCalls) {
    if (call.name !== EXIT_TOOL) continue
    const { value } = readArguments(EXIT_PARAMETERS, call.arguments)
    const result = value === null ? '' : (value as { result: string }).result
    if (result.trim() !== '') return result
  }
  return null
}

/** The messages of a round: the answer with its calls, then the result of each call. */
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

/** Error results for the calls beyond MAX_ROUND_CALLS; null for each call that will run. */
export function refusedCalls(reply: Reply): (ToolResult | null)[] {
  const text = `Not called: at most ${MAX_ROUND_CALLS} tools are called at once. Call it again.`
  return reply.toolCalls.map((_, index) => (index < MAX_ROUND_CALLS ? null : { text, isError: true }))
}

/** Cuts a result to about `maxTokens`, with a note about what was cut off. */
export function boundedResult(result: ToolResult, maxTokens: number): ToolResult {
  const { text, isError } = result
  const tokens = estimateTokens(text)
  if (tokens <= maxTokens) return result
  const kept = text.slice(0, Math.floor((text.length * maxTokens) / tokens))
  return { text: `${kept}\n[cut off here: ${text.length - kept.length} more characters]`, isError }
}

/** What one call of a turn sends to the model: the messages, and their breakpoints. */
export interface TurnView {
  messages: ChatMessage[]
  breakpoints: Breakpoints
  /** Breakpoints that could not be set as the caller asked. */
  unmet: Unmet[]
  /** Text after the last breakpoint, because it differs in each call; it is not stored. Null: none. */
  volatileText: string | null
  /** True: tools stay listed, and the model may not call one. */
  noTools: boolean
}

export function turnViewOf(
  window: { messages(): ChatMessage[]; summaryCount: number },
  { now, injectTime, final, place = automatic }: { now: number; injectTime: boolean; final: boolean; place?: Place },
): TurnView {
  const messages = window.messages()
  const { breakpoints, unmet } = place(messages, window.summaryCount)
  const volatileText = injectTime ? `Current time: ${new Date(now).toISOString()}` : null
  return { messages, breakpoints, unmet, volatileText, noTools: final }
}

/** Breakpoints of a call with these messages, `summaries` of them summaries. */
export type Place = (messages: readonly ChatMessage[], summaries: number) => Pick<Placed, 'breakpoints' | 'unmet'>

const automatic: Place = (messages, summaries) => ({ breakpoints: breakpointsOf(messages, summaries), unmet: [] })

/**
 * The call that asks for a summary of evicted messages: the conversation `before` the eviction, then the request for the summary.
 * So the call reads everything but the request from the cache. The request text asks the model not to call tools, because on some
 * providers a ban on tools changes the prompt.
 */
export function summaryViewOf(before: TurnView, evicted: readonly ChatMessage[]): TurnView {
  const evictedSet = new Set(evicted)
  const next = before.messages.slice(before.messages.findLastIndex((message) => evictedSet.has(message)) + 1)[0]
  const upTo = next === undefined ? '' : ` up to the message that begins with ${beginning(next)}, and without it`
  const messages: ChatMessage[] = [...before.messages, { role: 'user', text: summaryRequest(upTo) }]
  return { ...before, messages, volatileText: null, noTools: false }
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

/** A summary is cut to this many characters. */
export const MAX_SUMMARY_CHARS = 4_000

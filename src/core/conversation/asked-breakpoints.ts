import { breakpointsOf, MAX_BREAKPOINTS } from './breakpoints.ts'
import type { Breakpoints } from './breakpoints.ts'
import type { ChatMessage } from './window.ts'

/**
 * Breakpoints that a caller asks for in a conversation. The items are what stands behind the system prompt, counted from 0, the same at
 * every provider: a summary, a question, an answer, and the results of one round of tool calls. The parts of an answer are its text and
 * its calls, and those of a round are its results.
 */

/** A place in the conversation: behind the tools, an item, or one part of an item (`[item, part]`). */
export type AskedBreakpoint = { toolsEnd: true } | { itemEnd: number } | { partEnd: number[] }

/** `last`: the last items are no part of the prefix. `count`: the most breakpoints. */
export type AskedStrategy =
  | 'automatic'
  | { explicit: AskedBreakpoint[] }
  | { last: number }
  | { count: number }
  | { handle: string; at?: string }

/** What one call can mark. */
export interface Markable {
  /** The most breakpoints of a call; 0: the provider finds prefixes by itself. */
  most: number
  /** Whether the end of the tools can be marked. */
  tools: boolean
  /** Which parts of the model's own answers can be marked. */
  answers: 'all' | 'text' | 'none'
}

/** A breakpoint that could not be set as asked. */
export interface Unmet {
  /** Stable identifier, as in advice. */
  cause: 'breakpoint_moved' | 'breakpoint_not_markable' | 'no_tools' | 'too_many_breakpoints'
  /** Field of the request with the wish. */
  at: string
  why: string
  /** Sentence: what is done instead. */
  instead: string
}

/** Where the last breakpoint stands: behind the tools, behind the system prompt, or behind a message or a part of it. */
export type PrefixEnd = 'tools' | 'head' | { message: number; part: number | null }

export interface Placed {
  breakpoints: Breakpoints
  end: PrefixEnd
  unmet: Unmet[]
}

type Spot = Exclude<PrefixEnd, 'head'>

/** Breakpoints of one call, as its strategy asks. A handle asks for none of its own. */
export function askedBreakpoints(
  messages: readonly ChatMessage[],
  summaries: number,
  { strategy, markable, tools }: { strategy: AskedStrategy; markable: Markable; tools: number },
): Placed {
  const end: PrefixEnd = messages.every(({ role }) => role === 'system')
    ? 'head'
    : { message: messages.length - 1, part: null }
  const automatic: Placed = { breakpoints: breakpointsOf(messages, summaries), end, unmet: [] }
  if (strategy === 'automatic' || 'handle' in strategy) return automatic
  if ('count' in strategy) return { ...automatic, breakpoints: lastOf(automatic.breakpoints, strategy.count) }
  if ('last' in strategy) return beforeLast(messages, summaries, strategy.last, markable)
  // Without markers the explicit ends say what to keep warm, not what to mark.
  return explicitOnes(messages, automatic, strategy.explicit, markable, tools)
}

/** The last `count` of the automatic breakpoints: the end of this call, the end of the one before, the last summary, the head. */
function lastOf({ head, at }: Breakpoints, count: number): Breakpoints {
  const kept = [...at].toSorted((a, b) => a - b).slice(-count)
  return { head: head && count > at.size, at: new Set(kept), olderSummaries: new Set() }
}

/** The automatic breakpoints of the conversation without its last items, and one at its end. */
function beforeLast(messages: readonly ChatMessage[], summaries: number, last: number, markable: Markable): Placed {
  const items = itemsOf(messages)
  const kept = items.slice(0, Math.max(0, items.length - last))
  const boundary = kept.at(-1)?.at(-1)?.message
  if (boundary === undefined) {
    const breakpoints = { head: true, at: new Set<number>(), olderSummaries: new Set<number>() }
    return { breakpoints, end: 'head', unmet: [] }
  }
  const earlier = messages.slice(0, boundary + 1)
  const { at, ...rest } = breakpointsOf(earlier, summaries)
  const asked = { message: boundary, part: null }
  const isMarkable = markable.most === 0 || canMark(messages, asked, markable)
  const marked = [...new Set(isMarkable ? [...at, boundary] : at)]
    .toSorted((a, b) => a - b)
    .slice(-(MAX_BREAKPOINTS - 1))
  const furthest = marked.at(-1)
  const end = furthest === undefined ? 'head' : { message: furthest, part: null }
  return { breakpoints: { ...rest, at: new Set(marked) }, end, unmet: [] }
}

/**
 * The messages of a prefix that ends there; null: nothing can be kept warm up to there, as between a tool call and its result. A part of
 * an answer that is stored in the provider's own form cannot be cut from it.
 */
export function messagesUpTo(messages: readonly ChatMessage[], end: PrefixEnd): readonly ChatMessage[] | null {
  if (end === 'tools') return []
  if (end === 'head') return messages.filter(({ role }) => role === 'system')
  const kept = messages.slice(0, end.message)
  const last = messages[end.message]
  const isInRound = last?.role === 'tool' && messages[end.message + 1]?.role === 'tool'
  if (last?.role !== 'assistant') return isInRound ? null : messages.slice(0, end.message + 1)
  if (end.part === null) return (last.toolCalls ?? []).length > 0 ? null : [...kept, last]
  if (end.part > 0 || last.text === '' || last.native !== undefined) return null
  return [...kept, { role: 'assistant', text: last.text }]
}

function explicitOnes(
  messages: readonly ChatMessage[],
  automatic: Placed,
  explicit: readonly AskedBreakpoint[],
  markable: Markable,
  tools: number,
): Placed {
  const unmet: Unmet[] = []
  const spots: Spot[] = []
  for (const [index, point] of explicit.entries()) {
    const at = `cache.strategy.explicit[${index}]`
    const found = spotOf(messages, point, tools)
    if (found.unmet !== undefined) unmet.push({ at, ...found.unmet })
    const { spot } = found
    if (spot === null) continue
    if (markable.most > 0 && !canMark(messages, spot, markable)) {
      const why = `${nameOf(point)} cannot carry a marker at this provider.`
      unmet.push({ cause: 'breakpoint_not_markable', at, why, instead: 'This breakpoint is left out.' })
    } else if (!spots.some((one) => compare(one, spot) === 0)) spots.push(spot)
  }
  spots.sort(compare)
  if (markable.most > 0 && spots.length > markable.most) {
    const why = `A request may carry at most ${markable.most} breakpoints, but ${spots.length} were requested.`
    const instead = `Only the last ${markable.most} are set.`
    unmet.push({ cause: 'too_many_breakpoints', at: 'cache.strategy.explicit', why, instead })
    spots.splice(0, spots.length - markable.most)
  }
  const end = spots.at(-1)
  return end === undefined ? { ...automatic, unmet } : { breakpoints: breakpointsAt(spots), end, unmet }
}

function breakpointsAt(spots: readonly Spot[]): Breakpoints {
  const at = new Set<number>()
  const parts = new Map<number, Set<number>>()
  for (const spot of spots) {
    if (spot === 'tools') continue
    if (spot.part === null) at.add(spot.message)
    else parts.set(spot.message, new Set([...(parts.get(spot.message) ?? []), spot.part]))
  }
  const tools = spots.includes('tools') ? { tools: true as const } : {}
  return { head: false, at, olderSummaries: new Set(), ...tools, ...(parts.size === 0 ? {} : { parts }) }
}

function spotOf(
  messages: readonly ChatMessage[],
  point: AskedBreakpoint,
  tools: number,
): { spot: Spot | null; unmet?: Omit<Unmet, 'at'> } {
  if ('toolsEnd' in point) {
    if (tools > 0) return { spot: 'tools' }
    const instead = 'The prefix ends where it would without this breakpoint.'
    return { spot: null, unmet: { cause: 'no_tools', why: 'The request has no tools to end at.', instead } }
  }
  const items = itemsOf(messages)
  const [index = 0, part = null] = 'itemEnd' in point ? [point.itemEnd] : point.partEnd
  const moved = (why: string, instead: string): { unmet: Omit<Unmet, 'at'> } => ({
    unmet: { cause: 'breakpoint_moved', why, instead },
  })
  const item = items[index]
  if (item === undefined) {
    const nearest = items.length - 1
    const why = `It names item ${index} of the conversation, which has only ${items.length}.`
    return { spot: endOf(items[nearest] ?? []), ...moved(why, `The prefix ends at the last one, item ${nearest}.`) }
  }
  if (part === null) return { spot: endOf(item) }
  const named = item[part]
  if (named !== undefined) return { spot: part === item.length - 1 ? endOf(item) : named }
  const why = `It names part ${part} of item ${index}, which has only ${item.length}.`
  return { spot: endOf(item), ...moved(why, `The prefix ends at the end of item ${index}.`) }
}

type Part = Exclude<Spot, 'tools'>

/** Items of a conversation, each as its parts. */
function itemsOf(messages: readonly ChatMessage[]): Part[][] {
  const items: Part[][] = []
  for (const [message, one] of messages.entries()) {
    if (one.role === 'system') continue
    const isSameRound = one.role === 'tool' && messages[message - 1]?.role === 'tool'
    if (isSameRound) items.at(-1)?.push({ message, part: null })
    else items.push(one.role === 'assistant' ? partsOf(one, message) : [{ message, part: null }])
  }
  return items
}

function partsOf({ text, toolCalls = [] }: Extract<ChatMessage, { role: 'assistant' }>, message: number): Part[] {
  const count = toolCalls.length + (text === '' && toolCalls.length > 0 ? 0 : 1)
  return Array.from({ length: count }, (_, part) => ({ message, part }))
}

/** The end of an item: behind its last message. */
function endOf(item: readonly Part[]): Spot | null {
  const last = item.at(-1)
  return last === undefined ? null : { message: last.message, part: null }
}

function canMark(messages: readonly ChatMessage[], spot: Spot, { most, tools, answers }: Markable): boolean {
  if (most === 0) return false
  if (spot === 'tools') return tools
  const message = messages[spot.message]
  if (message?.role !== 'assistant' || answers === 'all') return message !== undefined
  const calls = message.toolCalls ?? []
  return answers === 'text' && message.text !== '' && (calls.length === 0 || spot.part === 0)
}

function nameOf(point: AskedBreakpoint): string {
  if ('toolsEnd' in point) return 'The end of the tools'
  return 'itemEnd' in point ? `Item ${point.itemEnd}` : `Part ${point.partEnd[1]} of item ${point.partEnd[0]}`
}

/** Compares two ends by their position in the prompt. */
function compare(a: Spot, b: Spot): number {
  const place = (spot: Spot): [number, number] =>
    spot === 'tools' ? [-1, 0] : [spot.message, spot.part ?? Number.MAX_SAFE_INTEGER]
  const [messageA, partA] = place(a)
  const [messageB, partB] = place(b)
  return messageA === messageB ? partA - partB : messageA - messageB
}

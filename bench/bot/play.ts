import { ChatWindow } from '../../src/core/conversation/window.ts'
import type { ChatMessage } from '../../src/core/conversation/window.ts'
import type { Breakpoints } from '../../src/core/conversation/breakpoints.ts'
import { costOf } from '../../src/core/model/price.ts'
import { estimateTokens } from '../../src/core/prompt/tokens.ts'
import { turnViewOf, summaryViewOf } from '../../src/core/conversation/turn.ts'
import type { TurnView } from '../../src/core/conversation/turn.ts'
import { toolsOf } from '../../src/durable/registry/records/bot.ts'
import { turnRequest } from '../../src/providers/conversation.ts'
import { cardById, dialectOf, modelFacts } from '../../src/providers/registry.ts'
import { caller } from '../../test/lab/caller.ts'
import { BlazenWindow, builtInTools, withoutOrphans, withTime } from './blazen.ts'
import type { Script, Tool } from './script.ts'

/** Plays one conversation by one set of rules against one lab. The window and the requests are the shipped ones. */

export interface Rules {
  /** Place of the turn's time. */
  time: 'behind_everything' | 'in_the_system_prompt' | 'nowhere'
  evicts: 'chunks' | 'one_by_one'
  /** `rolling`: ours. `head`: the system prompt alone. `ends`: tools, system prompt and the last message. */
  marks: 'rolling' | 'head' | 'ends'
  /** True if calls have cache controls; without them the provider uses its default. */
  asksCache: boolean
  lastCall: 'keeps_tools' | 'drops_tools'
  /** `before_each_turn`: a summary of all but the latest messages replaces the previous one. */
  summaries: 'none' | 'behind_earlier_ones' | 'in_place_of_earlier_ones' | 'before_each_turn'
  maxIterations: number
  builtInTools: boolean
  /** True if tool calls and their results stay in the conversation of the next turn. */
  keepsRounds: boolean
}

export const PILOTLIGHT: Rules = {
  time: 'behind_everything',
  evicts: 'chunks',
  marks: 'rolling',
  asksCache: true,
  lastCall: 'keeps_tools',
  summaries: 'none',
  maxIterations: 10,
  builtInTools: false,
  keepsRounds: true,
}

/**
 * Blazen's defaults. The places of its markers are not documented, so it gets the places with the most cache reads. It sends no
 * cache controls to providers that cache by themselves.
 */
export const BLAZEN: Rules = {
  ...PILOTLIGHT,
  time: 'in_the_system_prompt',
  evicts: 'one_by_one',
  marks: 'ends',
  asksCache: false,
  lastCall: 'drops_tools',
  builtInTools: true,
  keepsRounds: false,
}

export interface LabModel {
  provider: 'anthropic' | 'openai'
  model: string
  retention: string
}

export interface Played {
  calls: number
  inputTokens: number
  cachedTokens: number
  writtenTokens: number
  inputNanos: number
  /** Cost of the same tokens without a cache. */
  plainNanos: number
  /** Tool results that were left out because their call was evicted. */
  orphans: number
  mostTokens: number
}

const CALL_MS = 3_000
const KEY = 'bench'
const NO_MARKS: Breakpoints = { head: true, at: new Set(), olderSummaries: new Set() }
const SUMMARY = 'They talked about orders, about repairs and about what is in stock. '.repeat(12)

export async function play(
  script: Script,
  historyTokens: number,
  rules: Rules,
  { provider, model, retention }: LabModel,
): Promise<Played> {
  const lab = caller()
  const card = cardById(provider)
  if (card === undefined) throw new Error(`there is no provider ${provider}`)
  const { price } = modelFacts(card, model, lab.lab.clock.now())
  if (price === null) throw new Error(`the price of ${model} is not known`)
  const played: Played = {
    calls: 0,
    inputTokens: 0,
    cachedTokens: 0,
    writtenTokens: 0,
    inputNanos: 0,
    plainNanos: 0,
    orphans: 0,
    mostTokens: 0,
  }
  const injects = rules.time === 'in_the_system_prompt'
  const own = toolsOf({ injectTime: rules.time !== 'nowhere' }, true)
  const tools = rules.builtInTools ? [...script.tools, ...builtInTools(injects)] : [...own, ...script.tools]
  const toolTokens = estimateTokens(JSON.stringify(tools))
  const window = windowOf(script, historyTokens, rules)

  const send = async (sight: TurnView, final: boolean): Promise<number> => {
    const { path, body } = turnRequest(card, {
      model,
      messages: sight.messages,
      breakpoints: sight.breakpoints,
      volatileText: sight.volatileText,
      maxOutputTokens: 4_096,
      cache: provider === 'anthropic' || rules.asksCache ? { retention, key: KEY } : null,
      tools: final && rules.lastCall === 'drops_tools' ? [] : tools,
      noTools: final && rules.lastCall === 'keeps_tools',
    })
    const post = provider === 'anthropic' ? lab.anthropic : lab.responses
    const sent = rules.marks === 'ends' && provider === 'anthropic' ? withMarkedTools(body) : body
    const answer = await post(JSON.parse(sent) as Record<string, unknown>, KEY)
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.text}`)
    const { usage } = dialectOf(card).readAnswer(answer.text, 'application/json', answer.headers)
    const input = { ...usage, outputTokens: 0, reasoningTokens: 0 }
    const { inputTokens } = usage
    if (inputTokens === null) throw new Error('the lab counted no tokens')
    const plain = { ...input, uncachedTokens: inputTokens, cacheReadTokens: 0, cacheWriteTokens: 0 }
    played.calls += 1
    played.inputTokens += inputTokens
    played.cachedTokens += usage.cacheReadTokens ?? 0
    played.writtenTokens += usage.cacheWriteTokens ?? 0
    played.inputNanos += costOf(input, price, retention) ?? Number.NaN
    played.plainNanos += costOf({ ...plain, cacheWriteByRetention: {} }, price, retention) ?? Number.NaN
    played.mostTokens = Math.max(played.mostTokens, inputTokens)
    lab.advance(CALL_MS)
    return inputTokens
  }

  for (const [turn, line] of script.lines.entries()) {
    lab.advance(line.afterMs)
    const now = lab.lab.clock.now()
    const shown = (round: readonly ChatMessage[], final: boolean): TurnView => {
      const seen = { summaryCount: window.summaryCount, messages: () => [...window.messages(), ...round] }
      const sight = turnViewOf(seen, { now, injectTime: rules.time === 'behind_everything', final })
      const { messages, orphans } = withoutOrphans(sight.messages)
      played.orphans += orphans
      const timed = injects ? messages.map((one) => inFront(one, now)) : messages
      return { ...sight, messages: timed, breakpoints: marksBy(rules, timed, sight.breakpoints) }
    }
    const ask = async (calls: number, round: readonly ChatMessage[] = []): Promise<void> => {
      const isLast = calls >= rules.maxIterations
      window.calibrate(await send(shown(round, isLast), isLast), toolTokens)
    }
    const add = async (...messages: ChatMessage[]): Promise<void> => {
      const before = turnViewOf(window, { now, injectTime: false, final: false })
      const gone = window.add(...messages)
      if (gone.length === 0 || rules.summaries === 'none') return
      await send(summaryViewOf(before, gone), false)
      if (rules.summaries === 'in_place_of_earlier_ones') window.forgetSummaries()
      window.summarize(`${SUMMARY}${turn}`)
    }
    const older = rules.summaries === 'before_each_turn' ? window.older() : []
    if (older.length > 0) {
      const messages = [...window.head(), ...older]
      await send(
        summaryViewOf({ ...shown([], false), messages, breakpoints: marksBy(rules, messages, NO_MARKS) }, older),
        false,
      )
      window.compact(`${SUMMARY}${turn}`)
    }
    await add({ role: 'user', text: line.user })
    await ask(0)
    if (line.tool !== null) {
      const id = `call_${turn}`
      const { name, arguments: given, result } = line.tool
      const round: ChatMessage[] = [
        { role: 'assistant', text: '', toolCalls: [{ id, name, arguments: given }] },
        { role: 'tool', callId: id, text: result },
      ]
      if (rules.keepsRounds) await add(...round)
      await ask(1, rules.keepsRounds ? [] : round)
    }
    await add({ role: 'assistant', text: line.reply })
  }
  return played
}

interface Window {
  readonly summaryCount: number
  messages(): ChatMessage[]
  head(): ChatMessage[]
  add(...messages: ChatMessage[]): ChatMessage[]
  summarize(text: string): void
  forgetSummaries(): void
  older(): readonly ChatMessage[]
  compact(summary: string): void
  calibrate(counted: number, besides: number): void
}

function windowOf({ system }: Script, budgetTokens: number, rules: Rules): Window {
  if (rules.evicts === 'one_by_one') {
    const window = new BlazenWindow(budgetTokens, system)
    return {
      summaryCount: 0,
      messages: () => [...window.messages()],
      head: () => window.messages().filter(({ role }) => role === 'system'),
      add: (...messages) => {
        window.add(...messages)
        return []
      },
      summarize: () => undefined,
      forgetSummaries: () => undefined,
      older: () => window.older(),
      compact: (summary) => window.compact(summary),
      calibrate: () => undefined,
    }
  }
  let window = new ChatWindow({ budgetTokens })
  window.add({ role: 'system', text: system })
  return {
    get summaryCount() {
      return window.summaryCount
    },
    messages: () => window.messages(),
    head: () => window.head(),
    add: (...messages) => window.add(...messages),
    summarize: (text) => window.summarize(text),
    forgetSummaries: () => {
      window = new ChatWindow({ budgetTokens, state: { ...window.state(), summaries: [] } })
    },
    older: () => [],
    compact: () => undefined,
    calibrate: (counted, besides) => window.calibrate(counted, besides),
  }
}

function inFront(message: ChatMessage, now: number): ChatMessage {
  return message.role === 'system' ? { ...message, text: withTime(message.text, now) } : message
}

function marksBy({ marks }: Rules, messages: readonly ChatMessage[], ours: Breakpoints): Breakpoints {
  if (marks === 'rolling') return ours
  return { head: true, at: new Set(marks === 'head' ? [] : [messages.length - 1]), olderSummaries: new Set() }
}

/** Adds a marker at the end of the tools, which our own requests do not need. */
function withMarkedTools(body: string): string {
  const request = JSON.parse(body) as { tools?: (Tool & { cache_control?: unknown })[] }
  const last = request.tools?.at(-1)
  if (last !== undefined) last.cache_control = { type: 'ephemeral' }
  return JSON.stringify(request)
}

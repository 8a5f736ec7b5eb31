import type { LiveLimits } from '../../../core/conversation/lifecycle.ts'
import type { ChatWindowState } from '../../../core/conversation/window.ts'
import type { KeepWarm } from '../../../core/planning/plan.ts'

/** What a bot was made with. */
export interface BotConfig {
  account: string
  provider: string
  model: string
  credential: { name: string; generation: number }
  historyTokens: number
  maxOutputTokens: number
  injectTime: boolean
  /** null: nothing is asked of the provider's cache. */
  cache: BotCache | null
  /** Absent from bots that were made before there were tools. */
  tools?: BotTool[]
  maxIterations?: number
  /** Whether the model may end a turn by calling the exit tool. */
  exitTool?: boolean
  summarize?: boolean
  /** How its conversation is kept warm between turns; absent: the default plan. */
  keepWarm?: KeepWarm
}

export interface BotCache {
  retention: string
  key: string
}

/** A tool that is called over HTTP. */
export interface BotTool {
  name: string
  description: string
  /** JSON schema of the arguments. */
  parametersText: string
  url: string
  timeoutMs: number
}

export const MAX_ITERATIONS = 10

export interface BotTotals {
  turns: number
  inputTokens: number
  cachedTokens: number
  writtenTokens: number
  outputTokens: number
  /** Answers whose cost is not known, and which are not in the sum. */
  unpriced: number
}

export interface BotState {
  config: BotConfig | null
  window: ChatWindowState
  totals: BotTotals
  last: { turn: string; at: number; text: string } | null
}

const EMPTY: ChatWindowState = { system: [], summaries: [], recent: [] }
const NONE: BotTotals = {
  turns: 0,
  inputTokens: 0,
  cachedTokens: 0,
  writtenTokens: 0,
  outputTokens: 0,
  unpriced: 0,
}

/** A bot that nobody has begun. */
export const NOT_BEGUN: BotState = { config: null, window: EMPTY, totals: NONE, last: null }

/** A bot's object has its account in its name, so that nobody else's call can find it. */
export function botName(account: string, id: string): string {
  return `${account}/${id}`
}

/** The state that a bot begins with. */
export function newBotState(config: BotConfig, systemPrompt: string): BotState {
  const system = systemPrompt === '' ? [] : [{ role: 'system' as const, text: systemPrompt }]
  return { config, window: { ...EMPTY, system }, totals: NONE, last: null }
}

/** Limits that a bot's life is begun with. */
export type BotLimits = Partial<Pick<LiveLimits, 'idleTimeoutMs' | 'costBudgetNanos' | 'maxHistory'>>

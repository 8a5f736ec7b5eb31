import { EXIT_PARAMETERS, EXIT_TOOL, TIME_TOOL } from '../../contract/tool.ts'
import { ChatWindow } from '../../core/conversation/window.ts'
import type { ChatWindowState } from '../../core/conversation/window.ts'
import type { KeepWarm } from '../../core/planning/plan.ts'
import type { LiveLimits } from '../../core/conversation/lifecycle.ts'
import type { ToolDefinition } from '../../core/conversation/turn.ts'
import type { Usage } from '../../core/model/usage.ts'

/** What a bot is between two turns: plain data. */

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

/** The tools as models see them: the same list in every call of a bot's life. */
export function toolsOf(
  config: Pick<BotConfig, 'tools' | 'injectTime' | 'exitTool'>,
  taken: boolean,
): ToolDefinition[] {
  if (!taken) return []
  const listed = (config.tools ?? []).map(({ name, description, parametersText }) => ({
    name,
    description,
    parameters: schemaOf({ parametersText }),
  }))
  return [...(config.injectTime ? [TIME] : []), ...(config.exitTool === true ? [EXIT] : []), ...listed]
}

export function schemaOf({ parametersText }: Pick<BotTool, 'parametersText'>): Record<string, unknown> {
  return JSON.parse(parametersText) as Record<string, unknown>
}

const TIME: ToolDefinition = {
  name: TIME_TOOL,
  description: 'The current time, in UTC.',
  parameters: { type: 'object', properties: {}, additionalProperties: false },
}

const EXIT: ToolDefinition = {
  name: EXIT_TOOL,
  description: 'Ends your turn with its result. Call it alone, when nothing is left to do.',
  parameters: EXIT_PARAMETERS,
}

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

export function windowOf({ config, window }: BotState): ChatWindow {
  return new ChatWindow({ budgetTokens: config?.historyTokens ?? 1, state: window })
}

/** The bot with its conversation forgotten; its system prompt stays. */
export function cleared(state: BotState): BotState {
  const window = windowOf(state)
  window.clear()
  return { ...state, window: window.state() }
}

/** Folds one call's usage in; `nanos` is null where its cost is not known. */
export function added(totals: BotTotals, usage: Usage, nanos: number | null): BotTotals {
  return {
    turns: totals.turns,
    inputTokens: totals.inputTokens + (usage.inputTokens ?? 0),
    cachedTokens: totals.cachedTokens + (usage.cacheReadTokens ?? 0),
    writtenTokens: totals.writtenTokens + (usage.cacheWriteTokens ?? 0),
    outputTokens: totals.outputTokens + (usage.outputTokens ?? 0),
    unpriced: totals.unpriced + (nanos === null ? 1 : 0),
  }
}

import { EXIT_PARAMETERS, EXIT_TOOL, TIME_TOOL } from '../../../contract/tool.ts'
import type { ToolDefinition } from '../../../core/conversation/turn.ts'
import type { AskedStrategy } from '../../../core/conversation/asked-breakpoints.ts'
import type { LiveLimits } from '../../../core/conversation/lifecycle.ts'
import type { CacheProof } from '../../../core/cache/required-turn.ts'
import type { ChatWindowState } from '../../../core/conversation/window.ts'
import type { KeepWarm } from '../../../core/planning/plan.ts'

/** The configuration that a bot was created with. */
export interface BotConfig {
  account: string
  provider: string
  model: string
  credential: { name: string; generation: number }
  /** Region or location of its calls that the caller or the credential named. Absent: the deployment's. */
  region?: string
  historyTokens: number
  maxOutputTokens: number
  injectTime: boolean
  /** Null: the bot sends no cache controls. */
  cache: BotCache | null
  /** Absent from bots that were created before tools existed. */
  tools?: BotTool[]
  maxIterations?: number
  /** Whether the model may end a turn by calling the exit tool. */
  exitTool?: boolean
  summarize?: boolean
  /** Id of the managed cache that contains the beginning of every call: system and tools. Absent: none. */
  contents?: { cache: string }
  /** Whether its calls may be sent at an unknown price. Absent from bots that were created before this member existed: they may. */
  allowUnpriced?: boolean
  /** How the conversation is kept warm between turns. Absent: the default plan. */
  keepWarm?: KeepWarm
}

export interface BotCache {
  retention: string
  key: string
  /** Absent: best effort. */
  mode?: 'required'
  /** Absent: the bot places its breakpoints itself. */
  strategy?: Exclude<AskedStrategy, 'automatic'>
}

/** A tool that is called over HTTP, at a public address or at a service binding. */
export interface BotTool {
  name: string
  description: string
  /** JSON schema of the arguments. */
  parametersText: string
  url: string
  /** The service binding that receives the calls. Absent: they go to the network. */
  service?: string
  timeoutMs: number
}

/** How many tools the calls of a bot list: its own, and those that settings add. */
export function toolCount(
  { tools = [], injectTime, exitTool }: Pick<BotConfig, 'tools' | 'injectTime' | 'exitTool'>,
  takesTools: boolean,
): number {
  return takesTools ? tools.length + (injectTime ? 1 : 0) + (exitTool === true ? 1 : 0) : 0
}

/** Most model calls of one turn, where the configuration sets no other number. */
export const MAX_ITERATIONS = 10

export interface BotTotals {
  turns: number
  inputTokens: number
  cachedTokens: number
  writtenTokens: number
  outputTokens: number
  /** Answers whose cost is not known; no sum contains them. */
  unpriced: number
}

export interface BotState {
  config: BotConfig | null
  window: ChatWindowState
  totals: BotTotals
  last: { turn: string; at: number; text: string } | null
  /** What the latest calls proved of the cache. Absent: nothing, or the conversation changed since. */
  proof?: CacheProof
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

/** The state of a bot that was not started. */
export const NOT_BEGUN: BotState = { config: null, window: EMPTY, totals: NONE, last: null }

/** The name of a bot's object. It contains the account, so that no other account's call can reach it. */
export function botName(account: string, id: string): string {
  return `${account}/${id}`
}

/** The initial state of a bot. */
export function newBotState(config: BotConfig, systemPrompt: string): BotState {
  const system = systemPrompt === '' ? [] : [{ role: 'system' as const, text: systemPrompt }]
  return { config, window: { ...EMPTY, system }, totals: NONE, last: null }
}

/** Limits that are given when a bot starts. */
export type BotLimits = Partial<Pick<LiveLimits, 'idleTimeoutMs' | 'costBudgetNanos' | 'maxHistory'>>

/** Tools in the form for models. The list is the same in every call of a bot, so that it does not break the cache. */
export function toolsOf(
  config: Pick<BotConfig, 'tools' | 'injectTime' | 'exitTool'>,
  takesTools: boolean,
): ToolDefinition[] {
  if (!takesTools) return []
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

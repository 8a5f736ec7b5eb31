import { EXIT_PARAMETERS, EXIT_TOOL, TIME_TOOL } from '../../contract/tool.ts'
import { ChatWindow } from '../../core/conversation/window.ts'
import type { ToolDefinition } from '../../core/conversation/turn.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { BotConfig, BotState, BotTool, BotTotals } from '../registry/records/bot.ts'

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

export function windowOf({ config, window }: BotState): ChatWindow {
  return new ChatWindow({ budgetTokens: config?.historyTokens ?? 1, state: window })
}

/** State with an empty conversation; the system prompt stays. */
export function cleared(state: BotState): BotState {
  const { proof: _ofTheOld, ...rest } = state
  const window = windowOf(state)
  window.clear()
  return { ...rest, window: window.state() }
}

/** Adds the usage of one call to the totals. `nanos` null: its cost is unknown. */
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

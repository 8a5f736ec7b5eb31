import { ChatWindow } from '../../core/conversation/window.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { BotState, BotTotals } from '../registry/records/bot.ts'

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

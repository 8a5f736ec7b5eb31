import { askedBreakpoints } from '../../core/conversation/asked-breakpoints.ts'
import type { Placed } from '../../core/conversation/asked-breakpoints.ts'
import type { ChatMessage } from '../../core/conversation/window.ts'
import { markableIn, takesTools } from '../../providers/conversation.ts'
import { cardById } from '../../runtime/cards.ts'
import type { BotCache, BotConfig } from '../registry/records/bot.ts'
import { toolCount } from '../registry/records/bot.ts'

/** Places the breakpoints of a bot's calls, as its cache settings ask. */
export function placing(
  config: BotConfig,
  cache: BotCache | null,
): (messages: readonly ChatMessage[], summaries: number) => Placed {
  const card = cardById(config.provider)
  const markable = markableIn(card, { model: config.model, cache })
  const tools = card === undefined ? 0 : toolCount(config, takesTools(card))
  const strategy = cache?.strategy ?? 'automatic'
  return (messages, summaries) => askedBreakpoints(messages, summaries, { strategy, markable, tools })
}

import { cacheValue } from '../../contract/cache.ts'
import type { CacheInput } from '../../contract/cache.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { BotCache } from '../../durable/registry/records/bot.ts'
import { markableIn } from '../../providers/conversation.ts'
import { chooseRetention, keyWithoutEffect } from '../../providers/dialects/shared/retention.ts'
import { degraded } from '../../providers/dialects/shared/strategy.ts'
import type { CacheRequest } from '../../providers/dialect.ts'
import { wireOf } from '../../providers/registry.ts'
import { cardFor } from '../../registration/native.ts'
import { factsOf } from '../../runtime/facts.ts'

/** The parts of a bot that decide what can be asked of its cache. `tools`: how many it lists. */
export interface CachedBot {
  provider: string
  model: string
  key: string
  tools: number
}

/** `cache` null: no cache controls are sent. `advice`: what cannot be met, and what is done instead. */
export interface AskedCache {
  cache: BotCache | null
  advice: Advice[]
}

/**
 * What a bot, or one of its turns, asks of the cache. Throws `unsupported` or `invalid_request`, with the field and the cause, for a wish
 * that `required` makes a condition and that can never be met.
 */
export function botCacheFrom(given: CacheInput | undefined, bot: CachedBot, now: number): AskedCache {
  const wanted = cacheValue(given ?? 'auto')
  if (wanted.mode === 'disabled') return { cache: null, advice: [] }
  const card = cardFor(bot.provider, 'provider')
  const wire = wireOf(card)
  const retention = chooseRetention(wanted, null, factsOf(bot.provider, bot.model, now), wire.retentions)
  const plain = { retention: retention.name, key: wanted.key ?? bot.key }
  const placed = strategyFor(wanted, bot, markableIn(card, { model: bot.model, cache: plain }))
  const takesKeys = wire.keyMember !== null || wire.keyHeader !== null
  return {
    cache: {
      ...plain,
      ...(wanted.mode === 'required' ? { mode: wanted.mode } : {}),
      ...(placed.strategy === 'automatic' ? {} : { strategy: placed.strategy }),
    },
    advice: [...retention.advice, ...placed.advice, ...(takesKeys ? [] : keyWithoutEffect(wanted))],
  }
}

/** The strategy as far as the provider can follow it in every turn. What depends on the conversation is decided in each turn. */
function strategyFor(
  wanted: CacheRequest,
  { tools }: CachedBot,
  { most, tools: marksTools }: ReturnType<typeof markableIn>,
): { strategy: CacheRequest['strategy']; advice: Advice[] } {
  const { strategy } = wanted
  if (strategy === 'automatic' || 'last' in strategy) return { strategy, advice: [] }
  const itself = 'The bot places its breakpoints itself.'
  if ('handle' in strategy) {
    const at = strategy.at ?? 'cache.strategy.handle'
    const why = 'The turns of a bot at this provider do not use handles.'
    return { strategy: 'automatic', advice: degraded(wanted, { cause: 'handle_not_used', at, why, instead: itself }) }
  }
  const isCount = 'count' in strategy
  const at = isCount ? 'cache.breakpoints' : 'cache.strategy.explicit'
  if (most === 0) {
    const why = 'This request cannot carry breakpoints, because the provider finds prefixes by itself.'
    const advice = degraded(wanted, { cause: 'breakpoints_without_effect', at, why, instead: itself })
    return { strategy: isCount ? 'automatic' : strategy, advice }
  }
  const asked = isCount ? strategy.count : new Set(strategy.explicit.map((point) => JSON.stringify(point))).size
  const advice: Advice[] = []
  if (asked > most) {
    const why = `A request may carry at most ${most} breakpoints, but ${asked} were requested.`
    const instead = `Only the last ${most} are set.`
    advice.push(...degraded(wanted, { cause: 'too_many_breakpoints', at, why, instead }, 'invalid_request'))
  }
  if (isCount) return { strategy, advice }
  const instead = 'This breakpoint is left out.'
  const toolsEnd = strategy.explicit.findIndex((point) => 'toolsEnd' in point)
  if (toolsEnd >= 0 && tools === 0) {
    const why = 'The bot has no tools to end at.'
    const lack = { cause: 'no_tools', at: `${at}[${toolsEnd}]`, why, instead }
    advice.push(...degraded(wanted, lack, 'invalid_request'))
  } else if (toolsEnd >= 0 && !marksTools) {
    const why = 'This provider cannot end a prefix at its tools, because the prompt continues after them.'
    advice.push(...degraded(wanted, { cause: 'tools_end_not_offered', at: `${at}[${toolsEnd}]`, why, instead }))
  }
  return { strategy, advice }
}

import type { Advice } from '../../core/model/advice.ts'
import { worstCallNanos } from '../../core/model/price.ts'
import { toolsOf } from '../../durable/registry/records/bot.ts'
import type { BotConfig } from '../../durable/registry/records/bot.ts'
import { mostTokens } from '../../durable/registry/records/managed-cache.ts'
import type { Card } from '../../providers/card.ts'
import { takesTools, turnRequest } from '../../providers/conversation.ts'
import { boundOf } from '../../providers/tokens/bound.ts'
import { isCounted } from '../../providers/tokens/count.ts'
import { factsOf } from '../../runtime/facts.ts'
import { aboveAccount } from '../present/budget-advice.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { leftToday } from '../server/credential.ts'

const ACCOUNT_BUDGET = 'account.budget_usd_per_day'
/** Stands for the message of a user, which is not known yet. */
const SHORTEST_MESSAGE = '.'

/** Advice where the account's budget does not hold the first call of a new bot, with the shortest message: its turns would be refused. */
export async function budgetAdvice(c: Call, card: Card, config: BotConfig, system: string): Promise<Advice[]> {
  const left = await leftToday(c)
  if (left === null) return []
  const facts = factsOf(card.id, config.model, clockOf(c).now())
  const refused = isCounted(card, config.model)
    ? "A turn would ask for the provider's own count, and be refused (budget_exhausted) without it"
    : 'A turn would be refused (budget_exhausted)'
  const at = ACCOUNT_BUDGET
  if (facts.price === null) {
    const message =
      'A turn would be refused (budget_exhausted): no price is known for this model, so a call cannot be held to the budget of the account. A price (PATCH /providers/{id}), or an account without a budget, is enough.'
    return [{ cause: 'budget_without_price', message, at }]
  }
  const request = turnRequest(card, {
    messages: [
      ...(system === '' ? [] : [{ role: 'system' as const, text: system }]),
      { role: 'user' as const, text: SHORTEST_MESSAGE },
    ],
    breakpoints: { head: false, at: new Set(), olderSummaries: new Set() },
    volatileText: null,
    model: config.model,
    maxOutputTokens: config.maxOutputTokens,
    cache: config.cache,
    tools: config.contents === undefined ? toolsOf(config, takesTools(card)) : [],
    noTools: false,
  })
  const besideTokens = config.contents === undefined ? 0 : await tokensOf(c, config.contents.cache)
  const bound = boundOf(card, config.model, request.body)
  const { cache, maxOutputTokens } = config
  const most = bound.most === null || besideTokens === null ? null : bound.most + besideTokens
  const nanos = worstCallNanos(facts.price, most, cache?.retention ?? null, maxOutputTokens)
  if (nanos === null) {
    const message = `${refused}: the contents of its handle can have any number of tokens, so a call cannot be held to the budget of the account. Contents without such a part, or an account without a budget, are enough.`
    return [{ cause: 'unbounded_tokens', message, at }]
  }
  const how = `at most ${most} tokens beside the message, and an answer of ${maxOutputTokens}`
  return aboveAccount({ refused, how, nanos }, left)
}

async function tokensOf(c: Call, id: string): Promise<number | null> {
  const { state, record } = await registryOf(c).handle(id)
  return state.live?.tokens ?? mostTokens(record)
}

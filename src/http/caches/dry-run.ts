import type { Advice } from '../../core/model/advice.ts'
import type { TokenBound } from '../../core/prompt/token-bound.ts'
import { creationWorstNanos, expectedTokens, owedFromToday } from '../../core/managed-cache/plan.ts'
import type { ManagedCacheKeep } from '../../core/managed-cache/state.ts'
import { dayOf } from '../../core/time/time.ts'
import { DEFAULT_BUDGET_NANOS, DEFAULT_TTL_MS, managedCacheId } from '../../durable/registry/records/managed-cache.ts'
import type { ManagedCacheRegistration } from '../../durable/registry/records/managed-cache.ts'
import { isCounted } from '../../providers/tokens/count.ts'
import { cardById } from '../../runtime/cards.ts'
import { managedCachePricesOf } from '../../runtime/facts.ts'
import { aboveAccount, aboveWhatIsLeft, belowWorstCase } from '../present/budget-advice.ts'
import { durationJson, money } from '../present/format.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { leftToday } from '../server/credential.ts'

type Contents = Omit<ManagedCacheRegistration, 'body' | 'credentials'> & { bound: TokenBound }

const BUDGET = 'keep.budget_usd_per_day'

/** What the creation of a managed cache would reserve, and which budget would refuse it. Nothing is stored and nothing is sent. */
export async function cacheDryRun(c: Call, contents: Contents, findings: readonly Advice[]) {
  const { provider, model, fingerprint, bound, estimatedTokens } = contents
  const now = clockOf(c).now()
  const id = managedCacheId(fingerprint)
  const known = await registryOf(c).handleNamed(id)
  const state = known?.state ?? null
  const prices = managedCachePricesOf(provider, model, now)
  const ttlMs = contents.ttlMs ?? state?.ttlMs ?? DEFAULT_TTL_MS
  const keep: Pick<ManagedCacheKeep, 'budgetNanosPerDay'> = {
    budgetNanosPerDay: DEFAULT_BUDGET_NANOS,
    ...known?.record.keep,
    ...contents.keep,
  }
  const isAlive = state?.live != null && state.live.expiresAt > now
  const most = state === null ? bound.most : expectedTokens(state, { mostTokens: bound.most })
  const worst = isAlive ? 0 : creationWorstNanos(most, ttlMs, prices, now)
  const spent =
    state === null ? 0 : (state.day === dayOf(now) ? state.dayNanos : 0) + owedFromToday(state, prices.rates, now)
  const card = cardById(provider)
  const asks = card !== undefined && isCounted(card, model) && state?.measuredTokens === undefined
  const refused = asks
    ? "The creation would ask for the provider's own count, and be refused (budget_exhausted) without it"
    : 'The creation would be refused (budget_exhausted)'
  const left = await leftToday(c)
  return {
    id,
    created: known === null,
    dry_run: true as const,
    provider,
    model,
    fingerprint,
    estimated_tokens: estimatedTokens,
    most_tokens: most,
    ttl: durationJson(ttlMs),
    creation_cost_usd: isAlive
      ? 0
      : money(creationWorstNanos(Math.min(estimatedTokens, most ?? Infinity), ttlMs, prices, now)),
    worst_case_usd: money(worst),
    budget_usd_per_day: money(keep.budgetNanosPerDay),
    advice: [...budgetAdvice(), ...findings],
  }

  function budgetAdvice(): Advice[] {
    const budget = keep.budgetNanosPerDay
    if (isAlive || prices.inputNanosPerMTok === null || (budget === null && left === null)) return []
    if (most === null) {
      const at = `request.${bound.unbounded ?? ''}`
      const message = `${refused}: ${at} can have any number of tokens, and this provider states no limit of them. Contents without that part are enough, or no budget at all: ${BUDGET} null, and none of the account.`
      return [{ cause: 'unbounded_tokens', message, at }]
    }
    if (worst === null) return []
    const how = `at most ${most} tokens, with their storage for ${durationJson(ttlMs)}`
    const call = { refused, how, nanos: worst }
    const own = { what: 'budget', at: BUDGET }
    return [
      ...(budget === null ? [] : belowWorstCase(call, { cause: 'budget_below_worst_case', ...own, limit: budget })),
      ...(budget === null || worst > budget
        ? []
        : aboveWhatIsLeft(call, { cause: 'budget_spent', what: 'this day', at: BUDGET, left: budget - spent })),
      ...aboveAccount(call, left),
    ]
  }
}

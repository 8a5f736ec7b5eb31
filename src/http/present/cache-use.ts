import { cacheVerdict, compareCaches } from '../../core/events/cache-choice.ts'
import type { Advice } from '../../core/model/advice.ts'
import type { PlanContext } from '../../core/planning/plan.ts'
import { OWN_CACHE } from '../../core/prefix/parts.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import type { KeptInCache } from '../../durable/registry/records/prefix-view.ts'
import type { PrefixRecord } from '../../registration/record.ts'
import { managedCachePricesOf } from '../../runtime/facts.ts'
import { iso, money } from './format.ts'

/** What the planner chose between the provider's own cache and a managed one; empty where callers leave nothing open. */
export function cacheUseJson({
  record,
  state,
  kept,
}: {
  record: Pick<PrefixRecord, 'cacheOpen'>
  state: Pick<PrefixState, 'managed'>
  kept?: KeptInCache | undefined
}) {
  const use = state.managed ?? OWN_CACHE
  if (record.cacheOpen !== true && use.cache === null) return {}
  return {
    managed_cache: {
      in_use: use.cache !== null,
      id: use.cache,
      handle: kept?.handle ?? null,
      expires_at: iso(kept?.expiresAt ?? null),
      tokens: kept?.tokens ?? null,
      since: use.sinceAt === 0 ? null : iso(use.sinceAt),
      referred: use.referred,
      others: use.others,
      cost_usd: kept === undefined ? 0 : money(kept.costNanos),
      not_before: iso(use.notBeforeAt ?? null),
      why:
        use.why === ''
          ? "the provider's own cache keeps it until requests show that a managed one costs less"
          : use.why,
    },
  }
}

/** What a caller must do about the choice. */
export function cacheUseAdvice({ managed: use = OWN_CACHE }: Pick<PrefixState, 'managed'>): Advice[] {
  if (use.cache !== null && use.referred === 0) {
    const message =
      'The planner keeps this prefix in a managed cache, but no real request was seen to refer to its handle yet.'
    const fix = 'Send handle_body of GET /prefixes/{id}/request with your own turns in contents, and report the usage.'
    return [{ cause: 'handle_chosen', message, severity: 'hint', fix }]
  }
  if (use.cache === null && use.unused === true) {
    const message = `The planner made a managed cache, and ended it: ${use.why}.`
    const fix =
      'Send handle_body of GET /prefixes/{id}/request when it is there; POST /warm with "cache": "auto" lets it be tried again at once.'
    return [{ cause: 'handle_unused', message, severity: 'warning', fix }]
  }
  return []
}

/** The comparison that a dry run shows. */
export function comparisonJson(
  { provider, model }: Pick<PrefixRecord, 'provider' | 'model'>,
  state: PrefixState,
  context: PlanContext,
  now: number,
) {
  const comparison = compareCaches(state, context, managedCachePricesOf(provider, model, now), now)
  const use = state.managed ?? OWN_CACHE
  const { change, why } = cacheVerdict(use, comparison, now)
  const chosen = change ?? (use.cache === null ? 'own' : 'managed')
  return {
    managed_cache: {
      chosen,
      own_usd_per_hour: money(comparison === null ? null : Math.round(comparison.ownNanos)),
      managed_usd_per_hour: money(comparison === null ? null : Math.round(comparison.managedNanos)),
      creation_usd: money(comparison?.creationNanos ?? null),
      storage_usd_per_hour: money(comparison?.hourNanos ?? null),
      why,
    },
  }
}

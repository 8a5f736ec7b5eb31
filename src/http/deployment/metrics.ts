import { usd } from '../../core/model/price.ts'
import type { GuardView } from '../../durable/registry/records/guard.ts'
import type { ManagedCacheCount } from '../../durable/registry/records/managed-cache.ts'
import { account } from '../server/auth.ts'
import { registryOf, router } from '../server/context.ts'
import { orOlder } from '../server/older-object.ts'
import type { DayTotals } from '../../durable/registry/records/day.ts'

/** Prometheus text for the account of the key. Labels are kinds: no ids, no names, no tenants. */
export const metrics = router().get('/metrics', account, async (c) => {
  const registry = registryOf(c)
  const [days, counts, guards, webhook, managedCaches, missed] = await Promise.all([
    registry.totals(),
    registry.counts(),
    registry.guards(),
    registry.webhook(),
    registry.handleCounts(),
    orOlder('missCounts', registry.missCounts(), {}),
  ])
  const all = days.map(({ totals }) => totals)
  const lines = [
    ...metric('pilotlight_prefixes', 'gauge', 'Registered prefixes.', counts.prefixes),
    ...metric(
      'pilotlight_prefixes_drifted',
      'gauge',
      'Of these, the ones that real requests no longer begin with.',
      counts.drifted,
    ),
    ...metric(
      'pilotlight_edits_stopped',
      'gauge',
      'Models for which the gateway edits no body, because edits lowered what is read from the cache.',
      counts.editsAside,
    ),
    ...metric(
      'pilotlight_prefixes_alarmed',
      'gauge',
      'Of these, the ones with an alarm that has not ended.',
      counts.alarmed ?? 0,
    ),
    ...byKind('pilotlight_alarms_total', 'Alarms that were raised, by kind.', [counts.alarms ?? {}]),
    ...metric('pilotlight_stored_bytes', 'gauge', 'Bytes that the account uses in its database.', counts.storedBytes),
    ...metric(
      'pilotlight_calls_total',
      'counter',
      'Calls made to providers to warm and to keep warm.',
      sum(all, 'calls'),
    ),
    ...metric(
      'pilotlight_cost_usd_total',
      'counter',
      'What those calls cost, in US dollars.',
      usd(sum(all, 'costNanos')),
    ),
    ...metric(
      'pilotlight_unpriced_calls_total',
      'counter',
      'Calls whose cost is unknown. No sum includes them.',
      sum(all, 'unpricedCalls'),
    ),
    ...metric(
      'pilotlight_saved_usd_total',
      'counter',
      'Savings of real hits that only keep-alives made possible, in US dollars.',
      usd(sum(all, 'creditedNanos')),
    ),
    ...metric(
      'pilotlight_saved_revoked_usd_total',
      'counter',
      'Part of these savings that late reports of real requests reversed.',
      usd(sum(all, 'revokedNanos')),
    ),
    ...metric(
      'pilotlight_unknown_outcomes_total',
      'counter',
      'Calls whose outcome is unknown. They are charged at their worst case.',
      sum(all, 'unknownOutcomes'),
    ),
    ...byKind(
      'pilotlight_receipts_total',
      'Answers to probes by kind of receipt.',
      all.map(({ receipts }) => receipts),
    ),
    ...byKind(
      'pilotlight_failures_total',
      'Failed calls by kind.',
      all.map(({ failures }) => failures),
    ),
    ...guardLines(guards),
    ...managedCacheLines(managedCaches),
    ...metric(
      'pilotlight_webhook_waiting',
      'gauge',
      'Messages about stopped plans and alarms that wait for delivery.',
      webhook?.waiting ?? 0,
    ),
    ...metric(
      'pilotlight_webhook_undeliverable',
      'gauge',
      'Messages about stopped plans and alarms whose delivery was given up.',
      webhook?.undeliverable ?? 0,
    ),
    ...metric(
      'pilotlight_hits_total',
      'counter',
      'Real requests that read their prefix from the cache.',
      sum(all, 'hits'),
    ),
    ...metric('pilotlight_misses_total', 'counter', 'Real requests that did not.', sum(all, 'misses')),
    ...byKind(
      'pilotlight_diagnosed_misses_total',
      'Misses of calls through the gateway by verdict.',
      [missed],
      'verdict',
    ),
    ...metric(
      'pilotlight_cached_tokens_total',
      'counter',
      'Tokens that real requests read from the cache.',
      sum(all, 'cachedTokens'),
    ),
    ...byKind(
      'pilotlight_unmatched_observations_total',
      'Observed requests that belong to no registered prefix, by reason.',
      all.map(({ unmatched = {} }) => unmatched),
    ),
    ...metric('pilotlight_bot_calls_total', 'counter', "Bots' calls to models.", sum(all, 'botCalls')),
    ...metric(
      'pilotlight_bot_cost_usd_total',
      'counter',
      'What those calls cost, in US dollars.',
      usd(sum(all, 'botCostNanos')),
    ),
    ...metric(
      'pilotlight_bot_unpriced_calls_total',
      'counter',
      'Calls of bots whose price is unknown. No sum includes them.',
      sum(all, 'botUnpricedCalls'),
    ),
  ]
  return c.body(`${lines.join('\n')}\n`, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
})

/** One line per provider; where an account has several credentials, the worst of them. */
function guardLines(guards: readonly GuardView[]): string[] {
  const providers = [...new Set(guards.map(({ provider }) => provider))].toSorted()
  const rows = (name: string, type: string, help: string, value: (of: GuardView[]) => number): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...providers.map((id) => `${name}{provider="${id}"} ${value(guards.filter(({ provider }) => provider === id))}`),
  ]
  return [
    ...rows('pilotlight_breaker_open', 'gauge', '1 while calls pause because earlier calls failed, else 0.', (of) =>
      of.some(({ open }) => open) ? 1 : 0,
    ),
    ...rows('pilotlight_breaker_openings_total', 'counter', 'Number of times that calls began to pause.', (of) =>
      of.reduce((total, { openings }) => total + openings, 0),
    ),
    ...rows(
      'pilotlight_limit_remaining_ratio',
      'gauge',
      "Remaining share of the provider's rate limit while it is scarce, else 1.",
      (of) => Math.min(...of.map(({ remainingShare }) => remainingShare ?? 1)),
    ),
  ]
}

function managedCacheLines(counts: readonly ManagedCacheCount[]): string[] {
  const rows = (name: string, help: string, value: (of: ManagedCacheCount) => number): string[] => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...counts.map((of) => `${name}{provider="${of.provider}"} ${value(of)}`),
  ]
  return [
    ...rows('pilotlight_caches', 'Registered managed caches.', ({ registered }) => registered),
    ...rows('pilotlight_handles_live', 'Managed caches that have a handle at the provider.', ({ live }) => live),
    ...rows('pilotlight_caches_stopped', 'Managed caches that have stopped.', ({ stopped }) => stopped),
  ]
}

type Counted =
  | 'calls'
  | 'costNanos'
  | 'unpricedCalls'
  | 'creditedNanos'
  | 'revokedNanos'
  | 'unknownOutcomes'
  | 'hits'
  | 'misses'
  | 'cachedTokens'
  | 'botCalls'
  | 'botCostNanos'
  | 'botUnpricedCalls'

function sum(days: readonly DayTotals[], name: Counted): number {
  return days.reduce((total, day) => total + day[name], 0)
}

function metric(name: string, type: 'gauge' | 'counter', help: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`]
}

function byKind(name: string, help: string, days: readonly Record<string, number>[], label = 'kind'): string[] {
  const totals = new Map<string, number>()
  for (const day of days) {
    for (const [kind, count] of Object.entries(day)) totals.set(kind, (totals.get(kind) ?? 0) + count)
  }
  const rows = [...totals].toSorted().map(([kind, count]) => `${name}{${label}="${kind}"} ${count}`)
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...rows]
}

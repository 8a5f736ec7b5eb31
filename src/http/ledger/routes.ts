import * as z from 'zod'
import { invalid } from '../../contract/failure.ts'
import { armsTogether, ENOUGH_HELD_OUT, measured } from '../../core/ledger/holdout-estimate.ts'
import type { Arms } from '../../core/ledger/holdout-estimate.ts'
import type { LedgerEntry, LedgerPlace, PrefixSum, Span } from '../../durable/registry/records/ledger.ts'
import { account } from '../server/auth.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { cursor, limit, readQuery } from '../server/query.ts'
import { daysOf, ENTRY_DAYS, utcDay } from '../server/days.ts'
import { DAY_MS, dayOf } from '../../core/time/time.ts'
import { EMPTY_DAY } from '../../durable/registry/records/day.ts'
import type { DayTotals } from '../../durable/registry/records/day.ts'
import { iso, money } from '../present/format.ts'

export const ledgerQuery = z.strictObject({
  from: utcDay.optional().meta({ description: 'The first UTC day; six days before `to` when absent.' }),
  to: utcDay.optional().meta({ description: 'The last UTC day; today when absent.' }),
  group: z
    .enum(['day', 'prefix'], { error: 'must be day or prefix; if absent, every entry is listed' })
    .optional()
    .meta({ description: 'Sums by day or by prefix; absent: every entry.' }),
  cursor,
  limit: limit(200, 1_000),
})

const dayPlace = z.strictObject({ day: utcDay })
const prefixPlace = z.strictObject({ before: z.int().min(0) })
const entryPlace = z.union([
  z.strictObject({ in: z.literal('prefixes'), k: z.int().min(0), at: z.number(), shown: z.int().min(0) }),
  z.strictObject({ in: z.enum(['caches', 'bots']), seq: z.int().min(0) }),
])

export const ledger = router().get('/ledger', account, async (c) => {
  const query = readQuery(c, ledgerQuery)
  const { group } = query
  const { from, to, span } = spanOf(query.from, query.to, group, clockOf(c).now())
  const registry = registryOf(c)
  const days = (await registry.totals()).filter((one) => one.day >= from && one.day <= to)
  const holdoutDays = (await registry.trials()).filter((one) => one.day >= from && one.day <= to)
  const holdout = holdoutJson(armsTogether(holdoutDays.map(({ arms }) => arms)))
  const head = { from, to, group: group ?? 'entry', totals: sumJson(days.map(({ totals }) => totals)), holdout }
  if (group === 'day') {
    const after = decodeCursor(query.cursor, dayPlace)?.day ?? ''
    const left = days.filter((one) => one.day > after)
    const page = left.slice(0, query.limit)
    const last = page.at(-1)
    const next_cursor = last === undefined || left.length === page.length ? null : encodeCursor({ day: last.day })
    return c.json({ ...head, data: page.map((one) => ({ day: one.day, ...sumJson([one.totals]) })), next_cursor })
  }
  if (group === 'prefix') {
    const before = decodeCursor(query.cursor, prefixPlace)?.before ?? null
    const page = await registry.ledgerSums(span, before, query.limit)
    const next_cursor = page.cursor === null ? null : encodeCursor({ before: page.cursor })
    return c.json({ ...head, data: page.sums.map(prefixSumJson), next_cursor })
  }
  const place = decodeCursor(query.cursor, entryPlace)
  const page = await registry.ledgerEntries(span, place, query.limit)
  const next = page.next as LedgerPlace | null
  const data = (page.entries as LedgerEntry[]).map(entryJson)
  return c.json({ ...head, data, next_cursor: next === null ? null : encodeCursor(next) })
})

/** A span of whole UTC days, `from` and `to` included. Throws `invalid_request` for one that is empty, too long or too old. */
function spanOf(
  from: string | undefined,
  to: string | undefined,
  group: 'day' | 'prefix' | undefined,
  now: number,
): { from: string; to: string; span: Span } {
  const days = daysOf(from, to, now)
  const oldest = dayOf(now - (ENTRY_DAYS - 1) * DAY_MS)
  if (group === undefined && days.from < oldest) {
    throw invalid('from', `single entries exist only since ${oldest}; group=day and group=prefix reach further back`)
  }
  return days
}

export function sumJson(days: readonly DayTotals[]) {
  const sum = { ...EMPTY_DAY }
  for (const one of days) {
    for (const name of SUMMED) sum[name] += one[name]
  }
  const saved = sum.creditedNanos - sum.revokedNanos
  return {
    calls: sum.calls,
    cost_usd: money(sum.costNanos),
    unpriced_calls: sum.unpricedCalls,
    credited_usd: money(sum.creditedNanos),
    revoked_usd: money(sum.revokedNanos),
    saved_usd: money(saved),
    net_usd: money(saved - sum.costNanos),
    savings: sum.credits - sum.revocations,
    unpriced_savings: sum.unpricedSavings,
    hits: sum.hits,
    misses: sum.misses,
    bot_calls: sum.botCalls,
    bot_cost_usd: money(sum.botCostNanos),
    bot_unpriced_calls: sum.botUnpricedCalls,
  }
}

/** Savings of keep-alives: as credited to hits, and as measured on idle gaps that got none. */
function holdoutJson({ heldOut, kept }: Arms) {
  const found = measured(heldOut, kept)
  const whole = (nanos: number): number => money(Math.round(nanos * kept.gaps))
  const short = ENOUGH_HELD_OUT - heldOut.gaps
  const wanting =
    short > 0
      ? `${heldOut.gaps} idle gaps were held out, but a measurement needs ${ENOUGH_HELD_OUT}. Request a longer span, wait for more traffic, or raise keep_warm.holdout`
      : `${kept.gaps} idle gaps were kept, but a measurement needs ${ENOUGH_HELD_OUT}`
  return {
    held_out_gaps: heldOut.gaps,
    kept_gaps: kept.gaps,
    modelled_usd: money(Math.round(kept.worth - kept.cost)),
    measured:
      found === null
        ? null
        : {
            saved_usd: whole(found.perGap),
            low_usd: whole(found.low),
            high_usd: whole(found.high),
            per_gap_usd: money(Math.round(found.perGap)),
            confidence: 0.95,
          },
    why:
      found === null
        ? `not measured: ${wanting}`
        : `compares ${heldOut.gaps} idle gaps that were chosen at random to get no keep-alives with the ${kept.gaps} that got them`,
  }
}

const SUMMED = [
  'calls',
  'costNanos',
  'unpricedCalls',
  'creditedNanos',
  'credits',
  'revokedNanos',
  'revocations',
  'unpricedSavings',
  'hits',
  'misses',
  'botCalls',
  'botCostNanos',
  'botUnpricedCalls',
] as const

function prefixSumJson(sum: PrefixSum) {
  return {
    prefix_id: sum.id,
    name: sum.name,
    calls: sum.calls,
    cost_usd: money(sum.costNanos),
    unpriced_calls: sum.unpricedCalls,
    saved_usd: money(sum.savedNanos),
    net_usd: money(sum.savedNanos - sum.costNanos),
    savings: sum.savings,
    unpriced_savings: sum.unpricedSavings,
  }
}

function entryJson(entry: LedgerEntry) {
  if ('bot' in entry) {
    const { at, bot, turn, purpose, outcome, costNanos, why } = entry.bot
    const cost_usd = money(costNanos)
    return { type: 'bot', bot_id: bot, turn_id: turn, at: iso(at), purpose, outcome, cost_usd, why }
  }
  if ('cache' in entry) {
    const { at, event, costNanos, storageNanos, why } = entry.row
    const cost = costNanos === null || storageNanos === null ? null : costNanos + storageNanos
    return { type: 'cache', cache_id: entry.cache, at: iso(at), event, cost_usd: money(cost), why }
  }
  const { prefix, row } = entry
  if (row.type === 'saving')
    return {
      type: 'saving',
      prefix_id: prefix,
      at: iso(row.at),
      kind: row.kind,
      saved_usd: money(row.nanos),
      why: row.why,
    }
  const { at, kind, purpose, costNanos, why } = row
  return { type: 'call', prefix_id: prefix, at: iso(at), kind, purpose, cost_usd: money(costNanos), why }
}

import { holdingOf, latencyValue, probeLimit } from './break-even.ts'
import { forecastRow } from '../demand/forecast.ts'
import type { PlanContext } from './plan.ts'
import type { Holding } from './probe-policy.ts'
import { isWarm, warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import { unpackGaps } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { nextDayAt } from '../time/time.ts'

/** The expected saving of a plan per dollar, and its cost until the day ends. */
export interface BudgetRank {
  /** Net saving for each dollar spent, at the best number of further probes; -1 where nothing is saved, the largest number where it is free. */
  netPerDollar: number
  costNanos: number
}

/**
 * Ranks a prefix for a short budget. For each number of further probes in the current gap, it weighs the expected saving (the
 * avoided rewrite and the value of an avoided cold start, times the chance that the gap ends while the probes keep the entry)
 * against the expected cost of the probes. The best number counts. `costNanos` covers this gap and later gaps until midnight.
 * Null: the price or the retention is unknown.
 */
export function budgetRankOf(state: PrefixState, context: PlanContext, now: number): BudgetRank | null {
  const course = courseOf(state, context, now)
  if (course === null) return null
  const { holding, probes, firstAt, fromAt, entry, mostNanos, limit } = course
  const gaps = unpackGaps(state.gaps ?? [])
  const { lengthsMs, weights } = forecastRow(state, fromAt)
  // By the number of further probes: the weight of gaps that end while exactly that many keep the entry, and of gaps that send exactly that many.
  const ends = new Float64Array(probes + 1)
  const sends = new Float64Array(probes + 1)
  let alive = 0
  lengthsMs.forEach((length, index) => {
    const weight = weights[index] ?? 0
    const endAt = fromAt + length
    // The current gap has outlasted this length.
    if (endAt <= now) return
    alive += weight
    const needs =
      endAt <= course.coldAt ? 0 : Math.max(1, Math.ceil((endAt - firstAt - holding.ttlMs) / holding.everyMs) + 1)
    if (needs <= probes) ends[needs] = (ends[needs] ?? 0) + weight
    const takes = Math.min(probes, Math.max(0, Math.ceil((endAt - firstAt) / holding.everyMs)))
    sends[takes] = (sends[takes] ?? 0) + weight
  })
  if (alive <= 0) return { netPerDollar: -1, costNanos: mostNanos }
  const lapse = holding.write - holding.read + latencyValue(context)
  let best = -1
  let saved = 0
  let cost = entry
  let waiting = 1 - (sends[0] ?? 0) / alive
  for (let count = 1; count <= probes; count++) {
    saved += ((ends[count] ?? 0) / alive) * lapse
    cost += waiting * holding.probe
    waiting -= (sends[count] ?? 0) / alive
    if (cost > 0) best = Math.max(best, saved / cost - 1)
    else if (saved > 0) best = Number.MAX_VALUE
  }
  const later = laterNanos(gaps, limit, holding, nextDayAt(now) - now)
  return { netPerDollar: best, costNanos: Math.min(mostNanos, Math.ceil(cost + later)) }
}

/** Expected cost of later gaps until the day ends, if they are like the past ones. */
function laterNanos(gaps: readonly IdleGap[], limit: number | null, holding: Holding, leftMs: number): number {
  const lastMs = gaps.reduce((sum, { lengthMs }) => sum + lengthMs, 0)
  if (lastMs === 0) return 0
  const probes = gaps.reduce((sum, { lengthMs }) => {
    const takes = Math.max(0, Math.ceil(lengthMs / holding.everyMs) - 1)
    return sum + (limit === null ? takes : Math.min(limit, takes))
  }, 0)
  return (probes * holding.probe * leftMs) / lastMs
}

/** The most that a plan costs until the day ends; null: the price or the retention is unknown. Cheap, because it needs no forecast. */
export function mostNanosToday(state: PrefixState, context: PlanContext, now: number): number | null {
  return courseOf(state, context, now)?.mostNanos ?? null
}

function courseOf(state: PrefixState, context: PlanContext, now: number) {
  const { retention } = state
  const holding = retention === null ? null : holdingOf(state, context, retention.name, retention.ttlMs)
  if (holding === null) return null
  const warm = isWarm(state, now)
  const coldAt = warm ? (warmUntil(state) ?? now) : now
  // An overdue probe is sent now, any other when it is due.
  const firstAt = warm ? Math.max(now, coldAt - (holding.ttlMs - holding.everyMs)) : now
  const today = Math.max(0, Math.ceil((nextDayAt(now) - firstAt) / holding.everyMs))
  const limit = probeLimit(state, context)
  const probes = limit === null ? today : Math.min(today, Math.max(0, limit - state.probesSinceArrival))
  const fromAt = Math.min(now, Math.max(state.lastArrivalAt ?? 0, state.plannedAt))
  const entry = warm ? 0 : holding.write
  return { holding, probes, limit, firstAt, fromAt, coldAt, entry, mostNanos: today * holding.probe + entry }
}

/** A plan that competes for a budget. */
export interface Bid extends BudgetRank {
  k: number
}

/** Prefixes that a budget is not enough for. `bar`: the highest net per dollar among them; null: it is enough for all. */
export interface BudgetShare {
  outbid: ReadonlySet<number>
  bar: number | null
}

/** Allots a budget by falling net per dollar; equal plans by rising `k`, which is the older prefix first. */
export function shareBudget(bids: readonly Bid[], leftNanos: number): BudgetShare {
  const outbid = new Set<number>()
  let bar: number | null = null
  let left = leftNanos
  for (const { k, netPerDollar, costNanos } of bids.toSorted((a, b) => b.netPerDollar - a.netPerDollar || a.k - b.k)) {
    if (costNanos <= left) left -= costNanos
    else {
      outbid.add(k)
      bar ??= netPerDollar
    }
  }
  return { outbid, bar }
}

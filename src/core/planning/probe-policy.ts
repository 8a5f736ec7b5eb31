import { bandAt, ENOUGH_SAMPLES } from '../cache/survival-curve.ts'
import type { Survival } from '../cache/survival-curve.ts'
import type { Forecast } from '../demand/forecast.ts'
import { SHORTEST_GAP_MS } from '../demand/idle-gaps.ts'

/** One way to keep a prefix: a retention with its prices for this prefix, all in one unit of money. */
export interface Holding {
  name: string
  ttlMs: number
  /** Interval between probes: the retention less the lead. */
  everyMs: number
  write: number
  read: number
  probe: number
}

export interface Choice {
  holding: Holding
  /** The most probes in this gap; after them the entry may lapse. */
  probes: number
  /** Expected cost of the gap above one read. */
  expected: number
  /** Share of the gaps longer than the retention that the probes outlast, 0 to 1. */
  share: number
}

/** What a probe and what it finds gone cost for each ms, where the entry is readable with that probability when it comes. */
function costRate({ everyMs, write, read, probe }: Holding, readable: number, latencyValue: number): number {
  return (probe + (1 - readable) * (write - read + latencyValue)) / everyMs
}

/**
 * The holding at the interval that pays best by the curve: that of the retention, or an earlier one at the end of a band. An earlier one
 * must be cheaper by the lower bound of the curve than that of the retention is by its upper bound: evidence decides, not its absence.
 * `at`: the holding as if entries lived for so long.
 */
export function provedHolding(
  at: (ttlMs: number) => Holding,
  ttlMs: number,
  curve: Survival | undefined,
  latencyValue: number,
): Holding {
  const usual = at(ttlMs)
  const usualBand = curve === undefined ? undefined : bandAt(curve, usual.everyMs)
  if (curve === undefined || usualBand === undefined || curve.samples < ENOUGH_SAMPLES) return usual
  let best = usual
  let leastCost = costRate(usual, usualBand.upper, latencyValue)
  for (const { endMs } of curve.bands) {
    if (endMs >= ttlMs) break
    const earlier = at(endMs)
    const cost = costRate(earlier, bandAt(curve, earlier.everyMs)?.lower ?? 0, latencyValue)
    if (cost >= leastCost) continue
    best = earlier
    leastCost = cost
  }
  return best
}

/** The most probes in one idle gap, however dear a cold start is: a month at a retention of five minutes. */
const MOST_PROBES = 10_000

/**
 * The ski-rental cap: the most probes of one gap that together cost no more than the rewrite they avoid. 0: no probe can pay
 * for itself; free probes are as many as a gap may have. `latencyValue` is the value of one avoided cold start beside the tokens, in the same unit.
 */
export function maxProbes(holding: Holding, latencyValue: number): number {
  const lapse = holding.write - holding.read + latencyValue
  if (!(holding.probe >= 0) || !(lapse > 0) || !Number.isFinite(lapse)) return 0
  return Math.min(MOST_PROBES, Math.floor(lapse / holding.probe + 1e-9))
}

/** The longest gap through which the capped probes keep the entry (ms); a forecast beyond it changes nothing. */
export function reachOf(holding: Holding, latencyValue: number): number {
  return holding.ttlMs + maxProbes(holding, latencyValue) * holding.everyMs
}

/**
 * The number of probes with the least expected cost for one retention. A forecast knows no gap shorter than `SHORTEST_GAP_MS`,
 * so a retention shorter than that is kept that long at least, within the cap.
 */
export function horizon(holding: Holding, forecast: Forecast, latencyValue: number): Choice {
  const most = maxProbes(holding, latencyValue)
  const lapse = holding.write - holding.read + latencyValue
  // By the number of probes: the weight of gaps that need that many to end warm, and of gaps that send that many until they end.
  const needs = new Float64Array(most + 2)
  const sent = new Float64Array(most + 2)
  forecast.lengthsMs.forEach((length, index) => {
    const weight = forecast.weights[index] ?? 0
    const need = Math.max(0, Math.ceil((length - holding.ttlMs) / holding.everyMs))
    const takes = Math.max(0, Math.ceil(length / holding.everyMs) - 1)
    needs[Math.min(need, most + 1)] = (needs[Math.min(need, most + 1)] ?? 0) + weight
    sent[Math.min(takes, most + 1)] = (sent[Math.min(takes, most + 1)] ?? 0) + weight
  })
  let beyond = 1 - (needs[0] ?? 0)
  let waiting = 1 - (sent[0] ?? 0)
  let paid = 0
  let best = { probes: 0, expected: beyond * lapse, share: 0 }
  const need = beyond
  const least = Math.min(most, Math.max(0, Math.ceil((SHORTEST_GAP_MS - holding.ttlMs) / holding.everyMs)))
  for (let probes = 1; probes <= most; probes++) {
    paid += waiting * holding.probe
    waiting -= sent[probes] ?? 0
    beyond -= needs[probes] ?? 0
    const expected = paid + Math.max(0, beyond) * lapse
    if (probes <= least || expected < best.expected - 1e-9 * lapse) {
      best = { probes, expected, share: need <= 0 ? 0 : 1 - Math.max(0, beyond) / need }
    }
  }
  return { holding, ...best }
}

/** The fewest probes of a gap after which the given share of the requests that end gaps found the entry warm. */
export function targetProbes({ ttlMs, everyMs }: Holding, { lengthsMs, weights }: Forecast, share: number): number {
  if (share <= 0 || !(everyMs > 0)) return 0
  const ends = lengthsMs
    .map((length, index) => ({ length, weight: weights[index] ?? 0 }))
    .filter(({ length }) => Number.isFinite(length))
    .toSorted((a, b) => a.length - b.length)
  const all = ends.reduce((sum, { weight }) => sum + weight, 0)
  let reached = 0
  for (const { length, weight } of ends) {
    reached += weight
    if (reached >= share * all - 1e-9) return Math.min(MOST_PROBES, Math.max(0, Math.ceil((length - ttlMs) / everyMs)))
  }
  return 0
}

/** A shorter retention must be cheaper than this share of the longer one's cost: the longer depends less on the forecast. */
const SHORTER_AT = 0.95

/** A retention in use is left only for one below this share of its cost, because callers must change their markers. */
const LEFT_AT = 0.95

/**
 * The retention with the least expected cost of a gap, of those that the provider offers and keeps. `current`: the name of
 * the one that is in use. Null: there is nothing to choose from.
 */
export function retentionFor(
  holdings: readonly Holding[],
  forecast: Forecast,
  latencyValue: number,
  current?: string,
): Choice | null {
  let best: Choice | null = null
  let kept: Choice | null = null
  for (const holding of holdings.toSorted((a, b) => b.ttlMs - a.ttlMs)) {
    const choice = horizon(holding, forecast, latencyValue)
    if (holding.name === current) kept = choice
    if (best === null || choice.expected < SHORTER_AT * best.expected) best = choice
  }
  return kept !== null && best !== null && best.expected >= LEFT_AT * kept.expected ? kept : best
}

/** Why no probe follows the `sent` ones of a gap, as a sentence. */
export function letGoWhy(choice: Choice, forecast: Forecast, sent: number, latencyValue: number): string {
  const { holding, probes } = choice
  if (probes === 0) return choiceWhy(choice, forecast)
  const after = `kept warm at ${holding.name}; stopped after ${sent === 1 ? 'one probe' : `${sent} probes`}`
  if (probes >= maxProbes(holding, latencyValue))
    return `${after}, because more would cost more than the rewrite that they avoid`
  const what = sent > probes ? `more than ${probes} cost more than they are` : 'one more would cost more than it is'
  return `${after}, because ${what} expected to save, judging by ${gapWords(forecast)}`
}

/** The gaps behind a forecast, in words: the remembered gaps of the prefix and those of similar traffic. */
export function gapWords({ gapCount }: Pick<Forecast, 'gapCount'>): string {
  if (gapCount === 0) return 'gaps of similar traffic'
  return `its last ${gapCount === 1 ? 'gap' : `${gapCount} gaps`} and similar traffic`
}

/** The choice as a sentence. */
export function choiceWhy({ holding, probes, share }: Choice, forecast: Forecast): string {
  const from = gapWords(forecast)
  if (probes === 0)
    return `written at ${holding.name} without keep-alives: judging by ${from}, no probe would save more than it costs`
  const count = probes === 1 ? 'one probe costs' : `up to ${probes} probes cost`
  return `kept warm at ${holding.name}: ${count} less than the rewrite that ${Math.round(share * 100)} % of longer gaps would need, judging by ${from}`
}

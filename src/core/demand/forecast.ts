import { PRIOR } from './prior.ts'
import type { RequestRate } from './request-rate.ts'
import { RETURN_WEIGHTS } from './return-weights.ts'
import { ageAt, returnFeatures, STEPS } from './return-features.ts'
import type { IdleGap } from './idle-gaps.ts'
import { SHORTEST_GAP_MS, RECENT_GAPS, unpackGaps } from './idle-gaps.ts'
import { DAY_MS, HOUR_MS } from '../time/time.ts'

/** Kinds of traffic: the share of each, and the probabilities of its gap lengths. */
export type Prior = typeof PRIOR

/** Model fitted to public traces: kinds of traffic, and the weights of the return features, the intercept last. */
export interface ForecastModel {
  prior: Prior
  returns: readonly number[]
}
const FITTED: ForecastModel = { prior: PRIOR, returns: RETURN_WEIGHTS }

/** Probability distribution of an idle gap's length; the weights sum to 1. `Infinity`: no request comes any more. */
export interface Forecast {
  lengthsMs: number[]
  weights: number[]
  /** Number of observed gaps that it is based on. */
  gapCount: number
}

/** Weight of the kinds of traffic together, in observed gaps. */
const PRIOR_GAPS = 12
/** Weight of a gap relative to the next one. */
const FADE = 0.985
/** Width in hours of the bell curve around the time of day, and the least weight of a gap at another time of day. */
const HOURS_WIDE = 3
const HOURS_FLOOR = 0.1
/** Weight of a gap from a working day for a weekend, and the reverse. */
const OTHER_KIND_OF_DAY = 0.5

/** Bin of the prior for a gap length; longer lengths belong to the last bin. */
export function binOf(lengthMs: number): number {
  const bin = Math.floor(Math.log(lengthMs / SHORTEST_GAP_MS) / Math.log(PRIOR.step))
  return Math.max(0, Math.min(PRIOR.bins - 1, bin))
}

/** Representative length of each bin. The last bin is that of gaps that no request ends. */
const LENGTHS_MS = Array.from({ length: PRIOR.bins + 1 }, (_, bin) =>
  bin === PRIOR.bins ? Number.POSITIVE_INFINITY : SHORTEST_GAP_MS * PRIOR.step ** (bin + 0.5),
)

/** Probability of each kind of traffic, given the prefix's own gaps: Bayes' rule with tempered evidence. */
export function kindProbabilities(gaps: readonly IdleGap[], prior: Prior = PRIOR): number[] {
  const logs = prior.kinds.map(({ share }) => Math.log(share))
  for (const { lengthMs } of gaps) {
    const bin = binOf(lengthMs)
    prior.kinds.forEach(({ odds }, kind) => {
      logs[kind] = (logs[kind] ?? 0) + prior.temper * Math.log(odds[bin] ?? 1e-9)
    })
  }
  const most = Math.max(...logs)
  const odds = logs.map((log) => Math.exp(log - most))
  const sum = odds.reduce((a, b) => a + b, 0)
  return odds.map((value) => value / sum)
}

/**
 * Forecasts the length of the gap that begins at `now`. The first hour follows the prefix's latest gaps and similar kinds of
 * traffic; gaps at a similar time of day and kind of day weigh more. After that, up to `reachMs`, the return features give the
 * probability of a return in each step. Days are UTC, since a prefix has no time zone. Absent `requests`: none ever came.
 */
export function forecast(
  gaps: readonly IdleGap[],
  now: number,
  model: ForecastModel = FITTED,
  reachMs = Number.POSITIVE_INFINITY,
  requests?: RequestRate,
): Forecast {
  const latest = gaps.slice(-RECENT_GAPS)
  const kinds = kindProbabilities(latest, model.prior)
  const base = baseDistribution(latest, kinds, now, model.prior)
  const steps = Math.max(0, Math.min(STEPS, Math.ceil((reachMs - ageAt(0)) / (ageAt(1) - ageAt(0)))))
  const features = returnFeatures(gaps, now, typicalReturns(kinds, steps, model.prior), requests)
  const chances = returnChances(features, steps, model.returns)
  const lengthsMs: number[] = []
  const weights: number[] = []
  const put = (length: number, weight: number): void => {
    lengthsMs.push(length)
    weights.push(weight)
  }
  let beyond = 0
  base.lengthsMs.forEach((length, index) => {
    const weight = base.weights[index] ?? 0
    if (length < ageAt(0)) put(length, weight)
    else beyond += weight
  })
  chances.forEach((chance, step) => {
    // Two lengths for each step, because the probes of a retention fall at other ages.
    for (const part of [0.25, 0.75]) {
      put(ageAt(step) * (1 - part) + ageAt(step + 1) * part, (beyond * chance) / 2)
    }
    beyond *= 1 - chance
  })
  // Beyond the last step, gaps follow the kinds of traffic.
  const from = LENGTHS_MS.findIndex((length) => length >= ageAt(steps))
  let all = 0
  kinds.forEach((share, kind) => {
    const odds = model.prior.kinds[kind]?.odds ?? []
    for (let bin = from; bin < odds.length; bin++) all += share * (odds[bin] ?? 0)
  })
  kinds.forEach((share, kind) => {
    const odds = model.prior.kinds[kind]?.odds ?? []
    for (let bin = from; bin < odds.length; bin++)
      put(LENGTHS_MS[bin] ?? 0, (beyond * (share * (odds[bin] ?? 0))) / all)
  })
  return { lengthsMs, weights, gapCount: gaps.length }
}

/**
 * The forecast from the members of a prefix's row. Each probe of a gap and each explanation need it, so the last result is kept
 * for each request rate; every request makes a new one.
 */
export function forecastRow(
  { gaps, requests }: { gaps?: readonly number[]; requests?: RequestRate },
  now: number,
  reachMs = Number.POSITIVE_INFINITY,
): Forecast {
  const last = requests && lastOf.get(requests)
  if (last && last.gaps === gaps && last.now === now && last.reachMs === reachMs) return last.forecast
  const fresh = forecast(unpackGaps(gaps ?? []), now, undefined, reachMs, requests)
  if (requests) lastOf.set(requests, { gaps, now, reachMs, forecast: fresh })
  return fresh
}

const lastOf = new WeakMap<
  RequestRate,
  { gaps: readonly number[] | undefined; now: number; reachMs: number; forecast: Forecast }
>()

/** Distribution of gap lengths by the prefix's own gaps and by similar kinds of traffic, without the return features. */
function baseDistribution(
  gaps: readonly IdleGap[],
  kinds: readonly number[],
  now: number,
  prior: Prior,
): Omit<Forecast, 'gapCount'> {
  const lengthsMs: number[] = []
  const weights: number[] = []
  gaps.forEach(({ startAt, lengthMs }, index) => {
    const apart = Math.abs(hourOf(now) - hourOf(startAt))
    const hours = Math.min(apart, 24 - apart)
    const near = HOURS_FLOOR + (1 - HOURS_FLOOR) * Math.exp(-0.5 * (hours / HOURS_WIDE) ** 2)
    const day = weekend(now) === weekend(startAt) ? 1 : OTHER_KIND_OF_DAY
    lengthsMs.push(lengthMs)
    weights.push(near * day * FADE ** (gaps.length - 1 - index))
  })
  kinds.forEach((share, kind) => {
    const odds = prior.kinds[kind]?.odds ?? []
    odds.forEach((chance, bin) => {
      const weight = PRIOR_GAPS * share * chance
      if (weight < 1e-4) return
      lengthsMs.push(LENGTHS_MS[bin] ?? 0)
      weights.push(weight)
    })
  })
  const sum = weights.reduce((a, b) => a + b, 0)
  return { lengthsMs, weights: weights.map((weight) => weight / sum) }
}

/** Probability that a gap which reached the start of a step ends in that step, by the kinds of traffic. */
export function typicalReturns(kinds: readonly number[], steps: number, prior: Prior): number[] {
  const lasting = survivals(prior)
  const alive = Array.from({ length: steps + 1 }, (_, step) =>
    kinds.reduce((sum, share, kind) => sum + share * (lasting[kind]?.[step] ?? 0), 0),
  )
  return Array.from({ length: steps }, (_, step) => 1 - (alive[step + 1] ?? 0) / Math.max(1e-12, alive[step] ?? 0))
}

function returnChances(features: Float64Array, steps: number, weights: readonly number[]): number[] {
  const size = weights.length - 1
  return Array.from({ length: steps }, (_, step) => {
    let sum = weights[size] ?? 0
    for (let index = 0; index < size; index++) sum += (weights[index] ?? 0) * (features[step * size + index] ?? 0)
    return 1 / (1 + Math.exp(-sum))
  })
}

/** For each kind, the share of its gaps that last to the start of each step. Computed once for each prior. */
function survivals(prior: Prior): readonly (readonly number[])[] {
  const known = survivalsOf.get(prior)
  if (known !== undefined) return known
  const fresh = prior.kinds.map((_kind, kind) =>
    Array.from({ length: STEPS + 1 }, (_step, step) => survival(prior, kind, ageAt(step))),
  )
  survivalsOf.set(prior, fresh)
  return fresh
}

const survivalsOf = new WeakMap<Prior, readonly (readonly number[])[]>()

/** Share of a kind's gaps that last longer than `ageMs`. */
function survival(prior: Prior, kind: number, ageMs: number): number {
  const odds = prior.kinds[kind]?.odds ?? []
  const from = Math.log(ageMs / SHORTEST_GAP_MS) / Math.log(prior.step)
  let sum = 0
  for (let bin = Math.max(0, Math.floor(from)); bin < odds.length; bin++) {
    const part = bin === prior.bins ? 1 : Math.min(1, bin + 1 - from)
    sum += (odds[bin] ?? 0) * part
  }
  return sum
}

function hourOf(at: number): number {
  return (((at % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS
}

/** Saturday or Sunday in UTC; the epoch was a Thursday. */
function weekend(at: number): boolean {
  const day = (((Math.floor(at / DAY_MS) + 3) % 7) + 7) % 7
  return day >= 5
}

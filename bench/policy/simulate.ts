import { oracle as bound } from '../../src/core/simulation/oracle.ts'
import type { ForecastModel } from '../../src/core/demand/forecast.ts'
import { maxProbes } from '../../src/core/planning/probe-policy.ts'
import type { Holding } from '../../src/core/planning/probe-policy.ts'
import { choosingRetention, replay } from '../../src/core/simulation/replay.ts'
import type { ReplayPolicy } from '../../src/core/simulation/replay.ts'
import type { ObservedGap, Traffic } from '../../src/core/demand/traffic.ts'
import type { PriceRow } from './prices.ts'
import type { Stream } from './traces.ts'

export { fixedProbes } from '../../src/core/simulation/replay.ts'

/** Result of one policy on one stream. `excess`: money above the cost with every request a read, plus the value of its cold starts. */
export interface Outcome {
  excess: number
  cold: number
  probes: number
  gaps: number
}

/** Converts a stream, which is in seconds, to traffic in milliseconds. */
function trafficOf({ starts, lengths, lastStart, lastLength, counted }: Stream): Traffic {
  const seen = (start: number, length: number, index: number): ObservedGap => {
    const requests = counted[index]
    if (requests === undefined) throw new Error(`no count of requests at gap ${index}`)
    return { startAt: start * 1000, lengthMs: length * 1000, requests }
  }
  return {
    gaps: starts.map((start, index) => seen(start, lengths[index] ?? 0, index)),
    last: seen(lastStart, lastLength, starts.length),
  }
}

export function play(stream: Stream, player: ReplayPolicy, latencyValue: number): Outcome {
  const traffic = trafficOf(stream)
  const { probes, coldStarts, probesCost, rewritesCost, firstCost } = replay(traffic, player)
  return {
    excess: firstCost + rewritesCost + probesCost + (1 + coldStarts) * latencyValue,
    cold: coldStarts,
    probes,
    gaps: longGaps(traffic),
  }
}

/** Randomised ski rental: the threshold, as a share of break-even, is drawn with density e^x ÷ (e − 1). */
export function randomised(holding: Holding, latencyValue: number, random: () => number): ReplayPolicy {
  const most = maxProbes(holding, latencyValue)
  return { write: () => holding, probes: () => Math.floor(most * Math.log(1 + random() * (Math.E - 1))) }
}

/** The shipped planner, which knows only this stream's past. */
export function pilotlight(row: PriceRow, latencyValue: number, model?: ForecastModel): ReplayPolicy {
  return choosingRetention(row.holdings, latencyValue, model)
}

/** Lowest possible cost of this stream. */
export function oracleCost(stream: Stream, holdings: readonly Holding[], latencyValue: number): number {
  return oracleOutcome(stream, holdings, latencyValue).excess
}

/** Outcome with the lowest cost; one of them if several cost the same. */
export function oracleOutcome(stream: Stream, holdings: readonly Holding[], latencyValue: number): Outcome {
  const traffic = trafficOf(stream)
  const { cost, coldStarts, probes } = bound(traffic, holdings, latencyValue)
  return { excess: cost, cold: coldStarts, probes, gaps: longGaps(traffic) }
}

function longGaps({ gaps }: Traffic): number {
  return gaps.filter(({ lengthMs }) => lengthMs > 300_000).length
}

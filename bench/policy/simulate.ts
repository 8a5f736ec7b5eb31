import { clairvoyant as bound } from '../../src/core/clairvoyant.ts'
import type { Lessons } from '../../src/core/demand.ts'
import { horizon, mostProbes, reachOf, retentionFor } from '../../src/core/policy.ts'
import type { Holding } from '../../src/core/policy.ts'
import { memory, play as replay } from '../../src/core/replay.ts'
import type { Player, Traffic } from '../../src/core/replay.ts'
import type { PriceRow } from './prices.ts'
import type { Stream } from './traces.ts'

export { fixed } from '../../src/core/replay.ts'

/** What one policy did on one stream. `excess`: money above the floor where every request is a read, and the worth of cold starts. */
export interface Outcome {
  excess: number
  cold: number
  probes: number
  gaps: number
}

/** Streams count in seconds, the product in milliseconds. */
function trafficOf({ starts, lengths, lastStart, lastLength, counted }: Stream): Traffic {
  const seen = (index: number) => {
    const requests = counted[index]
    return requests === undefined ? {} : { requests }
  }
  return {
    gaps: starts.map((start, index) => ({
      startAt: start * 1000,
      lengthMs: (lengths[index] ?? 0) * 1000,
      ...seen(index),
    })),
    last: { startAt: lastStart * 1000, lengthMs: lastLength * 1000, ...seen(starts.length) },
  }
}

export function play(stream: Stream, player: Player, latencyValue: number): Outcome {
  const traffic = trafficOf(stream)
  const { probes, coldStarts, probesCost, rewritesCost, firstCost } = replay(traffic, player)
  return {
    excess: firstCost + rewritesCost + probesCost + (1 + coldStarts) * latencyValue,
    cold: coldStarts,
    probes,
    gaps: traffic.gaps.filter(({ lengthMs }) => lengthMs > 300_000).length,
  }
}

/** Randomised ski rental: the threshold is drawn with density e^x ÷ (e − 1) of break-even. */
export function randomised(holding: Holding, latencyValue: number, random: () => number): Player {
  const most = mostProbes(holding, latencyValue)
  return { write: () => holding, probes: () => Math.floor(most * Math.log(1 + random() * (Math.E - 1))) }
}

/** The shipped planner, over what it remembers of this stream and nothing else. */
export function pilotlight(row: PriceRow, latencyValue: number, lessons?: Lessons): Player {
  const { foresight, ended } = memory(lessons)
  const reach = Math.max(...row.holdings.map((holding) => reachOf(holding, latencyValue)))
  let standing: string | undefined
  return {
    write: (at, requests) => {
      const choice = retentionFor(row.holdings, foresight(at, reach, requests), latencyValue, standing)
      if (choice === null) throw new Error('a price row without a retention')
      standing = choice.holding.name
      return choice.holding
    },
    probes: (at, holding, requests) =>
      horizon(holding, foresight(at, reachOf(holding, latencyValue), requests), latencyValue).probes,
    ended,
  }
}

/** What nobody could pay less than on this stream. */
export function clairvoyant(stream: Stream, holdings: readonly Holding[], latencyValue: number): number {
  return bound(trafficOf(stream), holdings, latencyValue).cost
}

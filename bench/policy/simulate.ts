import { foresee, remember, SHORTEST_GAP_MS } from '../../src/core/demand.ts'
import type { IdleGap, Lessons } from '../../src/core/demand.ts'
import { horizon, mostProbes, reachOf, retentionFor } from '../../src/core/policy.ts'
import type { Holding } from '../../src/core/policy.ts'
import type { PriceRow } from './prices.ts'
import type { Stream } from './traces.ts'

/** What one policy did on one stream. `excess`: money above the floor where every request is a read; no latency in it. */
export interface Outcome {
  excess: number
  cold: number
  probes: number
  gaps: number
}

/** A policy on one stream: which holding to write at an instant (ms), and how many probes a gap gets. */
export interface Player {
  write(at: number): Holding
  probes(at: number, holding: Holding): number
  ended?(gap: IdleGap): void
}

export function play(stream: Stream, player: Player, latencyValue: number): Outcome {
  const first = stream.lengths.length === 0 ? stream.lastStart : (stream.starts[0] ?? 0)
  let holding = player.write(first * 1000)
  const outcome = { excess: holding.write - holding.read + latencyValue, cold: 0, probes: 0, gaps: 0 }
  const idle = (startAt: number, length: number): number => {
    if (length <= holding.everyMs) return 0
    const sent = Math.min(player.probes(startAt, holding), Math.ceil(length / holding.everyMs) - 1)
    outcome.probes += sent
    outcome.excess += sent * holding.probe
    return sent
  }
  stream.starts.forEach((start, index) => {
    const length = (stream.lengths[index] ?? 0) * 1000
    const startAt = start * 1000
    if (length > 300_000) outcome.gaps++
    const sent = idle(startAt, length)
    player.ended?.({ startAt, lengthMs: length })
    if (length > sent * holding.everyMs + holding.ttlMs) {
      holding = player.write(startAt + length)
      outcome.cold++
      outcome.excess += holding.write - holding.read + latencyValue
    }
  })
  idle(stream.lastStart * 1000, stream.lastLength * 1000)
  return outcome
}

/** At most so many probes in every gap. */
export const fixed = (holding: Holding, probes: number): Player => ({ write: () => holding, probes: () => probes })

/** Randomised ski rental: the threshold is drawn with density e^x ÷ (e − 1) of break-even. */
export function randomised(holding: Holding, latencyValue: number, random: () => number): Player {
  const most = mostProbes(holding, latencyValue)
  return { write: () => holding, probes: () => Math.floor(most * Math.log(1 + random() * (Math.E - 1))) }
}

/** The shipped planner, over what it remembers of this stream and nothing else. */
export function pilotlight(row: PriceRow, latencyValue: number, lessons?: Lessons): Player {
  let gaps: IdleGap[] = []
  return {
    write: (at) => {
      const reach = Math.max(...row.holdings.map((holding) => reachOf(holding, latencyValue)))
      const choice = retentionFor(row.holdings, foresee(gaps, at, lessons, reach), latencyValue)
      if (choice === null) throw new Error('a price row without a retention')
      return choice.holding
    },
    probes: (at, holding) =>
      horizon(holding, foresee(gaps, at, lessons, reachOf(holding, latencyValue)), latencyValue).probes,
    ended: (gap) => {
      if (gap.lengthMs >= SHORTEST_GAP_MS) gaps = remember(gaps, gap)
    },
  }
}

/** The least that anybody could pay who knows every arrival: an exact dynamic program over the retention held. */
export function clairvoyant(stream: Stream, holdings: readonly Holding[], latencyValue: number): number {
  let costs = holdings.map(({ write, read }) => write - read + latencyValue)
  for (const seconds of stream.lengths) {
    const length = seconds * 1000
    // What lapsed is written anew in any retention: at the request, as a cold start, or just before it, as a write and a read.
    const lapsed = Math.min(
      ...holdings.map(({ ttlMs }, from) => (length > ttlMs ? (costs[from] ?? Infinity) : Infinity)),
    )
    costs = holdings.map(({ ttlMs, everyMs, write, read, probe }, index) => {
      const need = Math.max(0, Math.ceil((length - ttlMs) / everyMs))
      return Math.min((costs[index] ?? Infinity) + need * probe, lapsed + Math.min(write - read + latencyValue, write))
    })
  }
  return Math.min(...costs)
}

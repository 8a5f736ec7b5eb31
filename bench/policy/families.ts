import { addRequests } from '../../src/core/demand/request-rate.ts'
import type { RequestRate } from '../../src/core/demand/request-rate.ts'
import type { Stream } from './traces.ts'

const HOUR = 3600
const DAY = 24 * HOUR
const DAYS = 14
const STREAMS = 6

/** Generates traffic from a seed: six streams of two weeks of each family. No figure of docs/planner.md is fitted on it. */
export function synthetic(seed: number): Stream[] {
  let state = seed >>> 0
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  const after = (mean: number): number => -mean * Math.log(random())
  const pareto = (shape: number): number => 60 / random() ** (1 / shape)
  const every = (step: () => number): number[] => {
    const times: number[] = []
    for (let t = step(); t < DAYS * DAY; t += step()) times.push(t)
    return times
  }
  const makes: Record<string, () => number[]> = {
    'poisson-15m': () => every(() => after(HOUR / 4)),
    'poisson-3h': () => every(() => after(3 * HOUR)),
    'poisson-12h': () => every(() => after(12 * HOUR)),
    bursts: () => every(() => (random() < 0.05 ? after(8 * HOUR) : after(40))),
    'business-hours': () =>
      every(() => after(HOUR / 3)).filter(
        (t) => Math.floor(t / DAY) % 7 < 5 && t % DAY >= 9 * HOUR && t % DAY < 17 * HOUR,
      ),
    'cron-6h': () => every(() => 6 * HOUR),
    'cron-24h': () => every(() => DAY),
    'heavy-tail': () => every(() => pareto(0.6)),
    // Returns come just after the break-even of a five-minute entry, and of an hour's one.
    'anti-break-even-5m': () => every(() => 11 * 270 + 301),
    'anti-break-even-1h': () => every(() => 18 * 3300 + 3601),
  }
  return Object.entries(makes).flatMap(([family, make]) =>
    Array.from({ length: STREAMS }, (_, index) => {
      const times = make()
      const last = times.at(-1) ?? 0
      const lengths = times.slice(1).map((t, before) => t - (times[before] ?? 0))
      return {
        name: `${family}-${index}`,
        family,
        source: `${family}-${index}`,
        requests: times.length,
        starts: times.slice(0, -1),
        lengths,
        lastStart: last,
        lastLength: DAYS * DAY - last,
        counted: countedOf(times),
      }
    }),
  )
}

function countedOf(times: readonly number[]): RequestRate[] {
  let requests: RequestRate | null = null
  return times.map((t) => (requests = addRequests(requests, t * 1000)))
}

import { figuresOf } from '../test/scenarios/figures.ts'
import { badDay, goodDay } from '../test/scenarios/settings.ts'
import { Timing } from '../test/scenarios/timing.ts'
import { World } from '../test/scenarios/world.ts'
import { cpuSeconds, say } from './figure.ts'
import type { Figure } from './figure.ts'
import { HOUR_MS, MINUTE_MS } from '../src/core/time/time.ts'

const SEEDS = [1, 2, 3]

/** Runs the days of test/scenarios at full size. */
export async function world(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const seed of SEEDS) {
    say(`world: seed ${seed} of ${SEEDS.join(', ')} …`)
    const { result, cpuS } = await cpuSeconds(() => figuresOf(new World(badDay(seed)).runFor(24 * HOUR_MS)))
    const of = `seed ${seed}`
    figures.push(
      {
        name: `${of}: lapses`,
        value: result.lapses,
        unit: 'of 10,000 prefixes in 24 h',
        aim: '0',
        how: "judged by the lab's cache model: every request that found nothing after a first write, and every entry cold at the end",
      },
      {
        name: `${of}: calls`,
        value: result.ratio,
        unit: '× the fewest',
        aim: '≤ 1.05',
        how: `${result.accepted} calls accepted by the provider, first writes included, over Σ ⌊(horizon − first write) ÷ retention⌋ = ${result.fewest}`,
      },
      {
        name: `${of}: CPU`,
        value: cpuS,
        unit: 's',
        aim: '< 60',
        how: 'process.cpuUsage of the whole world, provider and faults included',
      },
      ...good(seed),
    )
  }
  const notes = [
    'Faults of the bad day: 1 % throttled (retry-after up to 2 s), 0.5 % 5xx, 0.5 % silent for 5 s; messages late by a log-normal with median 1 s and p99.9 6 s, 1 % delivered twice, 0.1 % lost; 10 % of cron ticks missing and one outage of cron for 30 minutes.',
  ]
  return { figures, notes }
}

/** Runs the same day without faults and measures how close to the lapse the calls come. */
function good(seed: number): Figure[] {
  say(`world: seed ${seed}, without faults …`)
  const timing = new Timing()
  const day = new World(goodDay(seed), timing.watch)
  timing.of(day)
  const { lapses, accepted } = figuresOf(day.runFor(24 * HOUR_MS))
  const of = `seed ${seed}, good day`
  return [
    {
      name: `${of}: late`,
      value: (100 * lapses) / accepted,
      unit: '% of calls',
      aim: '< 0.1',
      how: `${lapses} accepted after their entry's expiry, or not sent because it was too late, of ${accepted}`,
    },
    ...[...timing.intervalShares()].map(([ttlMs, { meanMs, share }]) => ({
      name: `${of}: interval at ${ttlMs / MINUTE_MS} min`,
      value: 100 * share,
      unit: '% of the longest safe one',
      aim: '≥ 97',
      how: `mean ${(meanMs / 1_000).toFixed(1)} s, over the retention less ${(timing.delayMs(999) / 1_000).toFixed(2)} s, the 99.9th percentile from intended send to the provider's receipt`,
    })),
  ]
}

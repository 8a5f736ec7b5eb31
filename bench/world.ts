import { figuresOf } from '../test/scenarios/figures.ts'
import { badDay, HOUR_MS } from '../test/scenarios/settings.ts'
import { World } from '../test/scenarios/world.ts'
import { cpuSeconds, say } from './figure.ts'
import type { Figure } from './figure.ts'

const SEEDS = [1, 2, 3]

/** The day of test/scenarios at its full size. */
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
        aim: '≤ 1.08',
        how: `${result.accepted} calls accepted by the provider, first writes included, over Σ ⌊(horizon − first write) ÷ retention⌋ = ${result.fewest}`,
      },
      {
        name: `${of}: CPU`,
        value: cpuS,
        unit: 's',
        aim: '< 60',
        how: 'process.cpuUsage of the whole world, provider and faults included',
      },
    )
  }
  const notes = [
    'Faults: 1 % throttled (retry-after up to 2 s), 0.5 % 5xx, 0.5 % silent for 5 s; messages late by a log-normal with median 1 s and p99.9 6 s, 1 % delivered twice, 0.1 % lost; 10 % of cron ticks missing and one outage of cron for 30 minutes.',
  ]
  return { figures, notes }
}

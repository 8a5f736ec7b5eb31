import { measured } from '../src/core/ledger/holdout-estimate.ts'
import { HOLDOUT_WORLDS, holdoutRun, trueSaving } from '../test/scenarios/holdout.ts'
import { say } from './figure.ts'
import type { Figure } from './figure.ts'

const SEEDS = 100
const SHARE = 0.2
const GAPS_EACH = 40

/** Compares the measured saving with the true one, known from runs of the same account with all gaps held out and with none. */
export async function holdout(): Promise<{ figures: Figure[]; notes: string[] }> {
  const figures: Figure[] = []
  for (const [name, world] of Object.entries(HOLDOUT_WORLDS)) {
    say(`holdout: ${name}, ${world.about} …`)
    const all = { covered: 0, withZero: 0, truth: 0, width: 0, given: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const truth = trueSaving(holdoutRun(world, seed, 1, GAPS_EACH), holdoutRun(world, seed, 1e-12, GAPS_EACH))
      const { heldOut, kept } = holdoutRun(world, seed, SHARE, GAPS_EACH).arms
      const found = measured(heldOut, kept)
      all.truth += truth / SEEDS
      if (found === null) continue
      all.given += 1
      all.width += found.high - found.low
      if (found.low <= truth && truth <= found.high) all.covered += 1
      if (found.low <= 0 && 0 <= found.high) all.withZero += 1
    }
    const cents = (nanos: number): number => Number((nanos / 1e7).toFixed(3))
    figures.push(
      {
        name: `${name}: true saving`,
        value: cents(all.truth),
        unit: 'US cents per idle gap',
        how: `${world.about}: the mean over ${SEEDS} seeds, each played with every gap held out and with none`,
      },
      {
        name: `${name}: covered`,
        value: all.covered,
        unit: `of ${SEEDS} seeds`,
        aim: '≥ 90',
        how: `the 95 % interval, measured with ${SHARE * 100} % of the gaps held out by the planner, holds the true saving of the same account`,
      },
      {
        name: `${name}: contains zero`,
        value: all.withZero,
        unit: `of ${SEEDS} seeds`,
        ...(name === 'none' ? { aim: '≥ 90' } : {}),
        how: `a saving that cannot be told from none; the interval is ${cents(all.width / Math.max(1, all.given))} cents wide on average, and was given in ${all.given} of ${SEEDS}`,
      },
    )
  }
  const notes = [
    `Each account has 10 prefixes of some 20,000 tokens (log-normal) with ${GAPS_EACH} idle gaps each, exponential in length; a 5-minute retention at $3 per million.`,
  ]
  return { figures, notes }
}

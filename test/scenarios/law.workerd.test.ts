import * as fc from 'fast-check'
import { expect, inject, it } from 'vitest'
import { evenly } from '../support/evenly.ts'
import { ACTS, LawRun, OFTEN } from './law/acts.ts'
import type { Terms } from './law/acts.ts'
import type { Counting } from './law/world.ts'

declare module 'vitest' {
  interface ProvidedContext {
    lawSeconds: number
    lawSeed: number
  }
}

/**
 * The law of budgets, in the real runtime: random scripts of all that spends, against an accountant who knows the providers' transcript and the
 * price rows alone. LAW_SECONDS plays longer, LAW_SEED repeats a seed.
 */

const unit = evenly(0, 1)
const steps = fc.array(fc.record({ act: fc.constantFrom(...ACTS, ...OFTEN), which: unit, how: unit }), {
  minLength: 60,
  maxLength: 120,
})
const termsWith = (counting: Counting): fc.Arbitrary<Terms> =>
  fc.record({
    counting: fc.constant(counting),
    kind: fc.constantFrom(0, 1, 2),
    withTool: fc.boolean(),
    budget: fc.constantFrom(0.15, 0.22, 0.5, 1.5),
    accountBudget: fc.constantFrom(null, 0.5, 1, 3),
    cacheBudget: fc.constantFrom(null, 0.15, 0.4),
    botBudget: fc.constantFrom(0.03, 0.1, 1),
  })

/** As many scripts are played however slow the machine is. */
const LEAST_SCRIPTS = 4

let accounts = 0

/** Plays scripts for some time. Fails with the seed and the script that breaks the law, and tells what happened in it. */
async function play(counting: Counting, seed: number, seconds: number) {
  const endAt = performance.now() + seconds * 1_000
  const sums = { runs: 0, sent: 0, uncounted: 0, beyond: 0, refused: 0, told: 0 }
  await fc.assert(
    fc.asyncProperty(termsWith(counting), steps, async (terms, taken) => {
      // Not a limit of fast-check's: that one leaves the last script running beside the next.
      if (sums.runs >= LEAST_SCRIPTS && performance.now() > endAt) return
      const run = new LawRun(terms)
      const { accountant } = run.world
      accounts += 1
      try {
        await run.begin(`law-${accounts}`)
        for (const step of taken) if (accountant.broken.length === 0) await run.take(step)
        if (accountant.broken.length === 0) await run.finish()
      } finally {
        await run.world.leave()
      }
      sums.runs += 1
      sums.sent += accountant.bills.length
      sums.uncounted += accountant.bills.filter(({ told }) => told !== 'exact').length
      sums.beyond += accountant.beyond
      sums.refused += run.refused
      sums.told += run.told
      expect([...accountant.broken.slice(0, 3), ...(accountant.broken.length > 0 ? run.story : [])]).toEqual([])
    }),
    { seed, numRuns: 10_000, endOnFailure: true },
  )
  return sums
}

const { lawSeconds, lawSeed } = { lawSeconds: inject('lawSeconds'), lawSeed: inject('lawSeed') }
/** The gate plays the same scripts each time. With LAW_SECONDS, half of the time goes to a seed of its own. */
const seconds = lawSeconds / 2
const another = lawSeed === 0 && lawSeconds > 0 ? Math.floor(Math.random() * 2 ** 31) : lawSeed

it.each([
  ['as prompts usually are', 'usual'],
  ['up to the bound', 'bound'],
  ['beyond the bound', 'hostile'],
] as const)(
  'of a provider that bills %s, no budget is passed, and the ledger is the transcript',
  async (_, counting) => {
    const fixed = await play(counting, 20261201, seconds)
    const random = await play(counting, another, seconds)
    for (const happened of [fixed.sent + random.sent, fixed.refused + random.refused])
      expect(happened).toBeGreaterThan(2)
    const isHostile = counting === 'hostile'
    expect(fixed.beyond > 0).toBe(isHostile)
    if (!isHostile) expect(fixed.told + random.told).toBe(0)
  },
  3_600_000,
)

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { evenly } from '../support/evenly.ts'
import { ACTS, LawRun, OFTEN } from './law/acts.ts'
import type { Terms } from './law/acts.ts'
import type { Counting } from './law/world.ts'

/**
 * The law of budgets, in the real runtime: random scripts of all that spends, against an accountant who knows the providers' transcript and the
 * price rows alone.
 */

declare const process: { env: Record<string, string | undefined> }

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

let accounts = 0

async function play(counting: Counting, seed: number, ms: number) {
  const sums = { runs: 0, sent: 0, loose: 0, exceeded: 0, answers: {} as Record<string, number>, times: {} as Record<string, [number, number]> }
  const endAt = performance.now() + ms
  await fc.assert(
    fc.asyncProperty(termsWith(counting), steps, async (terms, taken) => {
      // Not a limit of fast-check's: that one leaves the last script running beside the next.
      if (performance.now() > endAt) return
      const run = new LawRun(terms)
      accounts += 1
      try {
        await run.begin(`law-${accounts}`)
        for (const step of taken) {
          await run.take(step)
          if (run.world.accountant.broken.length > 0) break
        }
        if (run.world.accountant.broken.length === 0) await run.finish()
        if (run.world.accountant.broken.length > 0) console.log(JSON.stringify((await run.world.ask('GET', '/ledger?from=2030-03-05&to=2030-03-07')).json['data']).replaceAll('},{', '},\n{'))
      } finally {
        await run.world.leave()
      }
      const { bills, broken, exceeded } = run.world.accountant
      for (const [act, [ms, n]] of Object.entries(run.times)) {
        const t = (sums.times[act] ??= [0, 0])
        t[0] += Math.round(ms)
        t[1] += n
      }
      sums.runs += 1
      sums.sent += bills.length
      sums.loose += bills.filter(({ told }) => told !== 'exact').length
      sums.exceeded += exceeded
      for (const [what, count] of Object.entries(run.answers)) sums.answers[what] = (sums.answers[what] ?? 0) + count
      if (broken.length > 0) console.log(run.trace.join('\n'))
      expect(broken.slice(0, 3)).toEqual([])
    }),
    { seed, numRuns: 10_000, endOnFailure: true },
  )
  return sums
}

it.each(['hostile', 'usual', 'bound'] as const)('of a provider that bills %s', async (counting) => {
  console.log(JSON.stringify(await play(counting, 20261202, 40_000)))
}, 600_000)

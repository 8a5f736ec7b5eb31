import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'
import { testAccount } from '../../../support/account.ts'
import { NOON, planned } from '../../../support/sample.ts'
import { SpendingAccount, spendingRegistration } from '../../../support/spending/account.ts'
import { steps, termsWith } from '../../../support/spending/terms.ts'

type Counted = 'sent' | 'refused' | 'botsSent' | 'cachesMade' | 'beyond' | 'told' | 'reconciled'

/** Plays random steps around midnight. Returns what happened; fails with the seed and the shortest story that breaks the law. */
function play(beyond: boolean, numRuns: number): Record<Counted, number> & { written: Set<string> } {
  const sums = { sent: 0, refused: 0, botsSent: 0, cachesMade: 0, beyond: 0, told: 0, reconciled: 0 }
  const written = new Set<string>()
  fc.assert(
    fc.property(termsWith(beyond), steps, (given, taken) => {
      const account = new SpendingAccount(given)
      for (const step of taken) account.take(step)
      account.finish()
      const { bills, bot, caches, told, reconciled } = account
      sums.sent += bills.sent
      sums.refused += account.refused + caches.refused
      sums.botsSent += bot.sent
      sums.cachesMade += caches.made
      sums.beyond += bills.beyond
      sums.told += told
      sums.reconciled += reconciled
      for (const name of account.provider.written) written.add(name)
      expect(bills.broken.slice(0, 3)).toEqual([])
    }),
    { seed: 20261130, numRuns },
  )
  return { ...sums, written }
}

it('no order of events bills beyond a budget of the day, and the books equal the bills', () => {
  const { sent, refused, botsSent, cachesMade, beyond, reconciled, written } = play(false, 120)
  expect([...written].toSorted()).toEqual(['1h', '5m'])
  expect(beyond).toBe(0)
  for (const happened of [sent, refused, botsSent, cachesMade]) expect(happened).toBeGreaterThan(200)
  expect(reconciled).toBeGreaterThan(5)
}, 120_000)

it('of a provider that bills more than expected, calls in flight alone pass a budget', () => {
  const { sent, beyond, told } = play(true, 50)
  expect(sent).toBeGreaterThan(200)
  expect(beyond).toBeGreaterThan(5)
  expect(told).toBeGreaterThan(5)
}, 120_000)

it('a prefix registered again keeps its spending of the day, until the next day', () => {
  const account = testAccount()
  const { store, scheduler, registrar } = account
  const poor = planned('off', { budgetNanosPerDay: 80_000_000 })
  const first = registrar.register(spendingRegistration('a', poor), NOON)
  const given = scheduler.warmNow(first.k, NOON)
  expect(given).toMatchObject({ lease: { reservedNanos: 75_000_000 } })
  // A call in flight counts at its worst case.
  registrar.remove(store.prefixes.record(first.k)?.id ?? '', NOON)
  const again = registrar.register(spendingRegistration('a', poor), NOON + MINUTE_MS)
  expect(again.created).toBe(true)
  expect(store.states.load(again.k)?.spentNanos).toBe(75_000_000)
  expect(scheduler.warmNow(again.k, NOON + MINUTE_MS)).toMatchObject({ refused: { kind: 'budget_exhausted' } })
  registrar.remove(store.prefixes.record(again.k)?.id ?? '', NOON + MINUTE_MS)
  const tomorrow = registrar.register(spendingRegistration('a', poor), NOON + 24 * HOUR_MS)
  expect(scheduler.warmNow(tomorrow.k, NOON + 24 * HOUR_MS)).toMatchObject({ lease: { reservedNanos: 75_000_000 } })
  registrar.remove(store.prefixes.record(tomorrow.k)?.id ?? '', NOON + 24 * HOUR_MS)
  store.prefixes.departed.drop(dayOf(NOON + 48 * HOUR_MS))
  expect(account.sql.all('SELECT * FROM departed')).toEqual([])
})

import { expect, it } from 'vitest'
import { SLOT_MS } from '../../../../src/core/time/schedule.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { NOON } from '../../../support/sample.ts'
import { nodeSql } from '../../../support/node-sql.ts'

/** Ids as long as those of a large account. */
const FIRST = 1_000_000
const MANY = 40_000

function ksIn(slots: readonly { ks: number[] }[]): number[] {
  return slots.flatMap(({ ks }) => ks)
}

it('an account that falls due at one instant fits into rows, and no prefix is lost', () => {
  const sql = nodeSql()
  const store = new RegistryStore(sql)
  const all = Array.from({ length: MANY }, (_, n) => FIRST + n)
  store.transaction(() => {
    for (const k of all.slice(0, MANY / 2)) store.slots.hint(k, NOON)
    store.slots.hints(new Map([[NOON, all.slice(MANY / 2)]]))
  })
  const { longest } = sql.all<{ longest: number }>('SELECT max(length(ks)) AS longest FROM slot')[0] ?? { longest: 0 }
  // A row may hold 2 MB.
  expect(longest).toBeLessThan(100_000)
  expect(store.nextAt()).toBe(NOON)
  // All of them lie in the slot that they are due in.
  expect(ksIn(store.slots.take(NOON + SLOT_MS - 1, MANY, MANY)).toSorted((a, b) => a - b)).toEqual(all)
})

it('a sweep takes the earliest slots up to its limit, and leaves the rest', () => {
  const store = new RegistryStore(nodeSql())
  for (let slot = 0; slot < 10; slot++) {
    const ks = Array.from({ length: 100 }, (_, n) => slot * 100 + n)
    store.slots.hints(new Map([[NOON + slot * SLOT_MS, ks]]))
  }
  const first = ksIn(store.slots.take(NOON + 100 * SLOT_MS, 40, 250))
  expect(first).toEqual(Array.from({ length: 300 }, (_, n) => n))
  expect(ksIn(store.slots.take(NOON + 100 * SLOT_MS, 40, 10_000))).toHaveLength(700)
})

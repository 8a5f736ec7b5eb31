import { describe, expect, it } from 'vitest'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import { SPREAD_MS } from '../../../../src/core/planning/retry.ts'
import { NOON, planned } from '../../../support/sample.ts'
import { answered, testAccount } from '../../../support/account.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { dayOf, HOUR_MS, MINUTE_MS, nextDayAt } from '../../../../src/core/time/time.ts'
import type { AccountSettings } from '../../../../src/durable/registry/records/account.ts'
import { EMPTY_DAY } from '../../../../src/durable/registry/records/day.ts'

const MANY = 300
const MIDNIGHT = nextDayAt(NOON)

function accountWith(change: Partial<AccountSettings> = {}) {
  const account = testAccount({ settings: change })
  const switchTo = (killSwitch: boolean, at: number): void => {
    account.scheduler.settings = { ...account.settings, killSwitch }
    if (!killSwitch) account.registrar.liftKillSwitch(at)
  }
  const registerAll = (keepWarm: KeepWarm, at: number): number[] =>
    Array.from({ length: MANY }, (_, n) => {
      const { k } = account.registrar.register(registrationNamed(`p-${n}`, keepWarm), at)
      const given = account.scheduler.warmNow(k, at)
      if (given !== null && 'lease' in given)
        account.scheduler.settle(given.lease.seq, [answered(given.lease, at, 0, 10_000)], at + 400)
      return k
    })
  return { account, switchTo, registerAll }
}

/** Most calls within any ten seconds, and the time from the first call to the last. */
function density(sent: { at: number }[]): { most: number; spanMs: number } {
  const times = sent.map(({ at }) => at).toSorted((a, b) => a - b)
  const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 10_000).length))
  return { most, spanMs: (times.at(-1) ?? 0) - (times[0] ?? 0) }
}

describe('hundreds of prefixes with the same event', () => {
  it('probes are spread when the kill switch is lifted', () => {
    const { account, switchTo, registerAll } = accountWith()
    registerAll(planned('always'), NOON)
    switchTo(true, NOON + MINUTE_MS)
    expect(account.run(NOON + MINUTE_MS, NOON + HOUR_MS)).toEqual([])
    switchTo(false, NOON + HOUR_MS)
    const sent = account.run(NOON + HOUR_MS, NOON + HOUR_MS + 3 * MINUTE_MS, { everyMs: 2_000 })
    expect(sent.map(({ purpose }) => purpose)).toEqual(Array.from({ length: MANY }, () => 'write'))
    const { most, spanMs } = density(sent)
    expect(most).toBeLessThan(MANY / 3)
    expect(spanMs).toBeLessThan(SPREAD_MS + 4_000)
  })

  it('prefixes still warm when the kill switch is lifted do not lapse', () => {
    const { account, switchTo, registerAll } = accountWith()
    const all = registerAll(planned('always'), NOON)
    switchTo(true, NOON + 4 * MINUTE_MS)
    account.run(NOON + 4 * MINUTE_MS, NOON + 5 * MINUTE_MS)
    switchTo(false, NOON + 4 * MINUTE_MS + 20_000)
    const sent = account.run(NOON + 4 * MINUTE_MS + 20_000, NOON + 6 * MINUTE_MS, { everyMs: 2_000 })
    expect(sent.every(({ purpose, at }) => purpose === 'keep' && at < NOON + 5 * MINUTE_MS)).toBe(true)
    expect(sent).toHaveLength(MANY)
    for (const k of all) expect(account.store.states.load(k)?.misses).toBe(0)
  })

  it('probes are spread after midnight when yesterday’s budget was spent', () => {
    const { account, registerAll } = accountWith()
    const start = MIDNIGHT - 2 * HOUR_MS
    registerAll(planned('always', { budgetNanosPerDay: 90_000_000 }), start)
    const before = account.run(start, MIDNIGHT - MINUTE_MS)
    expect(before.at(-1)?.at).toBeLessThan(MIDNIGHT - 10 * MINUTE_MS)
    const sent = account.run(MIDNIGHT - MINUTE_MS, MIDNIGHT + 3 * MINUTE_MS, { everyMs: 2_000 })
    expect(sent).toHaveLength(MANY)
    expect(sent.every(({ at }) => dayOf(at) === dayOf(MIDNIGHT))).toBe(true)
    expect(density(sent).most).toBeLessThan(MANY / 3)
  })

  it('probes are spread when windows open', () => {
    const { account, registerAll } = accountWith()
    const windows = [{ days: [1], fromMinute: 14 * 60, toMinute: 16 * 60, timeZone: 'UTC' }]
    registerAll(planned('auto', { windows }), NOON)
    const sent = account.run(NOON + 2 * HOUR_MS - MINUTE_MS, NOON + 2 * HOUR_MS + 3 * MINUTE_MS, { everyMs: 2_000 })
    expect(sent).toHaveLength(MANY)
    expect(Math.min(...sent.map(({ at }) => at))).toBeGreaterThanOrEqual(NOON + 2 * HOUR_MS)
    expect(density(sent).most).toBeLessThan(MANY / 3)
  })
})

it('a message just before midnight does not use the old budget for the new day', () => {
  const { account, registerAll } = accountWith({ budgetNanosPerDay: 1_000_000_000 })
  const start = MIDNIGHT - 2 * MINUTE_MS
  const [k = 0] = registerAll(planned('always'), start)
  account.store.days.save(dayOf(start), { ...EMPTY_DAY, costNanos: 1_000_000_000 })
  const state = account.store.states.load(k)!
  account.store.states.save(k, { ...state, anchorAt: MIDNIGHT - 5 * MINUTE_MS + 20_000, nextAt: MIDNIGHT + 500 }, [])
  account.store.slots.hint(k, MIDNIGHT + 500)
  const { messages } = account.scheduler.sweep(MIDNIGHT - 3_000, MIDNIGHT)
  for (const { seq } of messages) expect(account.scheduler.begin(seq, MIDNIGHT - 1_000)).toEqual([])
  const after = account.store.states.load(k)
  expect(after?.nextAt).toBeGreaterThanOrEqual(MIDNIGHT)
  expect(after?.nextAt).toBeLessThan(MIDNIGHT + SPREAD_MS)
})

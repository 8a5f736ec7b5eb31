import { describe, expect, it } from 'vitest'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import { SWEEP_HORIZON_MS } from '../../../../src/core/time/schedule.ts'
import { SPREAD_MS } from '../../../../src/core/planning/retry.ts'
import { ProbeScheduler } from '../../../../src/durable/registry/probes/scheduler.ts'
import { Registrar } from '../../../../src/durable/registry/prefixes/registrar.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { facts, NOON, planned, usage } from '../../../support/sample.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { nodeSql } from '../../../support/node-sql.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import { dayOf, HOUR_MS, MINUTE_MS, nextDayAt } from '../../../../src/core/time/time.ts'
import type { AccountSettings } from '../../../../src/durable/registry/records/account.ts'
import { EMPTY_DAY } from '../../../../src/durable/registry/records/day.ts'

const MANY = 300
const MIDNIGHT = nextDayAt(NOON)

function account(change: Partial<AccountSettings> = {}) {
  const store = new RegistryStore(nodeSql())
  const settings: AccountSettings = {
    account: 'acme',
    createdAt: NOON,
    budgetNanosPerDay: null,
    killSwitch: false,
    globalKillSwitch: false,
    allowedSecrets: [],
    ...change,
  }
  const ports = { factsOf: () => facts, grainMs: 1_000 }
  const keeper = new ProbeScheduler(store, ports, settings)
  const registrar = new Registrar(store, keeper, ports)
  const answer = (lease: Lease, at: number): Outcome => ({
    lease: lease.id,
    k: lease.k,
    kind: 'answered',
    startedAt: at,
    latencyMs: 300,
    primitive: lease.primitive,
    usage: lease.purpose === 'keep' ? usage(10_000, 0) : usage(0, 10_000),
    model: 'sample-1',
  })
  const switchTo = (killSwitch: boolean, at: number): void => {
    keeper.settings = { ...settings, killSwitch }
    if (!killSwitch) registrar.liftKillSwitch(at)
  }
  /** Sweeps from one instant to another, as ticks and alarms make them; when each call was sent, and for what. */
  const run = (fromAt: number, toAt: number, everyMs = MINUTE_MS) => {
    const sent: { at: number; purpose: Lease['purpose'] }[] = []
    for (let at = fromAt; at < toAt; at += everyMs)
      for (const { seq, delayMs } of keeper.sweep(at, at + SWEEP_HORIZON_MS).messages) {
        const now = at + delayMs
        const leases = keeper.begin(seq, now)
        for (const lease of leases) sent.push({ at: Math.max(now, lease.notBeforeAt), purpose: lease.purpose })
        keeper.settle(
          seq,
          leases.map((lease) => answer(lease, Math.max(now, lease.notBeforeAt))),
          now + 400,
        )
      }
    return sent
  }
  const registerAll = (keepWarm: KeepWarm, at: number): number[] =>
    Array.from({ length: MANY }, (_, n) => {
      const { k } = registrar.register(registrationNamed(`p-${n}`, keepWarm), at)
      const given = keeper.warmNow(k, at)
      if (given !== null && 'lease' in given) keeper.settle(given.lease.seq, [answer(given.lease, at)], at + 400)
      return k
    })
  return { keeper, store, switchTo, run, registerAll }
}

/** The most that were sent within any ten seconds, and how long it took until all were. */
function crowd(sent: { at: number }[]): { most: number; spanMs: number } {
  const times = sent.map(({ at }) => at).toSorted((a, b) => a - b)
  const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 10_000).length))
  return { most, spanMs: (times.at(-1) ?? 0) - (times[0] ?? 0) }
}

describe('hundreds of prefixes that the same thing happens to', () => {
  it('come back one after another when the kill switch is lifted', () => {
    const world = account()
    world.registerAll(planned('always'), NOON)
    world.switchTo(true, NOON + MINUTE_MS)
    expect(world.run(NOON + MINUTE_MS, NOON + HOUR_MS)).toEqual([])
    world.switchTo(false, NOON + HOUR_MS)
    const sent = world.run(NOON + HOUR_MS, NOON + HOUR_MS + 3 * MINUTE_MS, 2_000)
    expect(sent.map(({ purpose }) => purpose)).toEqual(Array.from({ length: MANY }, () => 'write'))
    const { most, spanMs } = crowd(sent)
    expect(most).toBeLessThan(MANY / 3)
    expect(spanMs).toBeLessThan(SPREAD_MS + 4_000)
  })

  it('that are still warm when it is lifted are held: none lapses', () => {
    const world = account()
    const all = world.registerAll(planned('always'), NOON)
    world.switchTo(true, NOON + 4 * MINUTE_MS)
    world.run(NOON + 4 * MINUTE_MS, NOON + 5 * MINUTE_MS)
    world.switchTo(false, NOON + 4 * MINUTE_MS + 20_000)
    const sent = world.run(NOON + 4 * MINUTE_MS + 20_000, NOON + 6 * MINUTE_MS, 2_000)
    expect(sent.every(({ purpose, at }) => purpose === 'keep' && at < NOON + 5 * MINUTE_MS)).toBe(true)
    expect(sent).toHaveLength(MANY)
    for (const k of all) expect(world.store.states.load(k)?.misses).toBe(0)
  })

  it('begin a new day one after another when yesterday’s budget was spent', () => {
    const world = account()
    const start = MIDNIGHT - 2 * HOUR_MS
    world.registerAll(planned('always', { budgetNanosPerDay: 90_000_000 }), start)
    const before = world.run(start, MIDNIGHT - MINUTE_MS)
    expect(before.at(-1)?.at).toBeLessThan(MIDNIGHT - 10 * MINUTE_MS)
    const sent = world.run(MIDNIGHT - MINUTE_MS, MIDNIGHT + 3 * MINUTE_MS, 2_000)
    expect(sent).toHaveLength(MANY)
    expect(sent.every(({ at }) => dayOf(at) === dayOf(MIDNIGHT))).toBe(true)
    expect(crowd(sent).most).toBeLessThan(MANY / 3)
  })

  it('open their windows one after another', () => {
    const world = account()
    const windows = [{ days: [1], fromMinute: 14 * 60, toMinute: 16 * 60, timeZone: 'UTC' }]
    world.registerAll(planned('auto', { windows }), NOON)
    const sent = world.run(NOON + 2 * HOUR_MS - MINUTE_MS, NOON + 2 * HOUR_MS + 3 * MINUTE_MS, 2_000)
    expect(sent).toHaveLength(MANY)
    expect(Math.min(...sent.map(({ at }) => at))).toBeGreaterThanOrEqual(NOON + 2 * HOUR_MS)
    expect(crowd(sent).most).toBeLessThan(MANY / 3)
  })
})

it('a message that comes a moment before midnight is not judged by the new day with the budget of the old one', () => {
  const world = account({ budgetNanosPerDay: 1_000_000_000 })
  const start = MIDNIGHT - 2 * MINUTE_MS
  const [k = 0] = world.registerAll(planned('always'), start)
  world.store.days.save(dayOf(start), { ...EMPTY_DAY, costNanos: 1_000_000_000 })
  const state = world.store.states.load(k)!
  world.store.states.save(k, { ...state, anchorAt: MIDNIGHT - 5 * MINUTE_MS + 20_000, nextAt: MIDNIGHT + 500 }, [])
  world.store.slots.hint(k, MIDNIGHT + 500)
  const { messages } = world.keeper.sweep(MIDNIGHT - 3_000, MIDNIGHT)
  for (const { seq } of messages) expect(world.keeper.begin(seq, MIDNIGHT - 1_000)).toEqual([])
  const after = world.store.states.load(k)
  expect(after?.nextAt).toBeGreaterThanOrEqual(MIDNIGHT)
  expect(after?.nextAt).toBeLessThan(MIDNIGHT + SPREAD_MS)
})

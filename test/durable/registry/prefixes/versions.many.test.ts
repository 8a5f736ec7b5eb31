import { expect, it } from 'vitest'
import { MOST_WAITING } from '../../../../src/durable/registry/prefixes/versions.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { NOON, planned, usage } from '../../../support/sample.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { answered, testAccount } from '../../../support/account.ts'
import { HOUR_MS } from '../../../../src/core/time/time.ts'

/** One name, and far more bodies than a roll-out has. */

function world() {
  const account = testAccount({ facts: factsOf })
  const { store, scheduler } = account
  const deploy = (tag: string, at: number): number =>
    account.registrar.register(registrationOf('anthropic', anthropicBody(tag), planned('always'), 'agent'), at).k
  const warm = (k: number, at: number): void => {
    const lease = account.leaseNow(k, at)
    scheduler.settle(lease.seq, [answered(lease, at, 0, 10_000, { model: 'claude-sonnet-4-5' })], at + 400)
  }
  const all = (): number[] => store.prefixes.keysBefore(1_000_000, 1_000_000)
  const running = (): number[] => all().filter((k) => (store.states.load(k)?.nextAt ?? null) !== null)
  const rows = (): number => account.sql.all<{ n: number }>('SELECT count(*) AS n FROM history')[0]?.n ?? 0
  const waiting = (): number => Math.max(...all().map((k) => store.prefixes.record(k)?.olders?.length ?? 0))
  return { store, scheduler, deploy, warm, rows, running, waiting }
}

it('a name that a thousand bodies take keeps its warm version, at a constant cost for each', () => {
  const { store, deploy, warm, rows, running, waiting } = world()
  const first = deploy('first', NOON)
  warm(first, NOON)
  let last = first
  for (let n = 1; n <= 1_000; n++) last = deploy(`body ${n}`, NOON + n)
  expect(running()).toEqual([last, first])
  expect(waiting()).toBe(MOST_WAITING)
  expect(rows()).toBeLessThan(1_000 * 6)
  // The warm version waited until now, and is drained by the newest.
  warm(last, NOON + 2_000)
  expect(running()).toEqual([last])
  expect(store.states.load(first)?.stopped?.reason).toBe('superseded')
})

it('versions that are used but never warmed are limited to the most that may wait', () => {
  const { store, scheduler, deploy, running } = world()
  const seen = { startedAt: NOON, usage: usage(0, 0), ttftMs: null }
  for (let n = 0; n < 100; n++) {
    const k = deploy(`body ${n}`, NOON + n)
    scheduler.observe(k, [{ ...seen, startedAt: NOON + n }], NOON + n)
  }
  // A day later, only versions that wait may still be planned.
  for (const { seq } of scheduler.sweep(NOON + 25 * HOUR_MS, NOON + 25 * HOUR_MS).messages)
    scheduler.begin(seq, NOON + 25 * HOUR_MS)
  expect(running().length).toBeLessThanOrEqual(MOST_WAITING + 1)
  const passed = store.prefixes.keysBefore(1_000, 1_000).filter((k) => store.prefixes.record(k)?.newer?.passed === true)
  expect(passed.length).toBe(100 - 1 - MOST_WAITING)
  expect(store.states.load(passed[0] ?? 0)?.why).toContain('too many newer versions took its name')
})

it('two bodies that take one name from each other add no rows and no waiting versions', () => {
  const { deploy, warm, rows, running, waiting } = world()
  for (let n = 0; n < 100; n++) {
    const k = deploy(`body ${n % 2}`, NOON + n * 1_000)
    if (n < 2) warm(k, NOON + n * 1_000)
  }
  expect(running().length).toBe(1)
  expect(rows()).toBeLessThan(100)
  expect(waiting()).toBeLessThanOrEqual(1)
})

import { beforeEach, describe, expect, it } from 'vitest'
import type { HistoryRow } from '../../../../src/core/prefix/history.ts'
import { armsAfter, NO_ARMS } from '../../../../src/core/ledger/holdout-estimate.ts'
import { rollUpRows } from '../../../../src/core/prefix/history-roll-up.ts'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import { ledgerEntries, prefixSums } from '../../../../src/durable/registry/ledger/pages.ts'
import type { LedgerEntry, LedgerPlace } from '../../../../src/durable/registry/records/ledger.ts'
import { facts, NOON, planned, usage } from '../../../support/sample.ts'
import { die } from '../../../scenarios/random.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { answered, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import type { Usage } from '../../../../src/core/model/usage.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

const ALL = { fromAt: 0, untilAt: Number.MAX_SAFE_INTEGER }

let account: TestAccount
let managedCaches: ManagedCacheStore

beforeEach(() => {
  // One model has no price, so that every page has an unknown cost.
  account = testAccount({ facts: (_, model) => (model === 'unpriced' ? { ...facts, price: null } : facts) })
  managedCaches = new ManagedCacheStore(account.sql)
})

function registered(fingerprint: string, keepWarm: KeepWarm, model: string): number {
  const change = { model, name: fingerprint, primitives: ['zero_output' as const] }
  return account.registrar.register(registrationNamed(fingerprint, keepWarm, change), NOON).k
}

interface Sums {
  cost: number
  unpriced: number
  saved: number
  savings: number
  unpricedSavings: number
}

function sumsOf(rows: readonly HistoryRow[]): Sums {
  const sums = { cost: 0, unpriced: 0, saved: 0, savings: 0, unpricedSavings: 0 }
  for (const row of rows) {
    if (row.type === 'receipt') {
      sums.cost += row.costNanos ?? 0
      sums.unpriced += row.costNanos === null ? 1 : 0
    }
    if (row.type === 'saving') {
      const sign = row.kind === 'credited' ? 1 : -1
      sums.savings += sign
      sums.saved += sign * (row.nanos ?? 0)
      sums.unpricedSavings += row.nanos === null ? sign : 0
    }
  }
  return sums
}

/** Six hours of an account: keep-alives that read, write, fail or are lost, and real requests reported early, late and out of order. */
function lived(seed: number, ks: readonly number[]): void {
  const random = die(seed)
  const answer = (lease: Lease, at: number): Outcome => {
    const base = { lease: lease.id, k: lease.k, startedAt: at, latencyMs: 200, primitive: lease.primitive }
    const luck = random.roll()
    const failed = { ...base, kind: 'failed' as const, permanent: false, primitiveRefused: false, retryAfterMs: null }
    if (luck < 0.04) return { ...failed, failure: { kind: 'provider_timeout', message: 'no answer' }, accepted: null }
    if (luck < 0.07) return { ...failed, failure: { kind: 'provider_unavailable', message: 'down' }, accepted: false }
    const said =
      luck < 0.1
        ? usage(null, null, { inputTokens: null })
        : luck < 0.15 || lease.purpose === 'write'
          ? usage(0, 10_000)
          : usage(10_000, 0)
    return { ...base, kind: 'answered', usage: said, model: null }
  }
  const settle = (leases: readonly Lease[], at: number): void => {
    for (const lease of leases) {
      // One call in forty never reports: its claim expires.
      if (random.roll() < 0.025) continue
      settle(account.scheduler.settle(lease.seq, [answer(lease, at)], at + 300).again, at + 400)
    }
  }
  for (let at = NOON; at < NOON + 6 * HOUR_MS; at += MINUTE_MS) {
    for (const { seq } of account.scheduler.sweep(at, at + 65_000).messages)
      settle(account.scheduler.begin(seq, at + 1_000), at + 1_000)
    for (const k of ks) {
      const luck = random.roll()
      if (luck < 0.02) {
        const given = account.scheduler.warmNow(k, at + 2_000)
        if (given !== null && 'lease' in given) settle([given.lease], at + 2_000)
      } else if (luck < 0.1) {
        const startedAt = at + 3_000 - (random.roll() < 0.3 ? random.between(0, 12 * MINUTE_MS) : 0)
        const read = random.roll() < 0.8 ? 10_000 : 0
        account.scheduler.observe(k, [{ startedAt, usage: usage(read, 10_000 - read), ttftMs: null }], at + 3_000)
      }
    }
  }
  // Open leases are charged when they expire.
  account.scheduler.sweep(NOON + 7 * HOUR_MS, NOON + 7 * HOUR_MS)
}

function everyEntry(limit: number): LedgerEntry[] {
  const found: LedgerEntry[] = []
  let place: LedgerPlace | null = null
  do {
    const page: { entries: LedgerEntry[]; next: LedgerPlace | null } = ledgerEntries(
      account.store,
      managedCaches,
      ALL,
      place,
      limit,
    )
    expect(page.entries.length).toBeLessThanOrEqual(limit)
    found.push(...page.entries)
    place = page.next
  } while (place !== null)
  return found
}

it.each([1, 2, 3, 4, 5, 6])('days, prefixes, receipts and entries agree to the nano-dollar, with seed %i', (seed) => {
  const ks = (['auto', 'always', { probes: 20 }] as const).flatMap((plan, n) => [
    registered(`p${n}`, planned(plan, { budgetNanosPerDay: 50_000_000_000, holdoutShare: 0.5 }), 'priced'),
    registered(`u${n}`, planned(plan, { budgetNanosPerDay: 50_000_000_000 }), 'unpriced'),
  ])
  lived(seed, ks)

  const ofRows = ks.map((k) => sumsOf(account.store.history.load(k)))
  const ofStates = ks.map((k) => {
    const state = account.store.states.load(k)
    if (state === null) throw new Error('the prefix was deleted')
    const { costNanos, unpricedCalls, savedNanos, credits, unpricedSavings } = state
    return { cost: costNanos, unpriced: unpricedCalls, saved: savedNanos, savings: credits, unpricedSavings }
  })
  expect(ofRows).toEqual(ofStates)

  const sum = (name: keyof Sums): number => ofRows.reduce((total, one) => total + one[name], 0)
  const days = account.store.days.all().map(({ totals }) => totals)
  expect(days).toHaveLength(1)
  expect(days[0]).toMatchObject({
    costNanos: sum('cost'),
    unpricedCalls: sum('unpriced'),
    unpricedSavings: sum('unpricedSavings'),
  })
  const [day] = days
  if (day === undefined) throw new Error('no day was booked')
  expect(day.creditedNanos - day.revokedNanos).toBe(sum('saved'))
  expect(day.credits - day.revocations).toBe(sum('savings'))

  const trials = ks.flatMap((k) => account.store.history.load(k)).filter((row) => row.type === 'trial')
  const [arms] = account.store.trials.all().map((one) => one.arms)
  expect(arms).toEqual(trials.toSorted((a, b) => a.at - b.at).reduce(armsAfter, NO_ARMS))
  // Every gap counts once: a row without `insteadOfNanos` is a gap.
  const gaps = trials.filter(({ insteadOfNanos }) => insteadOfNanos === undefined)
  expect([arms?.heldOut.gaps, arms?.kept.gaps]).toEqual(
    ['held_out', 'kept'].map((arm) => gaps.filter((row) => row.arm === arm).length),
  )

  const entries = everyEntry(7)
  expect(sumsOf(entries.flatMap((entry) => ('row' in entry ? [entry.row as HistoryRow] : [])))).toEqual({
    cost: sum('cost'),
    unpriced: sum('unpriced'),
    saved: sum('saved'),
    savings: sum('savings'),
    unpricedSavings: sum('unpricedSavings'),
  })
  expect(everyEntry(100_000)).toEqual(entries)

  const { sums } = prefixSums(account.store, ALL, null, 100)
  expect(sums.map((one) => [one.name, one.costNanos, one.savedNanos, one.savings, one.unpricedCalls])).toEqual(
    ks.toReversed().map((k) => {
      const state = account.store.states.load(k)
      return [
        account.registrar.viewByKey(k, NOON).record.name,
        state?.costNanos,
        state?.savedNanos,
        state?.credits,
        state?.unpricedCalls,
      ]
    }),
  )
  // Each seed must have savings, revocations and unknown amounts, or the sums prove nothing.
  expect([sum('saved') > 0, sum('unpriced') > 0, day.unknownOutcomes > 0]).toEqual([true, true, true])
})

it('rolled-up hours keep the sums of their rows', () => {
  const k = registered('a', planned('always', { budgetNanosPerDay: 50_000_000_000 }), 'priced')
  lived(9, [k])
  const before = prefixSums(account.store, ALL, null, 10).sums
  for (const page of account.store.history.old(Number.MAX_SAFE_INTEGER, 1_000))
    account.store.history.saveRolledUp(page.k, page.seq, rollUpRows(page.rows))
  expect(account.store.history.load(k).some(({ type }) => type === 'rollup')).toBe(true)
  expect(prefixSums(account.store, ALL, null, 10).sums).toEqual(before)
})

it('prefixes are listed in pages, newest first, each once', () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) registered(name, planned('off'), 'priced')
  const first = prefixSums(account.store, ALL, null, 3)
  const second = prefixSums(account.store, ALL, first.cursor, 3)
  expect([...first.sums, ...second.sums].map(({ name }) => name)).toEqual(['e', 'd', 'c', 'b', 'a'])
  expect(second.cursor).toBeNull()
})

/** Runs sweeps from `from` until `until`, and answers each call with a hit. Returns the purposes of the calls. */
function run(k: number, from: number, until: number): string[] {
  const calls: string[] = []
  for (let at = from; at < until; at += MINUTE_MS / 2) {
    for (const { seq } of account.scheduler.sweep(at, at + 65_000).messages) {
      for (const lease of account.scheduler.begin(seq, at + 1_000)) {
        calls.push(lease.purpose)
        settle(lease, at + 1_000, usage(10_000, 0))
      }
    }
  }
  return calls
}

function settle(lease: Lease, at: number, said: Usage): void {
  account.scheduler.settle(lease.seq, [answered(lease, at, null, null, { usage: said, model: null })], at + 300)
}

/** A prefix written at noon, and read by a real request a second later. */
function used(keepWarm: KeepWarm): number {
  const k = registered('held', keepWarm, 'priced')
  settle(account.leaseNow(k, NOON), NOON, usage(0, 10_000))
  account.scheduler.observe(k, [{ startedAt: NOON + 1_000, usage: usage(10_000, 0), ttftMs: null }], NOON + 1_000)
  return k
}

it('a held-out gap gets no keep-alive; the request that ends it restarts the plan', () => {
  const k = used(planned('auto', { holdoutShare: 1 }))
  expect(run(k, NOON + 10_000, NOON + 20 * MINUTE_MS)).toEqual([])
  expect(account.store.states.load(k)?.stopped?.reason).toBe('held_out')
  const rewrite = 37_500_000
  expect(account.store.trials.all()[0]?.arms.heldOut).toMatchObject({ gaps: 1, cost: rewrite, worth: rewrite })
  account.scheduler.observe(
    k,
    [{ startedAt: NOON + 20 * MINUTE_MS, usage: usage(0, 10_000), ttftMs: null }],
    NOON + 20 * MINUTE_MS,
  )
  expect(account.store.states.load(k)?.stopped).toBeNull()
  expect(account.store.trials.all()[0]?.arms).toMatchObject({ heldOut: { gaps: 1, cost: rewrite }, kept: { gaps: 0 } })
})

it('a requested warm ends the holdout of its gap', () => {
  const keepWarm = planned('auto', { holdoutShare: 1 })
  const k = used(keepWarm)
  expect(run(k, NOON + 10_000, NOON + 4.9 * MINUTE_MS)).toEqual([])
  const { id } = account.registrar.viewByKey(k, NOON).record
  account.registrar.change(id, { keepWarm: { ...keepWarm, budgetNanosPerDay: 2_000_000_000 } }, NOON + 4.9 * MINUTE_MS)
  expect(account.store.states.load(k)?.stopped).toBeNull()
  expect(run(k, NOON + 4.91 * MINUTE_MS, NOON + 8 * MINUTE_MS)).toContain('keep')
})

const allDay = { days: [1, 2, 3, 4, 5, 6, 7], fromMinute: 0, toMinute: 0, timeZone: 'UTC' }

it.each<[string, KeepWarm, ((id: string) => void)?]>([
  ['a share of 0', planned('auto', { holdoutShare: 0 })],
  ['plan always', planned('always', { holdoutShare: 1 })],
  ['declared windows', planned('auto', { holdoutShare: 1, windows: [allDay] })],
  [
    'work that is pending',
    planned('auto', { holdoutShare: 1 }),
    (id) => account.registrar.signal(id, { kind: 'pending', at: NOON + 2_000, untilAt: NOON + HOUR_MS }),
  ],
  [
    'announced traffic',
    planned('auto', { holdoutShare: 1 }),
    (id) => account.registrar.announce(id, { at: NOON + HOUR_MS, expectedRequests: 1 }, NOON + 2_000),
  ],
])('no gap is held out with %s', (_, keepWarm, announce) => {
  const k = used(keepWarm)
  announce?.(account.registrar.viewByKey(k, NOON).record.id)
  expect(run(k, NOON + 10_000, NOON + 8 * MINUTE_MS)).toContain('keep')
  expect(account.store.history.load(k).some((row) => row.type === 'trial' && row.arm === 'held_out')).toBe(false)
})

it('no gap is held out without a real request', () => {
  const k = registered('unseen', planned('auto', { holdoutShare: 1 }), 'priced')
  settle(account.leaseNow(k, NOON), NOON, usage(0, 10_000))
  expect(run(k, NOON + 10_000, NOON + 8 * MINUTE_MS)).toContain('keep')
})

describe('a plan that is switched back and forth within one idle gap', () => {
  const on = planned('auto', { holdoutShare: 1 })

  it.each<[string, KeepWarm]>([
    ['the plan', planned('off', { holdoutShare: 1 })],
    ['the share', planned('auto', { holdoutShare: 0 })],
    ['plan always', planned('always', { holdoutShare: 1 })],
  ])('the gap is not drawn again when %s is switched', (_, off) => {
    const k = used(on)
    const { id } = account.registrar.viewByKey(k, NOON).record
    let at = NOON + MINUTE_MS
    for (let n = 0; n < 20; n++, at += 1_000) account.registrar.change(id, { keepWarm: n % 2 === 0 ? off : on }, at)
    expect(run(k, at, NOON + 8 * MINUTE_MS)).toContain('keep')
    expect(account.store.states.load(k)?.stopped).toBeNull()
  })

  it('a held-out gap is counted once', () => {
    const k = used(on)
    run(k, NOON + 10_000, NOON + 20 * MINUTE_MS)
    const before = account.store.trials.all()
    expect(before[0]?.arms.heldOut.gaps).toBe(1)
    const { id } = account.registrar.viewByKey(k, NOON).record
    let at = NOON + 20 * MINUTE_MS
    for (let n = 0; n < 20; n++, at += 1_000)
      account.registrar.change(id, { keepWarm: n % 2 === 0 ? planned('off') : on }, at)
    run(k, at, at + 20 * MINUTE_MS)
    const sum = account.store.trials.all().reduce((n, { arms }) => n + arms.heldOut.gaps + arms.kept.gaps, 0)
    expect(sum).toBe(1)
  })
})

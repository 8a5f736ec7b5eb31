import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costOf } from '../../../../src/core/model/price.ts'
import { facts, NOON, planned, usage } from '../../../support/sample.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { answered, testAccount } from '../../../support/account.ts'
import type { SentCall } from '../../../support/account.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

const SIZE = 10_000
const limits = (remaining: number, now: number) => [
  { what: 'requests', limit: 100, remaining, resetAt: now + 20 * MINUTE_MS },
]

/** One account with a budget, at a provider that answers every call at once. */
function world(budgetNanosPerDay: number | null) {
  const account = testAccount({ settings: { budgetNanosPerDay } })
  const spent = { nanos: 0, most: 0 }
  const sent: SentCall[] = []
  const answer = (lease: Lease, at: number, remaining: number | null): Outcome => {
    const used = lease.purpose === 'keep' ? usage(SIZE, 0) : usage(0, SIZE)
    spent.nanos += costOf(used, facts.price, '5m') ?? 0
    spent.most = Math.max(spent.most, spent.nanos)
    sent.push({ k: lease.k, at, purpose: lease.purpose })
    const limited = remaining === null ? {} : { limits: limits(remaining, at) }
    return answered(lease, at, null, null, { usage: used, ...limited })
  }
  return {
    spent,
    sent,
    account,
    /** Registers and writes a prefix whose past requests came `gapMinutes` apart. */
    warm(name: string, at: number, gapMinutes: number, remaining: number | null = null): number {
      const { k } = account.registrar.register(registrationNamed(name, planned('always')), at)
      const state = account.store.states.load(k)
      if (state === null) throw new Error('it was not registered')
      const gaps: number[] = []
      for (let n = 64; n > 0; n--) gaps.push((at - n * 6 * HOUR_MS) / 1_000, gapMinutes * 60)
      account.store.states.save(k, { ...state, gaps, lastArrivalAt: at }, [])
      const given = account.scheduler.warmNow(k, at)
      if (given !== null && 'lease' in given)
        account.scheduler.settle(given.lease.seq, [answer(given.lease, at, remaining)], at + 400)
      return k
    },
    /** Reports a real request that was answered from the cache. */
    use(k: number, at: number): void {
      account.scheduler.observe(k, [{ startedAt: at, usage: usage(SIZE, 0), ttftMs: null }], at + 500)
    },
    /** Runs one sweep, and answers the calls of its messages. */
    tick(at: number, remaining: number | null = null): void {
      account.run(at, at + 1, { answer: (lease, sentAt) => answer(lease, sentAt, remaining) })
    },
  }
}

const WRITE = costOf(usage(0, SIZE), facts.price, '5m') ?? 0
const READ = costOf(usage(SIZE, 0), facts.price, '5m') ?? 0

describe('an account whose budget is short', () => {
  it('keeps warm to the end of the day what is worth most, although the others were due first', () => {
    // From noon a prefix that nobody uses takes some 156 probes to midnight: enough for four of ten.
    const one = world(10 * WRITE + 4 * 165 * READ + WRITE)
    const idle = Array.from({ length: 6 }, (_, n) => one.warm(`idle-${n}`, NOON + n * 1_000, 900))
    const busy = Array.from({ length: 4 }, (_, n) => one.warm(`busy-${n}`, NOON + 30_000 + n * 1_000, 12))
    for (let at = NOON + MINUTE_MS; at < NOON + 12 * HOUR_MS; at += MINUTE_MS) {
      one.tick(at)
      if ((at - NOON) % (12 * MINUTE_MS) === 0) for (const k of busy) one.use(k, at)
      if (at === NOON + 5 * HOUR_MS) one.account.evict()
      if (at === NOON + 6 * HOUR_MS)
        for (const k of idle)
          expect(one.account.store.states.load(k)?.why).toMatch(
            /expected to save more for each dollar; goes on at 2026-11-17T00:00:00Z$/,
          )
    }
    const lastProbe = (k: number) => Math.max(...one.sent.filter((call) => call.k === k).map(({ at }) => at))
    for (const k of busy) expect(lastProbe(k)).toBeGreaterThan(NOON + 12 * HOUR_MS - 15 * MINUTE_MS)
    expect(one.sent.filter(({ k, purpose }) => busy.includes(k) && purpose === 'write')).toHaveLength(busy.length)
    for (const k of idle) expect(lastProbe(k)).toBeLessThan(NOON + 15 * MINUTE_MS)
  })

  it('leaves all alone whose day it can pay', () => {
    const one = world(10 * 200 * READ)
    const all = [900, 900, 12, 12].map((minutes, n) => one.warm(`p-${n}`, NOON + n * 1_000, minutes))
    for (let at = NOON + MINUTE_MS; at < NOON + HOUR_MS; at += MINUTE_MS) one.tick(at)
    for (const k of all) expect(one.sent.filter((call) => call.k === k).length).toBeGreaterThan(10)
  })

  it('never spends beyond its budget, whatever is registered and used', () => {
    const arrivals = fc.array(fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 119 })), { maxLength: 30 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 5, max: 900 }), { minLength: 1, maxLength: 8 }),
        arrivals,
        (reads, gaps, uses) => {
          const budget = reads * READ
          const one = world(budget)
          const ks = gaps.map((minutes, n) => one.warm(`p-${n}`, NOON + n * 7_000, minutes))
          for (let minute = 2; minute < 120; minute++) {
            const at = NOON + minute * MINUTE_MS
            for (const [which, when] of uses) if (when === minute && ks[which] !== undefined) one.use(ks[which], at)
            one.tick(at)
          }
          expect(one.spent.most).toBeLessThanOrEqual(budget)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('a provider whose limit is short', () => {
  it('is asked for what is worth most, and for no more than there is room for', () => {
    const one = world(null)
    const idle = Array.from({ length: 6 }, (_, n) => one.warm(`idle-${n}`, NOON, 900))
    // The last answer says that 8 of 100 requests are left for twenty minutes: five of them are the application's.
    const busy = Array.from({ length: 3 }, (_, n) => one.warm(`busy-${n}`, NOON, 12, 8))
    const before = one.sent.length
    for (let at = NOON + MINUTE_MS; at < NOON + 5 * MINUTE_MS; at += 2_000) one.tick(at, 5)
    const keeps = one.sent.slice(before)
    expect(keeps.map(({ k }) => k).toSorted()).toEqual(busy)
    for (const k of idle) expect(one.account.store.states.load(k)?.why).toMatch(/limit/)
  })
})

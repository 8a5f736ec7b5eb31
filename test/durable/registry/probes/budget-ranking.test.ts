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
function accountWith(budgetNanosPerDay: number | null) {
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

describe('an account whose budget does not suffice', () => {
  it('the prefixes with the highest saving are kept all day, although others were due first', () => {
    // From noon a prefix that nobody uses takes some 156 probes to midnight: enough for four of ten.
    const run = accountWith(10 * WRITE + 4 * 165 * READ + WRITE)
    const idle = Array.from({ length: 6 }, (_, n) => run.warm(`idle-${n}`, NOON + n * 1_000, 900))
    const busy = Array.from({ length: 4 }, (_, n) => run.warm(`busy-${n}`, NOON + 30_000 + n * 1_000, 12))
    for (let at = NOON + MINUTE_MS; at < NOON + 12 * HOUR_MS; at += MINUTE_MS) {
      run.tick(at)
      if ((at - NOON) % (12 * MINUTE_MS) === 0) for (const k of busy) run.use(k, at)
      if (at === NOON + 5 * HOUR_MS) run.account.evict()
      if (at === NOON + 6 * HOUR_MS)
        for (const k of idle)
          expect(run.account.store.states.load(k)?.why).toMatch(
            /expected to save more per dollar; the plan continues at 2026-11-17T00:00:00Z$/,
          )
    }
    const lastProbe = (k: number) => Math.max(...run.sent.filter((call) => call.k === k).map(({ at }) => at))
    for (const k of busy) expect(lastProbe(k)).toBeGreaterThan(NOON + 12 * HOUR_MS - 15 * MINUTE_MS)
    expect(run.sent.filter(({ k, purpose }) => busy.includes(k) && purpose === 'write')).toHaveLength(busy.length)
    for (const k of idle) expect(lastProbe(k)).toBeLessThan(NOON + 15 * MINUTE_MS)
  })

  it('every prefix is kept where the budget suffices', () => {
    const run = accountWith(10 * 200 * READ)
    const all = [900, 900, 12, 12].map((minutes, n) => run.warm(`p-${n}`, NOON + n * 1_000, minutes))
    for (let at = NOON + MINUTE_MS; at < NOON + HOUR_MS; at += MINUTE_MS) run.tick(at)
    for (const k of all) expect(run.sent.filter((call) => call.k === k).length).toBeGreaterThan(10)
  })

  it('spending never exceeds the budget, whatever is registered and used', () => {
    const arrivals = fc.array(fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 119 })), { maxLength: 30 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 5, max: 900 }), { minLength: 1, maxLength: 8 }),
        arrivals,
        (reads, gaps, uses) => {
          const budget = reads * READ
          const run = accountWith(budget)
          const ks = gaps.map((minutes, n) => run.warm(`p-${n}`, NOON + n * 7_000, minutes))
          for (let minute = 2; minute < 120; minute++) {
            const at = NOON + minute * MINUTE_MS
            for (const [which, when] of uses) if (when === minute && ks[which] !== undefined) run.use(ks[which], at)
            run.tick(at)
          }
          expect(run.spent.most).toBeLessThanOrEqual(budget)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('a provider with few requests left', () => {
  it('the remaining requests go to the prefixes with the highest saving', () => {
    const run = accountWith(null)
    const idle = Array.from({ length: 6 }, (_, n) => run.warm(`idle-${n}`, NOON, 900))
    // The last answer says that 8 of 100 requests are left for twenty minutes: five of them are the application's.
    const busy = Array.from({ length: 3 }, (_, n) => run.warm(`busy-${n}`, NOON, 12, 8))
    const before = run.sent.length
    for (let at = NOON + MINUTE_MS; at < NOON + 5 * MINUTE_MS; at += 2_000) run.tick(at, 5)
    const keeps = run.sent.slice(before)
    expect(keeps.map(({ k }) => k).toSorted()).toEqual(busy)
    for (const k of idle) expect(run.account.store.states.load(k)?.why).toMatch(/limit/)
  })
})

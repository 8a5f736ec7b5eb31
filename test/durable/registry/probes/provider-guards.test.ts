import { beforeEach, describe, expect, it } from 'vitest'
import type { RateLimit } from '../../../../src/core/planning/rate-limit.ts'
import type { Sql } from '../../../../src/durable/sql.ts'
import { NOON, planned } from '../../../support/sample.ts'
import { answered, failed, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { nodeSql } from '../../../support/node-sql.ts'
import type { Lease } from '../../../../src/calls/lease.ts'
import { MINUTE_MS } from '../../../../src/core/time/time.ts'

let account: TestAccount
let writes = 0

beforeEach(() => {
  const plain = nodeSql()
  writes = 0
  const sql: Sql = {
    ...plain,
    all: (query, ...bindings) => {
      if (query.startsWith('INSERT INTO setting')) writes += 1
      return plain.all(query, ...bindings)
    },
  }
  account = testAccount({ sql })
})

/** Registers a prefix and writes it at `at`. */
function warmed(
  n: number,
  at: number,
  limits: RateLimit[] = [],
  place: { credential?: string; region?: string } = {},
): number {
  const registration = registrationNamed(`${n}`.padStart(24, '0'), planned('always'), {
    ...place,
    outputFloors: [0],
    primitives: ['zero_output'],
  })
  const { k } = account.registrar.register(registration, at)
  const lease = account.leaseNow(k, at)
  account.scheduler.settle(lease.seq, [answered(lease, at, 0, 10_000, { limits })], at + 400)
  return k
}

const DUE = NOON + 5 * MINUTE_MS - 23_000

/** Leases of the messages of a sweep at `at`. */
function leasesAt(at: number): Lease[] {
  return account.scheduler.sweep(at, at).messages.flatMap(({ seq }) => account.scheduler.begin(seq, at))
}

const decisions = (k: number): string[] =>
  account.store.history.load(k).flatMap((row) => (row.type === 'decision' ? [row.decision] : []))

const scarceRequests = (remaining: number, resetAt: number): RateLimit => ({
  what: 'requests',
  limit: 1_000,
  remaining,
  resetAt,
})

describe('a provider that answers no call', () => {
  const CROWD = 12

  beforeEach(() => {
    for (let n = 1; n <= CROWD; n++) warmed(n, NOON)
  })

  /** All keep-alives fail in one settlement. */
  function allFail(): Lease[] {
    const leases = leasesAt(DUE)
    expect(leases).toHaveLength(CROWD)
    return account.scheduler.settle(
      leases[0]!.seq,
      leases.map((lease) => failed(lease, DUE)),
      DUE + 200,
    ).again
  }

  it('one call at a time tests the provider; the others wait with the reason in their history', () => {
    const before = writes
    expect(allFail()).toEqual([])
    expect(writes - before).toBe(1)
    expect(account.scheduler.guards(DUE + 200)).toEqual([
      { provider: 'sample', open: true, openings: 1, remainingShare: null },
    ])
    expect(decisions(3)).toContain('wait:breaker')
    const trial = leasesAt(DUE + 1_000)
    expect(trial).toHaveLength(1)
    expect(trial[0]!.notBeforeAt).toBeGreaterThanOrEqual(DUE + 2_200)
    expect(leasesAt(DUE + 2_500)).toEqual([])
    // The provider works again: the others follow at once, all in time.
    account.scheduler.settle(trial[0]!.seq, [answered(trial[0]!, DUE + 2_600, 10_000, 0)], DUE + 3_000)
    expect(account.scheduler.guards(DUE + 3_000)[0]?.open).toBe(false)
    const rest = leasesAt(DUE + 7_500)
    expect(rest).toHaveLength(CROWD - 1)
    expect(rest.every((lease) => lease.sendBy > DUE + 7_500)).toBe(true)
  })

  it('each entry gets a last call before it lapses, also with an open circuit breaker', () => {
    allFail()
    let sent = 0
    for (let at = DUE + 2_000; at <= NOON + 5 * MINUTE_MS - 1_500; at += 500) {
      const leases = leasesAt(at)
      sent += leases.length
      for (const lease of leases) account.scheduler.settle(lease.seq, [failed(lease, at)], at + 100)
    }
    const asked = new Set(
      Array.from({ length: CROWD }, (_, n) => n + 1).filter(
        (k) => (account.store.states.load(k)?.failuresInRow ?? 0) > 1,
      ),
    )
    expect(asked.size).toBe(CROWD)
    expect(sent).toBeLessThan(CROWD * 4)
  })

  it('the circuit breaker stays open after an eviction', () => {
    allFail()
    account.evict()
    const trial = leasesAt(DUE + 1_000)
    expect(trial).toHaveLength(1)
    expect(trial[0]!.notBeforeAt).toBeGreaterThanOrEqual(DUE + 2_200)
  })

  it('the circuit breaker does not delay another credential of the provider', () => {
    warmed(99, NOON + 1_000, [], { credential: 'other' })
    allFail()
    const now = leasesAt(DUE + 1_000).filter(({ notBeforeAt }) => notBeforeAt <= DUE + 1_000)
    expect(now.map(({ credential }) => credential)).toEqual(['other'])
  })

  it('in one region stops no call to another, also after an eviction', () => {
    warmed(99, NOON + 1_000, [], { region: 'eu-west-1' })
    allFail()
    account.evict()
    expect(account.scheduler.guards(DUE + 300).map(({ provider, open }) => [provider, open])).toEqual([
      ['sample', true],
    ])
    const now = leasesAt(DUE + 1_000).filter(({ notBeforeAt }) => notBeforeAt <= DUE + 1_000)
    expect(now.map(({ region }) => region)).toEqual(['eu-west-1'])
    // That region fails by itself, and is told apart.
    account.scheduler.settle(
      now[0]!.seq,
      now.map((lease) => failed(lease, DUE + 1_100)),
      DUE + 1_200,
    )
    expect(account.scheduler.guards(DUE + 1_300).map(({ provider }) => provider)).toEqual(['sample', 'sample'])
  })
})

describe('a rate limit that is nearly used up', () => {
  it('a scarce limit is one row, deleted when the limit is no longer scarce', () => {
    const k = warmed(1, NOON, [scarceRequests(500, NOON + MINUTE_MS)])
    expect(writes).toBe(0)
    warmed(2, NOON + 1_000, [scarceRequests(100, NOON + MINUTE_MS)])
    expect(writes).toBe(1)
    expect(account.scheduler.guards(NOON + 2_000)[0]?.remainingShare).toBe(0.1)
    account.evict()
    expect(account.scheduler.look(k, NOON + 2_000)?.context.holdBack).toMatchObject({ code: 'limit', strict: false })
    warmed(3, NOON + 2_000, [scarceRequests(900, NOON + MINUTE_MS)])
    expect(account.scheduler.look(k, NOON + 2_000)?.context.holdBack).toBeUndefined()
  })

  it('no call is sent where almost nothing is left: the entry lapses with the reason', () => {
    const k = warmed(1, NOON, [])
    warmed(2, NOON + 4 * MINUTE_MS, [scarceRequests(3, NOON + 10 * MINUTE_MS)])
    for (let at = DUE; at <= NOON + 5 * MINUTE_MS; at += 1_000)
      expect(leasesAt(at).filter((lease) => lease.k === k)).toEqual([])
    expect(decisions(k).slice(-3)).toEqual(expect.arrayContaining(['wait:limit', 'lapse']))
    const refused = account.scheduler.warmNow(k, NOON + 6 * MINUTE_MS)
    expect(refused).toMatchObject({ refused: { kind: 'provider_limited', untilAt: NOON + 10 * MINUTE_MS } })
  })

  it('a warm entry is kept where only its rewrite would exceed the token limit', () => {
    const tokens: RateLimit = { what: 'input tokens', limit: 60_000, remaining: 8_000, resetAt: NOON + 5 * MINUTE_MS }
    const cold = warmed(2, NOON - 5 * MINUTE_MS)
    const k = warmed(1, NOON, [tokens])
    expect(account.scheduler.look(k, NOON + MINUTE_MS)?.context.holdBack?.strict).toBe(false)
    expect(account.scheduler.look(cold, NOON + MINUTE_MS)?.context.holdBack?.strict).toBe(true)
  })

  it('a background warm waits until the limit allows it', () => {
    const k = warmed(1, NOON, [scarceRequests(3, NOON + MINUTE_MS)])
    const { seq } = account.scheduler.warmLater(k, NOON + 1_000)
    expect(account.scheduler.begin(seq, NOON + 1_000)).toEqual([])
    expect(leasesAt(NOON + 30_000)).toEqual([])
    expect(leasesAt(NOON + MINUTE_MS).map((lease) => lease.k)).toEqual([k])
  })
})

it('a spent quota stops the plan with its reason', () => {
  const k = warmed(1, NOON)
  const lease = leasesAt(DUE)[0]!
  const failure = {
    kind: 'provider_limited',
    message: 'The quota or balance of this credential is used up.',
  } as const
  const { ended } = account.scheduler.settle(lease.seq, [failed(lease, DUE, { failure, permanent: true })], DUE + 200)
  expect(account.store.states.load(k)?.stopped).toMatchObject({
    reason: 'quota_spent',
    why: expect.stringContaining('balance'),
  })
  expect(ended[0]?.settled.failure).toEqual(failure)
  expect(account.scheduler.guards(DUE)[0]?.open).toBe(false)
})

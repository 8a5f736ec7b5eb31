import { beforeEach, describe, expect, it } from 'vitest'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import type { PrefixState } from '../../../../src/core/prefix/state.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { NOON, planned, usage } from '../../../support/sample.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { answered, failed, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import type { PrefixRecord } from '../../../../src/registration/record.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

/** A deploy registers a new body under a known name. */

let account: TestAccount

beforeEach(() => {
  account = testAccount({ facts: factsOf })
})

/** Registers a body under the name of the application, as a deploy does. */
function deploy(tag: string, at: number, keepWarm: KeepWarm | null = planned('always')): number {
  return account.registrar.register(registrationOf('anthropic', anthropicBody(tag), keepWarm, 'agent'), at).k
}

function wrote(lease: Lease, startedAt = lease.notBeforeAt): Outcome {
  return answered(lease, startedAt, 0, 10_000, { model: 'claude-sonnet-4-5' })
}

function refused(lease: Lease, permanent: boolean): Outcome {
  const kind = permanent ? 'provider_rejected' : 'provider_unavailable'
  return failed(lease, lease.notBeforeAt, { failure: { kind, message: 'no' }, permanent })
}

function warm(k: number, at: number): number {
  const lease = account.leaseNow(k, at)
  account.scheduler.settle(lease.seq, [wrote(lease)], at + 400)
  return k
}

/** A real request that read the prefix. */
function used(k: number, at: number): void {
  account.scheduler.observe(k, [{ startedAt: at, usage: usage(10_000, 0), ttftMs: 200 }], at)
}

function stateOf(k: number): PrefixState {
  const state = account.store.states.load(k)
  if (state === null) throw new Error('no such prefix')
  return state
}

function recordOf(k: number): PrefixRecord {
  const record = account.store.prefixes.record(k)
  if (record === null) throw new Error('no such prefix')
  return record
}

const decisionsOf = (k: number): string[] =>
  account.registrar
    .history(recordOf(k).id, NOON + 48 * HOUR_MS)
    .flatMap((row) => (row.type === 'decision' ? [row.decision] : []))

/** Sends the keep-alives that are due up to `until`, each answered with a read. Returns how many. */
function keptUntil(k: number, until: number): number {
  let probes = 0
  for (let at = stateOf(k).nextAt; at !== null && at <= until; at = stateOf(k).nextAt) {
    for (const { seq } of account.scheduler.sweep(at, at).messages)
      for (const lease of account.scheduler.begin(seq, at)) {
        probes += lease.k === k ? 1 : 0
        const answer: Outcome = { ...wrote(lease, at), usage: usage(10_000, 0) } as Outcome
        account.scheduler.settle(seq, [answer], at + 300)
      }
    if (stateOf(k).nextAt === at) throw new Error('the schedule stands still')
  }
  return probes
}

describe('a deploy', () => {
  it('warms the new version before the old one is drained', () => {
    const old = warm(deploy('a', NOON), NOON)
    used(old, NOON + MINUTE_MS)
    const next = deploy('b', NOON + 2 * MINUTE_MS)
    expect(recordOf(old)).toMatchObject({ superseded: true, version: 1, newer: { k: next, warmAt: null } })
    expect(stateOf(old)).toMatchObject({ stopped: null })
    expect(stateOf(old).why).toContain('is not warm yet')
    warm(next, NOON + 3 * MINUTE_MS)
    expect(recordOf(old).newer?.warmAt).toBe(NOON + 3 * MINUTE_MS + 400)
    expect(stateOf(old)).toMatchObject({ stopped: null })
    expect(stateOf(old).why).toContain('this version is kept while real requests use it')
    expect(decisionsOf(old)).toEqual(expect.arrayContaining(['newer_version', 'draining']))
  })

  it('keeps the old version warm only while real requests come for it', () => {
    const old = warm(deploy('a', NOON), NOON)
    used(old, NOON + MINUTE_MS)
    warm(deploy('b', NOON + 2 * MINUTE_MS), NOON + 2 * MINUTE_MS)
    expect(keptUntil(old, NOON + 30 * MINUTE_MS)).toBeGreaterThan(4)
    used(old, NOON + 30 * MINUTE_MS)
    account.evict()
    expect(keptUntil(old, NOON + 12 * HOUR_MS)).toBe(11)
    expect(stateOf(old)).toMatchObject({ stopped: { reason: 'superseded' }, nextAt: null })
    expect(decisionsOf(old).at(-1)).toBe('stop:superseded')
  })

  it('drains the old version at once when no request was ever reported for it', () => {
    const old = warm(deploy('a', NOON), NOON)
    warm(deploy('b', NOON + MINUTE_MS), NOON + MINUTE_MS)
    expect(stateOf(old)).toMatchObject({ stopped: { reason: 'superseded' }, nextAt: null })
    used(old, NOON + 2 * MINUTE_MS)
    expect(stateOf(old)).toMatchObject({ stopped: null })
    expect(decisionsOf(old)).toContain('resume')
  })

  it('drains the old version when a real request warms the new one', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = deploy('b', NOON + MINUTE_MS, planned('off'))
    account.scheduler.observe(
      next,
      [{ startedAt: NOON + MINUTE_MS, usage: usage(0, 10_000), ttftMs: 900 }],
      NOON + MINUTE_MS,
    )
    expect(stateOf(old)).toMatchObject({ stopped: { reason: 'superseded' } })
  })

  it('drains nothing while the new version cannot be warmed, also after an eviction', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = deploy('b', NOON + MINUTE_MS)
    for (const permanent of [false, true]) {
      const lease = account.leaseNow(next, NOON + 2 * MINUTE_MS)
      account.scheduler.settle(lease.seq, [refused(lease, permanent)], NOON + 2 * MINUTE_MS + 400)
    }
    expect(stateOf(next).stopped?.reason).toBe('provider_refused')
    account.evict()
    expect(keptUntil(old, NOON + 3 * HOUR_MS)).toBeGreaterThan(30)
    expect(recordOf(old)).toMatchObject({ superseded: true, newer: { warmAt: null } })
    expect(stateOf(old).stopped).toBeNull()
  })

  it('drains nothing after a lost call until another call proves the new version warm', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = deploy('b', NOON + MINUTE_MS)
    const lease = account.leaseNow(next, NOON + MINUTE_MS)
    account.scheduler.sweep(lease.expiresAt, lease.expiresAt)
    expect(stateOf(old).stopped).toBeNull()
    warm(next, lease.expiresAt + MINUTE_MS)
    expect(stateOf(old)).toMatchObject({ stopped: { reason: 'superseded' } })
  })

  it('that follows another at once keeps both older versions until the newest is warm', () => {
    const first = warm(deploy('a', NOON), NOON)
    const second = deploy('b', NOON + MINUTE_MS)
    const lease = account.leaseNow(second, NOON + MINUTE_MS)
    const third = deploy('c', NOON + MINUTE_MS + 100)
    expect(recordOf(third).olders).toEqual([second, first])
    expect([recordOf(first), recordOf(second)].map(({ newer }) => newer?.k)).toEqual([third, third])
    // The call in flight is answered: what it wrote is kept as long as the first version.
    account.scheduler.settle(lease.seq, [wrote(lease)], NOON + MINUTE_MS + 400)
    expect([stateOf(first), stateOf(second)].map(({ stopped }) => stopped)).toEqual([null, null])
    warm(third, NOON + 2 * MINUTE_MS)
    expect([stateOf(first), stateOf(second)].map(({ stopped }) => stopped?.reason)).toEqual([
      'superseded',
      'superseded',
    ])
    expect(recordOf(third).olders).toBeUndefined()
    expect(recordOf(third)).toMatchObject({ version: 3, superseded: false })
  })

  it('stops a version that was never warm, and keeps the warm version before it', () => {
    const first = warm(deploy('a', NOON), NOON)
    const second = deploy('b', NOON + MINUTE_MS)
    deploy('c', NOON + 2 * MINUTE_MS)
    expect(stateOf(second)).toMatchObject({ stopped: { reason: 'superseded' }, nextAt: null })
    expect(stateOf(first).stopped).toBeNull()
  })

  it('that is repeated changes nothing', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = deploy('b', NOON + MINUTE_MS)
    deploy('b', NOON + 2 * MINUTE_MS)
    expect(recordOf(next)).toMatchObject({ version: 2, olders: [old] })
    expect(decisionsOf(old).filter((one) => one === 'newer_version')).toHaveLength(1)
  })
})

describe('a rollback', () => {
  it('to a body that is still warm drains the other version at once', () => {
    const old = warm(deploy('a', NOON), NOON)
    used(old, NOON + MINUTE_MS)
    const next = warm(deploy('b', NOON + 2 * MINUTE_MS), NOON + 2 * MINUTE_MS)
    expect(deploy('a', NOON + 3 * MINUTE_MS)).toBe(old)
    expect(recordOf(old)).toMatchObject({ superseded: false, version: 3 })
    expect(recordOf(old).newer).toBeUndefined()
    expect(decisionsOf(old)).toContain('current')
    expect(stateOf(old).why).not.toContain('newer version')
    expect(recordOf(next)).toMatchObject({ superseded: true, newer: { k: old, warmAt: NOON + 3 * MINUTE_MS } })
    expect(stateOf(next)).toMatchObject({ stopped: { reason: 'superseded' } })
  })

  it('to a body that has lapsed keeps the other version until the old one is warm again', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = warm(deploy('b', NOON + MINUTE_MS), NOON + MINUTE_MS)
    const later = NOON + 2 * HOUR_MS
    keptUntil(next, later)
    deploy('a', later)
    expect(stateOf(next).stopped).toBeNull()
    expect(recordOf(next).newer).toMatchObject({ k: old, warmAt: null })
    warm(old, later + 1_000)
    expect(stateOf(next)).toMatchObject({ stopped: { reason: 'superseded' } })
  })

  it('before the new version was ever warm stops it, and the old one continues', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = deploy('b', NOON + MINUTE_MS)
    deploy('a', NOON + 2 * MINUTE_MS)
    expect(stateOf(next)).toMatchObject({ stopped: { reason: 'superseded' } })
    expect(stateOf(old).stopped).toBeNull()
    expect(keptUntil(old, NOON + HOUR_MS)).toBeGreaterThan(10)
  })

  it('by deleting a version that was never warm gives its name back to the version before', () => {
    const old = warm(deploy('a', NOON), NOON)
    const next = deploy('b', NOON + MINUTE_MS)
    account.registrar.remove(recordOf(next).id, NOON + 2 * MINUTE_MS)
    expect(account.store.prefixes.name('agent')).toEqual({ k: old, version: 2 })
    expect(recordOf(old)).toMatchObject({ superseded: false })
    expect(decisionsOf(old).at(-1)).toBe('current')
    expect(recordOf(deploy('c', NOON + 3 * MINUTE_MS)).version).toBe(3)
  })
})

it('a prefix that holds a second name is not superseded when it loses the first', () => {
  const old = warm(deploy('a', NOON), NOON)
  account.registrar.register(registrationOf('anthropic', anthropicBody('a'), null, 'other'), NOON)
  warm(deploy('b', NOON + MINUTE_MS), NOON + MINUTE_MS)
  expect(recordOf(old).superseded).toBe(false)
  expect(stateOf(old).stopped).toBeNull()
})

it('a version that an earlier release had stopped for a newer one stays stopped', () => {
  const old = warm(deploy('a', NOON), NOON)
  account.sql.all(`UPDATE prefix SET record = json_set(record, '$.superseded', json('true')) WHERE k = ?`, old)
  account.evict()
  used(old, NOON + MINUTE_MS)
  expect(stateOf(old)).toMatchObject({ stopped: { reason: 'superseded' }, nextAt: null })
})

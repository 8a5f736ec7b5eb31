import { beforeEach, expect, it } from 'vitest'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import type { Job } from '../../../../src/durable/registry/records/claim.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { NOON, planned, usage } from '../../../support/sample.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { answered, failed, settings, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import type { Usage } from '../../../../src/core/model/usage.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

/** Every requested call ends, for its callers and in the ledger, whatever happened in between. */

let account: TestAccount

beforeEach(() => {
  account = testAccount({ facts: factsOf })
})

function registered(tag: string, keepWarm: KeepWarm = planned('off'), name: string | null = null, at = NOON): number {
  return account.registrar.register(registrationOf('anthropic', anthropicBody(tag), keepWarm, name), at).k
}

function wrote(lease: Lease, tokens: number): Outcome {
  return answered(lease, lease.notBeforeAt, 0, tokens, { model: 'claude-sonnet-4-5' })
}

/** A background warm as a Registry stores it: a queued job and a claim. */
function background(k: number, id: string): number {
  const view = account.registrar.viewByKey(k, NOON)
  const unfinished = { finishedAt: null, receipt: null, failure: null }
  account.store.jobs.save(k, { id, prefixId: view.record.id, status: 'queued', createdAt: NOON, ...unfinished })
  account.store.states.save(k, { ...view.state, jobs: [id] }, [])
  return account.scheduler.warmLater(k, NOON).seq
}

function job(id: string): Job | null {
  return account.store.jobs.load(id)
}

it('a background warm that the kill switch forbids fails with the reason', () => {
  const k = registered('a')
  const seq = background(k, 'job_a')
  account.scheduler.settings = { ...settings, killSwitch: true }
  expect(account.scheduler.begin(seq, NOON + 1_000)).toEqual([])
  expect(job('job_a')).toMatchObject({
    status: 'failed',
    failure: { kind: 'forbidden', message: expect.stringContaining('kill switch') },
  })
  expect(account.store.states.load(k)?.jobs).toEqual([])
})

it('a background warm that the budget forbids fails with the reason', () => {
  const k = registered('a', planned('off', { budgetNanosPerDay: 0 }))
  expect(account.scheduler.begin(background(k, 'job_a'), NOON + 1_000)).toEqual([])
  expect(job('job_a')).toMatchObject({
    status: 'failed',
    failure: { kind: 'budget_exhausted', message: expect.stringContaining('budget') },
  })
})

it('a background warm that was not sent in time fails', () => {
  const k = registered('a')
  const [lease] = account.scheduler.begin(background(k, 'job_a'), NOON + 1_000)
  if (lease === undefined) throw new Error('no lease was given')
  account.scheduler.settle(lease.seq, [{ lease: lease.id, k, kind: 'not_sent', why: 'too late' }], NOON + 9_000)
  expect(job('job_a')).toMatchObject({ status: 'failed', finishedAt: NOON + 9_000, failure: { kind: 'conflict' } })
})

it('a call of a deleted prefix is booked, and its caller gets not_found', () => {
  const k = registered('a')
  const lease = account.leaseNow(k, NOON)
  account.registrar.remove(account.registrar.viewByKey(k, NOON).record.id, NOON)
  const { ended } = account.scheduler.settle(lease.seq, [wrote(lease, 10_000)], NOON + 400)
  expect(ended).toMatchObject([{ k, seq: lease.seq, settled: { receipt: null, failure: { kind: 'not_found' } } }])
  // 10,000 tokens written at $3.75 a million, and one of output at $15.
  expect(account.store.days.load(dayOf(NOON))).toMatchObject({ calls: 1, costNanos: 37_515_000 })
})

it('a call of a deleted prefix without a report is booked at its worst case', () => {
  const k = registered('a')
  const lease = account.leaseNow(k, NOON)
  account.registrar.remove(account.registrar.viewByKey(k, NOON).record.id, NOON)
  account.scheduler.sweep(lease.expiresAt, lease.expiresAt)
  expect(account.store.days.load(dayOf(NOON))).toMatchObject({
    calls: 1,
    unknownOutcomes: 1,
    costNanos: lease.reservedNanos,
  })
})

it('a failed call is not repeated once the kill switch is on', () => {
  const k = registered('a', planned('always'))
  const first = account.leaseNow(k, NOON)
  account.scheduler.settle(first.seq, [wrote(first, 10_000)], NOON + 400)
  const dueAt = account.store.states.load(k)?.nextAt ?? 0
  const seq = account.scheduler.sweep(dueAt, dueAt).messages[0]?.seq ?? 0
  const [lease] = account.scheduler.begin(seq, dueAt)
  if (lease === undefined) throw new Error('no lease was given')
  account.scheduler.settings = { ...settings, killSwitch: true }
  const throttled = failed(lease, dueAt, {
    failure: { kind: 'provider_limited', message: 'slower' },
    retryAfterMs: 1_000,
  })
  expect(account.scheduler.settle(seq, [throttled], dueAt + 100).again).toEqual([])
  expect(account.store.states.load(k)?.stopped?.reason).toBe('kill_switch')
})

it('a version that takes its name back is kept warm again, and the other one drains', () => {
  const old = registered('a', planned('always'), 'agent')
  const newer = registered('b', planned('always'), 'agent', NOON + 1)
  account.registrar.change(account.registrar.viewByKey(old, NOON).record.id, { name: 'agent' }, NOON + 2)
  expect(account.store.prefixes.record(old)).toMatchObject({ name: 'agent', version: 3, superseded: false })
  expect(account.store.states.load(old)).toMatchObject({ stopped: null })
  expect(account.store.states.load(old)?.nextAt).not.toBeNull()
  expect(account.store.prefixes.record(newer)?.superseded).toBe(true)
  expect(account.store.states.load(newer)).toMatchObject({ nextAt: null, stopped: { reason: 'superseded' } })
})

it('the history of a prefix shows a refusal of the provider also where its plan is off', () => {
  const k = registered('a')
  const lease = account.leaseNow(k, NOON)
  const failure = { kind: 'provider_key_refused' as const, message: 'The provider refused the credential.' }
  const refused = failed(lease, NOON, { failure, permanent: true })
  account.scheduler.settle(lease.seq, [refused], NOON + 100)
  expect(account.store.history.load(k)).toContainEqual(
    expect.objectContaining({ decision: 'failed', why: expect.stringContaining('provider_key_refused') }),
  )
})

it('an answer without usage costs its worst case, in its receipt and in the sum', () => {
  const k = registered('a')
  const lease = account.leaseNow(k, NOON)
  const silent = { ...wrote(lease, 0), usage: { ...usage(0, 0), inputTokens: null, cacheReadTokens: null } }
  account.scheduler.settle(lease.seq, [silent as Outcome], NOON + 400)
  const receipts = account.store.history.load(k).flatMap((row) => (row.type === 'receipt' ? [row] : []))
  expect(receipts).toMatchObject([{ costNanos: lease.reservedNanos, why: expect.stringContaining('worst case') }])
  expect(account.store.states.load(k)?.costNanos).toBe(lease.reservedNanos)
})

it('a shorter retention in an answer is believed until a later answer restores it', () => {
  const asked = registrationOf('anthropic', anthropicBody('a', '1h'), planned('always'))
  const { k } = account.registrar.register(asked, NOON)
  const split = (lease: Lease, tokens: Record<string, number>): Outcome =>
    ({ ...wrote(lease, 10_000), usage: { ...usage(0, 10_000), cacheWriteByRetention: tokens } }) as Outcome
  const first = account.leaseNow(k, NOON)
  account.scheduler.settle(first.seq, [split(first, { '5m': 10_000, '1h': 0 })], NOON + 400)
  const view = account.registrar.viewByKey(k, NOON + 1_000)
  expect(view.belief.warmUntil).toBe(NOON + 5 * MINUTE_MS)
  expect(view.state.nextAt).toBeLessThan(NOON + 5 * MINUTE_MS)
  expect(account.store.history.load(k)).toContainEqual(
    expect.objectContaining({ decision: 'retention', why: expect.stringContaining('asked for 1h') }),
  )
  const later = NOON + 10 * MINUTE_MS
  const second = account.leaseNow(k, later)
  expect(second.retention).toBe('1h')
  account.scheduler.settle(second.seq, [split(second, { '5m': 0, '1h': 10_000 })], later + 400)
  expect(account.registrar.viewByKey(k, later + 1_000).belief.warmUntil).toBe(later + HOUR_MS)
})

/** A prefix whose cache is required, written at noon; then a keep-alive is answered with `seen`. */
function keptAlive(seen: Usage, keepWarm = planned('always')): { k: number; id: string; at: number } {
  const registration = { ...registrationOf('anthropic', anthropicBody('a'), keepWarm, null), required: true }
  const { k } = account.registrar.register(registration, NOON)
  const first = account.leaseNow(k, NOON)
  account.scheduler.settle(first.seq, [wrote(first, 10_000)], NOON + 300)
  const due = account.registrar.viewByKey(k, NOON + 300).state.nextAt ?? 0
  const [message] = account.scheduler.sweep(due, due + 1_000).messages
  const [lease] = account.scheduler.begin(message!.seq, due)
  account.scheduler.settle(lease!.seq, [{ ...wrote(lease!, 0), usage: seen } as Outcome], due + 300)
  return { k, id: account.registrar.viewByKey(k, due).record.id, at: due + 300 }
}

const broken = (id: string, at: number): string[] =>
  account.registrar
    .history(id, at)
    .flatMap((row) => (row.type === 'decision' && row.decision === 'cache_not_honoured' ? [row.why] : []))

it('a keep-alive that breaks a required cache is a failure with a history row', () => {
  const { k, id, at } = keptAlive(usage(0, 10_000))
  expect(broken(id, at)).toEqual(['a keep-alive found nothing and wrote 10000 tokens: the entry was gone'])
  expect(account.registrar.viewByKey(k, at).state).toMatchObject({
    stopped: null, // plan always pays its rewrite
    failuresInRow: 0,
    lastFailure: { failure: { kind: 'cache_not_honoured', detail: { asked: '5m', seen: 'cold', prefix_id: id } } },
  })
})

it('a keep-alive that reads a required cache clears the failure', () => {
  const { k, id, at } = keptAlive(usage(10_000, 0))
  expect(broken(id, at)).toEqual([])
  expect(account.registrar.viewByKey(k, at).state.lastFailure).toBeNull()
})

it('a partial read is a breach only when it happens a second time', () => {
  const { k, id, at } = keptAlive(usage(6_000, 4_000))
  expect(broken(id, at)).toEqual([])
  const again = account.leaseNow(k, at)
  account.scheduler.settle(again.seq, [{ ...wrote(again, 0), usage: usage(6_000, 4_000) } as Outcome], at + 300)
  expect(broken(id, at + 300)).toHaveLength(1)
})

it('a requirement ends when a caller names another mode, not when it names none', () => {
  const registration = registrationOf('anthropic', anthropicBody('a'), planned('off'), null)
  const required = (given: boolean | null) => {
    const { k } = account.registrar.register({ ...registration, required: given }, NOON)
    return account.registrar.viewByKey(k, NOON).record.required ?? false
  }
  expect([null, true, null, false, null].map(required)).toEqual([false, true, true, false, false])
})

it('reads that waited for an answer are hits of the day once it shows an eviction', () => {
  const k = registered('a')
  const warm = (at: number, tokens: number): void => {
    const given = account.scheduler.warmNow(k, at)
    if (given === null || !('lease' in given)) throw new Error('no lease was given')
    const { lease } = given
    account.scheduler.settle(lease.seq, [answered(lease, at, 0, tokens, { model: 'claude-sonnet-4-5' })], at + 1_000)
  }
  const real = (at: number, used: Usage): unknown =>
    account.scheduler.observe(k, [{ startedAt: at, usage: used, ttftMs: null }], at + 1_000)
  warm(NOON, 4_000)
  real(NOON + MINUTE_MS, usage(4_000, 0))
  real(NOON + 2 * MINUTE_MS, usage(0, 4_000))
  real(NOON + 3 * MINUTE_MS, usage(4_000, 0))
  const hits = (): unknown[] => [account.store.days.load(dayOf(NOON))?.hits, account.store.states.load(k)?.hits]
  expect(hits()).toEqual([1, 1])
  expect(account.store.states.drifted()).toBe(0)
  warm(NOON + 4 * MINUTE_MS, 4_000)
  expect(hits()).toEqual([2, 2])
})

it('prefixes with a drift are counted until they are deleted', () => {
  const [k, other] = [registered('a'), registered('b')]
  const changed = { startedAt: NOON, usage: usage(null, null), ttftMs: null, bytes: 'other' as const }
  account.scheduler.observe(k, [changed, changed, changed], NOON + 1_000)
  account.scheduler.observe(other, [changed], NOON + 1_000)
  expect(account.store.states.drifted()).toBe(1)
  account.evict()
  expect(account.store.states.load(k)?.drift).toMatchObject({ requests: 3, shown: { by: 'bytes' } })
  account.registrar.remove(account.registrar.viewByKey(k, NOON).record.id, NOON + 2_000)
  expect(account.store.states.drifted()).toBe(0)
})

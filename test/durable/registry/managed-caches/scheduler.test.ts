import { beforeEach, describe, expect, it } from 'vitest'
import { failureValue } from '../../../../src/contract/failure.ts'
import { ManagedCacheScheduler } from '../../../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheFlight } from '../../../../src/durable/registry/records/managed-cache.ts'
import { ContentCredentials } from '../../../../src/durable/registry/managed-caches/content-credentials.ts'
import { ManagedCacheRegistrar } from '../../../../src/durable/registry/managed-caches/registrar.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { managedCachePricesOf } from '../../../../src/runtime/facts.ts'
import { managedCacheRegistration } from '../../../support/managed-cache-registration.ts'
import { nodeSql } from '../../../support/node-sql.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from '../../../../src/calls/lease.ts'
import type { AccountSettings } from '../../../../src/durable/registry/records/account.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

const NOW = Date.UTC(2026, 10, 21, 12)

let ledger: RegistryStore
let store: ManagedCacheStore
let scheduler: ManagedCacheScheduler
let registrar: ManagedCacheRegistrar
let settings: AccountSettings
let names = 0

beforeEach(() => {
  const sql = nodeSql()
  settings = {
    account: 'a',
    createdAt: 0,
    budgetNanosPerDay: null,
    killSwitch: false,
    globalKillSwitch: false,
    allowedSecrets: [],
  }
  ledger = new RegistryStore(sql)
  store = new ManagedCacheStore(sql)
  scheduler = new ManagedCacheScheduler(store, ledger, {
    grainMs: 1_000,
    settings: () => settings,
    pricesOf: managedCachePricesOf,
  })
  registrar = new ManagedCacheRegistrar(store, scheduler, new ContentCredentials(store, 'a', {}))
})

const register = (tag = 'one', idleMs: number | null = null): number =>
  registrar.register(managedCacheRegistration('a', tag, { idleMs }, HOUR_MS, 40), NOW).k

function leased(flight: ManagedCacheFlight | null): ManagedCacheLease {
  if (flight?.role !== 'leader') throw new Error(`expected to lead, not ${flight?.role}`)
  return flight.lease
}

function answered(
  lease: ManagedCacheLease,
  at: number,
  name = lease.name ?? `cachedContents/n${(names += 1)}`,
): ManagedCacheOutcome {
  const seen = { name, tokens: 100_000, createdAt: at, expiresAt: at + lease.ttlMs }
  return { lease: lease.id, target: lease.target, startedAt: at, kind: 'answered', seen }
}

function create(k: number, at = NOW): string {
  const outcome = answered(leased(scheduler.ask(k, { want: 'any' }, at, at)), at)
  scheduler.settle(outcome, at + 100)
  return scheduler.view(k, at)?.state.live?.name ?? ''
}

describe('callers that ask for a handle', () => {
  it('the first caller makes the call; the others wait and get its answer', () => {
    const k = register()
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    expect(scheduler.ask(k, { want: 'any' }, NOW + 5, NOW + 5)?.role).toBe('follower')
    scheduler.settle(answered(lease, NOW), NOW + 10)
    expect(scheduler.ask(k, { want: 'any' }, NOW + 5, NOW + 11)?.role).toBe('ready')
    // `confirmed` needs a verification after the caller's request.
    expect(leased(scheduler.ask(k, { want: 'confirmed', freshSinceAt: NOW + 5 }, NOW + 5, NOW + 11)).op).toBe('verify')
  })

  it('waiting callers share a failure, and no second creation is paid for', () => {
    const k = register()
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const failure = failureValue('provider_limited', 'the quota is spent')
    const failed = { kind: 'failed', failure, permanent: true, retryAfterMs: null, accepted: false } as const
    scheduler.settle({ lease: lease.id, target: lease.target, startedAt: NOW, ...failed }, NOW + 10)
    expect(scheduler.ask(k, { want: 'any' }, NOW + 5, NOW + 11)?.role).toBe('failed')
    expect(scheduler.ask(k, { want: 'any' }, NOW + MINUTE_MS, NOW + MINUTE_MS)?.role).toBe('leader')
  })

  it('an open creation counts against the budget of the account', () => {
    settings.budgetNanosPerDay = 1e9
    const worst = leased(scheduler.ask(register('one'), { want: 'any' }, NOW, NOW)).reservedNanos
    expect(worst).toBeGreaterThan(0)
    expect(ledger.reservedNanos()).toBe(worst)
    settings.budgetNanosPerDay = Math.ceil(worst * 1.5)
    expect(scheduler.ask(register('two'), { want: 'any' }, NOW, NOW)).toMatchObject({
      role: 'refused',
      kind: 'budget_exhausted',
    })
  })
})

describe('the budget of a day', () => {
  it('belongs to the contents: to delete and create them again does not renew it', () => {
    const probe = register('two')
    const worst = leased(scheduler.ask(probe, { want: 'any' }, NOW, NOW)).reservedNanos
    const budgetNanosPerDay = Math.floor(worst * 1.5)
    const roles: (string | undefined)[] = []
    for (let round = 0; round < 6; round++) {
      const at = NOW + round * MINUTE_MS
      const again = managedCacheRegistration('a', 'one', { idleMs: null, budgetNanosPerDay }, HOUR_MS, 40)
      const { k } = registrar.register(again, at)
      const flight = scheduler.ask(k, { want: 'any' }, at, at)
      roles.push(flight?.role)
      const tokens = again.estimatedTokens * 2
      if (flight?.role === 'leader') {
        const { id, target, ttlMs } = flight.lease
        const seen = { name: `cachedContents/n${round}`, tokens, createdAt: at, expiresAt: at + ttlMs }
        scheduler.settle({ lease: id, target, startedAt: at, kind: 'answered', seen }, at + 100)
      }
      scheduler.remove(k, at + 200)
    }
    expect(roles).toEqual(['leader', ...Array<string>(5).fill('refused')])
    // The next day has a budget of its own.
    const tomorrow = NOW + 24 * HOUR_MS
    const { k } = registrar.register(
      managedCacheRegistration('a', 'one', { idleMs: null, budgetNanosPerDay }, HOUR_MS, 40),
      tomorrow,
    )
    scheduler.sweep(tomorrow, tomorrow)
    expect(scheduler.ask(k, { want: 'any' }, tomorrow, tomorrow)?.role).toBe('leader')
  })

  it('an impossible count of tokens is charged at the worst case and told', () => {
    const k = register('one')
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const seen = { name: 'cachedContents/x', tokens: 1e15, createdAt: NOW, expiresAt: NOW + lease.ttlMs }
    scheduler.settle({ lease: lease.id, target: lease.target, startedAt: NOW, kind: 'answered', seen }, NOW + 100)
    const { state } = scheduler.view(k, NOW + 100)!
    expect(state).toMatchObject({ creationNanos: lease.reservedNanos, live: { tokens: null } })
    expect(store.rows(k, Number.MAX_SAFE_INTEGER, 1)[0]?.row.why).toMatch(/impossible_usage/)
  })

  it('a count above the bound is booked as reported, told, and reserved the next time', () => {
    const k = register('one')
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const most = scheduler.view(k, NOW)?.record.bound?.most ?? 0
    // With its storage, the amount that was reserved holds this many tokens.
    const seen = { name: 'cachedContents/x', tokens: most + 1, createdAt: NOW, expiresAt: NOW + lease.ttlMs }
    scheduler.settle({ lease: lease.id, target: lease.target, startedAt: NOW, kind: 'answered', seen }, NOW + 100)
    const { state } = scheduler.view(k, NOW + 100)!
    expect(state.creationNanos).toBeLessThan(lease.reservedNanos)
    expect(store.rows(k, Number.MAX_SAFE_INTEGER, 1)[0]?.row.why).toMatch(/bound_exceeded/)
    const later = NOW + lease.ttlMs + MINUTE_MS
    const next = leased(scheduler.ask(k, { want: 'any' }, later, later))
    expect(next).toMatchObject({ op: 'create' })
    expect(next.reservedNanos).toBeGreaterThan(lease.reservedNanos)
  })
})

describe('storage that is bought and not used up', () => {
  /** Twice the estimated tokens, so that the cost equals the worst case. */
  const made = (lease: ManagedCacheLease): ManagedCacheOutcome => {
    const tokens = 2 * (scheduler.view(lease.target.k, NOW)?.record.estimatedTokens ?? 0)
    const seen = { name: `cachedContents/${lease.id}`, tokens, createdAt: NOW, expiresAt: NOW + lease.ttlMs }
    return { lease: lease.id, target: lease.target, startedAt: NOW, kind: 'answered', seen }
  }

  it('bought storage counts against the budget of the account', () => {
    const k = register('one')
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const worst = lease.reservedNanos
    // The budget suffices for one creation with an hour of storage, and not quite for another.
    settings.budgetNanosPerDay = Math.floor(worst * 1.9)
    scheduler.settle(made(lease), NOW + 100)
    expect(ledger.reservedNanos() + ledger.spentNanos(NOW)).toBe(worst)
    expect(scheduler.ask(register('two'), { want: 'any' }, NOW + MINUTE_MS, NOW + MINUTE_MS)).toMatchObject({
      role: 'refused',
      kind: 'budget_exhausted',
    })
    // The rest suffices for another half hour.
    const renewAt = scheduler.view(k, NOW)?.state.nextAt ?? 0
    expect(scheduler.sweep(renewAt, renewAt).due.length).toBeGreaterThan(0)
    const renewal = scheduler.begin({ of: 'handle', k }, renewAt)
    expect(renewal?.op).toBe('renew')
  })

  it('bought storage counts against the budget of its cache', () => {
    const k = register('one')
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const worst = lease.reservedNanos
    registrar.change(
      scheduler.view(k, NOW)?.record.id ?? '',
      { keep: { budgetNanosPerDay: Math.ceil(worst * 1.01) } },
      NOW,
    )
    scheduler.settle(made(lease), NOW + 100)
    const renewAt = scheduler.view(k, NOW)?.state.nextAt ?? 0
    scheduler.sweep(renewAt, renewAt)
    // The bought hour is not over, and the rest does not suffice for three quarters of another.
    expect(scheduler.begin({ of: 'handle', k }, renewAt)).toBeNull()
    expect(scheduler.view(k, renewAt)?.state.why).toContain('does not fit into today')
  })

  it('a requested renewal buys storage only within the budgets', () => {
    const k = register('one')
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    scheduler.settle(made(lease), NOW + 100)
    const at = NOW + 30 * MINUTE_MS
    settings.budgetNanosPerDay = lease.reservedNanos
    expect(scheduler.ask(k, { want: 'renewed' }, at, at)).toMatchObject({ role: 'refused', kind: 'budget_exhausted' })
    settings.budgetNanosPerDay = 2 * lease.reservedNanos
    expect(leased(scheduler.ask(k, { want: 'renewed' }, at, at)).reservedNanos).toBeGreaterThan(0)
  })

  it('a lost handle releases its storage budget to the next one at once', () => {
    const k = register('one')
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    scheduler.settle(made(lease), NOW + 100)
    const created = ledger.spentNanos(NOW)
    const hour = lease.reservedNanos - created
    const renewAt = scheduler.view(k, NOW)?.state.nextAt ?? 0
    scheduler.sweep(renewAt, renewAt)
    const renewal = scheduler.begin({ of: 'handle', k }, renewAt)!
    // The cost of the first, with three quarters of an hour, and the worst case of another.
    settings.budgetNanosPerDay = Math.ceil(2 * created + 1.8 * hour)
    const gone = { lease: renewal.id, target: renewal.target, startedAt: renewAt, kind: 'gone' } as const
    expect(scheduler.settle(gone, renewAt + 100).again).toMatchObject({
      op: 'create',
      reservedNanos: lease.reservedNanos,
    })
  })

  it('storage under the kill switch is charged when it ends, and nothing is renewed', () => {
    const k = register()
    create(k)
    const before = ledger.spentNanos(NOW)
    settings.killSwitch = true
    scheduler.replanAll(NOW + MINUTE_MS)
    const endsAt = NOW + HOUR_MS
    const { due } = scheduler.sweep(endsAt, endsAt)
    expect(due).toMatchObject([{ target: { of: 'handle', k } }])
    expect(scheduler.begin({ of: 'handle', k }, endsAt)).toBeNull()
    // 100,000 tokens for an hour, at half a dollar for a million.
    expect(ledger.spentNanos(endsAt) - before).toBe(50_000_000)
    expect(scheduler.sweep(endsAt + HOUR_MS, endsAt + HOUR_MS).due).toEqual([])
  })

  it('used-up storage is booked, and no longer reserved', () => {
    const k = register('one', 20 * MINUTE_MS)
    create(k)
    expect(ledger.reservedNanos()).toBeGreaterThan(0)
    let at = NOW
    for (let step = 0; step < 20; step++) {
      at = scheduler.view(k, at)?.state.nextAt ?? at
      scheduler.sweep(at, at)
      const lease = scheduler.begin({ of: 'handle', k }, at)
      if (lease !== null) scheduler.settle({ lease: lease.id, target: lease.target, startedAt: at, kind: 'gone' }, at)
    }
    expect(scheduler.view(k, at)?.state.live).toBeNull()
    expect(ledger.reservedNanos()).toBe(0)
  })
})

describe('a lease', () => {
  it('a lease is settled once; late or repeated outcomes change nothing', () => {
    const k = register()
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const outcome = answered(lease, NOW, 'cachedContents/one')
    scheduler.settle(outcome, NOW + 10)
    scheduler.settle(outcome, NOW + 20)
    expect(scheduler.view(k, NOW)?.state).toMatchObject({ creations: 1 })
    expect(ledger.days.all()[0]?.totals.calls).toBe(1)
    expect(store.isDeleting('cachedContents/one')).toBe(false)
  })

  it('a handle whose creation answers after it was given up is deleted', () => {
    const k = register()
    const lease = leased(scheduler.ask(k, { want: 'any' }, NOW, NOW))
    const late = lease.expiresAt + 1
    expect(scheduler.sweep(late, late).ended).toEqual([k])
    const second = create(k, late + MINUTE_MS)
    scheduler.settle(answered(lease, NOW, 'cachedContents/late'), late + MINUTE_MS)
    expect(store.isDeleting('cachedContents/late')).toBe(true)
    expect(scheduler.view(k, late + MINUTE_MS)?.state.live?.name).toBe(second)
  })

  it('a renewal that finds the handle gone is followed by a creation at once', () => {
    const k = register()
    const dead = create(k)
    const at = NOW + 45 * MINUTE_MS
    expect(scheduler.sweep(at, at).due).toEqual([{ target: { of: 'handle', k }, delayMs: 0 }])
    const lease = scheduler.begin({ of: 'handle', k }, at)
    expect(lease).toMatchObject({ op: 'renew', name: dead })
    if (lease === null) return
    const { again } = scheduler.settle({ lease: lease.id, target: lease.target, startedAt: at, kind: 'gone' }, at)
    expect(again).toMatchObject({ op: 'create', name: null })
    expect(scheduler.view(k, at)?.state.live).toBeNull()
  })

  it('one message gives one lease, and never early', () => {
    const k = register()
    create(k)
    expect(scheduler.begin({ of: 'handle', k }, NOW + MINUTE_MS)).toBeNull()
    const at = NOW + 45 * MINUTE_MS
    expect(scheduler.begin({ of: 'handle', k }, at)).not.toBeNull()
    expect(scheduler.begin({ of: 'handle', k }, at)).toBeNull()
  })

  it('a message that never arrives is sent again', () => {
    const k = register()
    create(k)
    const at = NOW + 45 * MINUTE_MS
    expect(scheduler.sweep(at, at).due).toHaveLength(1)
    expect(scheduler.sweep(at + 1_000, at + 1_000).due).toHaveLength(0)
    expect(scheduler.sweep(at + 9_000, at + 9_000).due).toHaveLength(1)
    expect(store.nextAt()).toBe(at + 17_000)
  })
})

describe('scheduled deletions', () => {
  it('a deletion is repeated until the provider confirms it', () => {
    const k = register()
    create(k)
    const drop = scheduler.remove(k, NOW + HOUR_MS / 2)
    expect(drop).not.toBeNull()
    expect(scheduler.view(k, NOW)).toBeNull()
    const lease = scheduler.begin({ of: 'drop', k: drop ?? 0 }, NOW + HOUR_MS / 2)
    if (lease === null) throw new Error('expected a lease')
    const failure = failureValue('provider_unavailable', 'no')
    const failed = { kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: null } as const
    scheduler.settle({ lease: lease.id, target: lease.target, startedAt: NOW, ...failed }, NOW + HOUR_MS / 2)
    expect(store.nextAt()).toBe(NOW + HOUR_MS / 2 + 1_000)
    const [again] = scheduler.sweep(NOW + HOUR_MS / 2 + 2_000, NOW + HOUR_MS / 2 + 2_000).due
    expect(again?.target).toEqual({ of: 'drop', k: drop })
    const second = scheduler.begin({ of: 'drop', k: drop ?? 0 }, NOW + HOUR_MS / 2 + 3_000)
    if (second === null) throw new Error('expected a lease')
    scheduler.settle(
      { lease: second.id, target: second.target, startedAt: NOW, kind: 'gone' },
      NOW + HOUR_MS / 2 + 3_000,
    )
    expect(store.nextAt()).toBeNull()
    // Creation, and half an hour of storage.
    expect(ledger.days.all()[0]?.totals.costNanos).toBe(75_000_000 + 25_000_000)
  })

  it('an expired handle needs no deletion', () => {
    const k = register()
    create(k)
    scheduler.remove(k, NOW + MINUTE_MS)
    expect(scheduler.sweep(NOW + 2 * HOUR_MS, NOW + 2 * HOUR_MS).due).toEqual([])
    expect(store.nextAt()).toBeNull()
  })
})

describe('reading', () => {
  it('pages of the list and the history continue where the last one ended', () => {
    for (const tag of ['a', 'b', 'c']) create(register(tag))
    const page = registrar.list(null, null, 2, NOW)
    const rest = registrar.list('gemini', page.cursor, 2, NOW)
    expect([page.views, rest.views].map((views) => views.map(({ record }) => record.name))).toEqual([['c', 'b'], ['a']])
    expect(rest.cursor).toBeNull()
    expect(registrar.list('anthropic', null, 2, NOW).views).toEqual([])
  })

  it('rows show all storage that was booked, also at changes without a row', () => {
    const k = register()
    create(k)
    scheduler.edit(k, NOW + 10 * MINUTE_MS, ({ record, state }) => ({ record, state }))
    scheduler.edit(k, NOW + 20 * MINUTE_MS, ({ record, state }) => ({ record, state }))
    const at = NOW + 30 * MINUTE_MS
    scheduler.settle(answered(leased(scheduler.ask(k, { want: 'renewed' }, at, at)), at), at)
    const rows = store.rows(k, Number.MAX_SAFE_INTEGER, 10).map(({ row }) => row)
    expect(rows.map(({ event, storageNanos }) => [event, storageNanos])).toEqual([
      ['renewed', 25_000_000],
      ['created', 0],
    ])
    const booked = ledger.days.load('2026-11-21')?.costNanos ?? 0
    expect(rows.reduce((sum, row) => sum + (row.costNanos ?? 0) + (row.storageNanos ?? 0), 0)).toBe(booked)
  })

  it('a view shows the storage up to now without writing it', () => {
    const k = register()
    create(k)
    expect(scheduler.view(k, NOW + 30 * MINUTE_MS)?.state.storageNanos).toBe(25_000_000)
    expect(store.load(k)?.state.storageNanos).toBe(0)
  })
})

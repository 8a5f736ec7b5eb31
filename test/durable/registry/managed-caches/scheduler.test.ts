import { beforeEach, describe, expect, it } from 'vitest'
import { failureValue } from '../../../../src/contract/failure.ts'
import { ManagedCacheScheduler } from '../../../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheFlight } from '../../../../src/durable/registry/records/managed-cache.ts'
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
let keeper: ManagedCacheScheduler
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
  keeper = new ManagedCacheScheduler(store, ledger, {
    grainMs: 1_000,
    settings: () => settings,
    pricesOf: managedCachePricesOf,
  })
  registrar = new ManagedCacheRegistrar(store, keeper)
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
  const outcome = answered(leased(keeper.ask(k, { want: 'any' }, at, at)), at)
  keeper.settle(outcome, at + 100)
  return keeper.view(k, at)?.state.live?.name ?? ''
}

describe('who asks', () => {
  it('leads, or waits for whoever leads, and is served by an answer that came since', () => {
    const k = register()
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    expect(keeper.ask(k, { want: 'any' }, NOW + 5, NOW + 5)?.role).toBe('follower')
    keeper.settle(answered(lease, NOW), NOW + 10)
    expect(keeper.ask(k, { want: 'any' }, NOW + 5, NOW + 11)?.role).toBe('ready')
    // Confirmed means asked for after the caller asked, not before.
    expect(leased(keeper.ask(k, { want: 'confirmed', freshSinceAt: NOW + 5 }, NOW + 5, NOW + 11)).op).toBe('verify')
  })

  it('shares a failure, and pays for no second creation', () => {
    const k = register()
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    const failure = failureValue('provider_limited', 'the quota is spent')
    const failed = { kind: 'failed', failure, permanent: true, retryAfterMs: null, accepted: false } as const
    keeper.settle({ lease: lease.id, target: lease.target, startedAt: NOW, ...failed }, NOW + 10)
    expect(keeper.ask(k, { want: 'any' }, NOW + 5, NOW + 11)?.role).toBe('failed')
    expect(keeper.ask(k, { want: 'any' }, NOW + MINUTE_MS, NOW + MINUTE_MS)?.role).toBe('leader')
  })

  it('an open creation counts against the budget of the account', () => {
    settings.budgetNanosPerDay = 1e9
    const worst = leased(keeper.ask(register('one'), { want: 'any' }, NOW, NOW)).reservedNanos
    expect(worst).toBeGreaterThan(0)
    expect(ledger.reservedNanos()).toBe(worst)
    settings.budgetNanosPerDay = Math.ceil(worst * 1.5)
    expect(keeper.ask(register('two'), { want: 'any' }, NOW, NOW)).toMatchObject({
      role: 'refused',
      kind: 'budget_exhausted',
    })
  })
})

describe('storage that is bought and not yet passed', () => {
  /** Twice as many tokens as were estimated, so that the worst case is what it costs. */
  const made = (lease: ManagedCacheLease): ManagedCacheOutcome => {
    const tokens = 2 * (keeper.view(lease.target.k, NOW)?.record.estimatedTokens ?? 0)
    const seen = { name: `cachedContents/${lease.id}`, tokens, createdAt: NOW, expiresAt: NOW + lease.ttlMs }
    return { lease: lease.id, target: lease.target, startedAt: NOW, kind: 'answered', seen }
  }

  it('counts against the budget of the account, so that nobody else spends it', () => {
    const k = register('one')
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    const worst = lease.reservedNanos
    // Room for a creation and an hour of one, and all but a little of another.
    settings.budgetNanosPerDay = Math.floor(worst * 1.9)
    keeper.settle(made(lease), NOW + 100)
    expect(ledger.reservedNanos() + ledger.spentNanos(NOW)).toBe(worst)
    expect(keeper.ask(register('two'), { want: 'any' }, NOW + MINUTE_MS, NOW + MINUTE_MS)).toMatchObject({
      role: 'refused',
      kind: 'budget_exhausted',
    })
    // Another half hour is renewed within what is left.
    const renewAt = keeper.view(k, NOW)?.state.nextAt ?? 0
    expect(keeper.sweep(renewAt, renewAt).due.length).toBeGreaterThan(0)
    const renewal = keeper.begin({ of: 'handle', k }, renewAt)
    expect(renewal?.op).toBe('renew')
  })

  it('counts against its own budget', () => {
    const k = register('one')
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    const worst = lease.reservedNanos
    registrar.change(
      keeper.view(k, NOW)?.record.id ?? '',
      { keep: { budgetNanosPerDay: Math.ceil(worst * 1.01) } },
      NOW,
    )
    keeper.settle(made(lease), NOW + 100)
    const renewAt = keeper.view(k, NOW)?.state.nextAt ?? 0
    keeper.sweep(renewAt, renewAt)
    // The hour that was bought is not over, and it leaves too little for three quarters of another.
    expect(keeper.begin({ of: 'handle', k }, renewAt)).toBeNull()
    expect(keeper.view(k, renewAt)?.state.why).toContain('does not fit into today')
  })

  it('is bought by whoever asks for a renewal within the budgets, too', () => {
    const k = register('one')
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    keeper.settle(made(lease), NOW + 100)
    const at = NOW + 30 * MINUTE_MS
    settings.budgetNanosPerDay = lease.reservedNanos
    expect(keeper.ask(k, { want: 'renewed' }, at, at)).toMatchObject({ role: 'refused', kind: 'budget_exhausted' })
    settings.budgetNanosPerDay = 2 * lease.reservedNanos
    expect(leased(keeper.ask(k, { want: 'renewed' }, at, at)).reservedNanos).toBeGreaterThan(0)
  })

  it('of a handle that was found gone leaves its room to the next one at once', () => {
    const k = register('one')
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    keeper.settle(made(lease), NOW + 100)
    const created = ledger.spentNanos(NOW)
    const hour = lease.reservedNanos - created
    const renewAt = keeper.view(k, NOW)?.state.nextAt ?? 0
    keeper.sweep(renewAt, renewAt)
    const renewal = keeper.begin({ of: 'handle', k }, renewAt)!
    // What the first has cost, with its three quarters of an hour, and what another one may cost.
    settings.budgetNanosPerDay = Math.ceil(2 * created + 1.8 * hour)
    const gone = { lease: renewal.id, target: renewal.target, startedAt: renewAt, kind: 'gone' } as const
    expect(keeper.settle(gone, renewAt + 100).again).toMatchObject({ op: 'create', reservedNanos: lease.reservedNanos })
  })

  it('is free again, and in the books, once it has passed', () => {
    const k = register('one', 20 * MINUTE_MS)
    create(k)
    expect(ledger.reservedNanos()).toBeGreaterThan(0)
    let at = NOW
    for (let step = 0; step < 20; step++) {
      at = keeper.view(k, at)?.state.nextAt ?? at
      keeper.sweep(at, at)
      const lease = keeper.begin({ of: 'handle', k }, at)
      if (lease !== null) keeper.settle({ lease: lease.id, target: lease.target, startedAt: at, kind: 'gone' }, at)
    }
    expect(keeper.view(k, at)?.state.live).toBeNull()
    expect(ledger.reservedNanos()).toBe(0)
  })
})

describe('a lease', () => {
  it('is settled once; what comes late or twice changes nothing', () => {
    const k = register()
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    const outcome = answered(lease, NOW, 'cachedContents/one')
    keeper.settle(outcome, NOW + 10)
    keeper.settle(outcome, NOW + 20)
    expect(keeper.view(k, NOW)?.state).toMatchObject({ creations: 1 })
    expect(ledger.days.all()[0]?.totals.calls).toBe(1)
    expect(store.dropping('cachedContents/one')).toBe(false)
  })

  it('a creation that answers after it was given up is deleted, not forgotten', () => {
    const k = register()
    const lease = leased(keeper.ask(k, { want: 'any' }, NOW, NOW))
    const late = lease.expiresAt + 1
    expect(keeper.sweep(late, late).ended).toEqual([k])
    const second = create(k, late + MINUTE_MS)
    keeper.settle(answered(lease, NOW, 'cachedContents/late'), late + MINUTE_MS)
    expect(store.dropping('cachedContents/late')).toBe(true)
    expect(keeper.view(k, late + MINUTE_MS)?.state.live?.name).toBe(second)
  })

  it('of a renewal that finds the handle gone is followed by a creation at once', () => {
    const k = register()
    const dead = create(k)
    const at = NOW + 45 * MINUTE_MS
    expect(keeper.sweep(at, at).due).toEqual([{ target: { of: 'handle', k }, delayMs: 0 }])
    const lease = keeper.begin({ of: 'handle', k }, at)
    expect(lease).toMatchObject({ op: 'renew', name: dead })
    if (lease === null) return
    const { again } = keeper.settle({ lease: lease.id, target: lease.target, startedAt: at, kind: 'gone' }, at)
    expect(again).toMatchObject({ op: 'create', name: null })
    expect(keeper.view(k, at)?.state.live).toBeNull()
  })

  it('is not given twice for one message, nor early', () => {
    const k = register()
    create(k)
    expect(keeper.begin({ of: 'handle', k }, NOW + MINUTE_MS)).toBeNull()
    const at = NOW + 45 * MINUTE_MS
    expect(keeper.begin({ of: 'handle', k }, at)).not.toBeNull()
    expect(keeper.begin({ of: 'handle', k }, at)).toBeNull()
  })

  it('a message that never comes is sent again', () => {
    const k = register()
    create(k)
    const at = NOW + 45 * MINUTE_MS
    expect(keeper.sweep(at, at).due).toHaveLength(1)
    expect(keeper.sweep(at + 1_000, at + 1_000).due).toHaveLength(0)
    expect(keeper.sweep(at + 9_000, at + 9_000).due).toHaveLength(1)
    expect(store.nextAt()).toBe(at + 17_000)
  })
})

describe('what is to be deleted', () => {
  it('stays until the provider has done it, and is tried again meanwhile', () => {
    const k = register()
    create(k)
    const drop = keeper.remove(k, NOW + HOUR_MS / 2)
    expect(drop).not.toBeNull()
    expect(keeper.view(k, NOW)).toBeNull()
    const lease = keeper.begin({ of: 'drop', k: drop ?? 0 }, NOW + HOUR_MS / 2)
    if (lease === null) throw new Error('expected a lease')
    const failure = failureValue('provider_unavailable', 'no')
    const failed = { kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: null } as const
    keeper.settle({ lease: lease.id, target: lease.target, startedAt: NOW, ...failed }, NOW + HOUR_MS / 2)
    expect(store.nextAt()).toBe(NOW + HOUR_MS / 2 + 1_000)
    const [again] = keeper.sweep(NOW + HOUR_MS / 2 + 2_000, NOW + HOUR_MS / 2 + 2_000).due
    expect(again?.target).toEqual({ of: 'drop', k: drop })
    const second = keeper.begin({ of: 'drop', k: drop ?? 0 }, NOW + HOUR_MS / 2 + 3_000)
    if (second === null) throw new Error('expected a lease')
    keeper.settle({ lease: second.id, target: second.target, startedAt: NOW, kind: 'gone' }, NOW + HOUR_MS / 2 + 3_000)
    expect(store.nextAt()).toBeNull()
    // Creation, and half an hour of storage.
    expect(ledger.days.all()[0]?.totals.costNanos).toBe(75_000_000 + 25_000_000)
  })

  it('needs nobody once it has expired', () => {
    const k = register()
    create(k)
    keeper.remove(k, NOW + MINUTE_MS)
    expect(keeper.sweep(NOW + 2 * HOUR_MS, NOW + 2 * HOUR_MS).due).toEqual([])
    expect(store.nextAt()).toBeNull()
  })
})

describe('reading', () => {
  it('pages of the list and the history go on where the last one ended', () => {
    for (const tag of ['a', 'b', 'c']) create(register(tag))
    const page = registrar.list(null, null, 2, NOW)
    const rest = registrar.list('gemini', page.cursor, 2, NOW)
    expect([page.views, rest.views].map((views) => views.map(({ record }) => record.name))).toEqual([['c', 'b'], ['a']])
    expect(rest.cursor).toBeNull()
    expect(registrar.list('anthropic', null, 2, NOW).views).toEqual([])
  })

  it('storage is shown as it is now, without being written down', () => {
    const k = register()
    create(k)
    expect(keeper.view(k, NOW + 30 * MINUTE_MS)?.state.storageNanos).toBe(25_000_000)
    expect(store.load(k)?.state.storageNanos).toBe(0)
  })
})

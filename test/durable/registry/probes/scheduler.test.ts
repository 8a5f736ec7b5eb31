import { beforeEach, describe, expect, it } from 'vitest'
import { rollUpRows } from '../../../../src/core/prefix/history-roll-up.ts'
import { leadMs } from '../../../../src/core/time/latency.ts'
import { SWEEP_HORIZON_MS } from '../../../../src/core/time/schedule.ts'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import { ProbeScheduler } from '../../../../src/durable/registry/probes/scheduler.ts'
import { Registrar } from '../../../../src/durable/registry/prefixes/registrar.ts'
import type { Registration } from '../../../../src/registration/registration.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { ENTRIES_PER_MESSAGE } from '../../../../src/durable/registry/probes/sweep.ts'
import type { Sql } from '../../../../src/durable/sql.ts'
import { facts, NOON, planned, usage } from '../../../support/sample.ts'
import { keepWarmJson } from '../../../../src/http/present/prefix.ts'
import { nodeSql } from '../../../support/node-sql.ts'
import { settings } from '../../../support/account.ts'
import type { Lease, Outcome } from '../../../../src/calls/lease.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

let sql: Sql
let store: RegistryStore
let keeper: ProbeScheduler
let registrar: Registrar

/** Builds everything from the tables again, as after an eviction. */
function evict(): void {
  store = new RegistryStore(sql)
  const ports = { factsOf: () => facts, grainMs: 1_000 }
  keeper = new ProbeScheduler(store, ports, settings)
  registrar = new Registrar(store, keeper, ports)
}

beforeEach(() => {
  sql = nodeSql()
  evict()
})

function registration(
  fingerprint: string,
  keepWarm: KeepWarm | null = planned('always'),
  name: string | null = null,
): Registration {
  return {
    fingerprint: fingerprint.padEnd(64, '-'),
    provider: 'sample',
    model: 'sample-1',
    name,
    credential: 'default',
    cacheKey: null,
    retention: '5m',
    breakpoint: { path: 'system[0]', byte: 10 },
    estimatedTokens: 10_000,
    bodyBytes: 3,
    advice: [],
    maxOutputTokens: null,
    outputFloors: [0, 1],
    primitives: ['zero_output', 'one_token'],
    keepWarm,
    body: new Uint8Array([1, 2, 3]),
  }
}

function answered(lease: Lease, at: number, read: number, write: number): Outcome {
  return {
    lease: lease.id,
    k: lease.k,
    kind: 'answered',
    startedAt: at,
    latencyMs: 300,
    primitive: lease.primitive,
    usage: usage(read, write),
    model: 'sample-1',
  }
}

function failed(lease: Lease, at: number, change: Partial<Extract<Outcome, { kind: 'failed' }>> = {}): Outcome {
  return {
    lease: lease.id,
    k: lease.k,
    kind: 'failed',
    startedAt: at,
    latencyMs: 100,
    primitive: lease.primitive,
    failure: { kind: 'provider_unavailable', message: 'down' },
    accepted: false,
    permanent: false,
    primitiveRefused: false,
    retryAfterMs: null,
    ...change,
  }
}

function warmNow(k: number, at: number): Lease {
  const given = keeper.warmNow(k, at)
  if (given === null || 'refused' in given) throw new Error('no lease was given')
  return given.lease
}

/** Registers and writes, at `at`. */
function warmed(fingerprint: string, at: number, keepWarm: KeepWarm | null = planned('always')): number {
  const { k } = registrar.register(registration(fingerprint, keepWarm), at)
  const lease = warmNow(k, at)
  keeper.settle(lease.seq, [answered(lease, at, 0, 10_000)], at + 400)
  return k
}

/** What the sweep claims around the first renewal. */
function claimed(at = NOON + 4 * MINUTE_MS): { seq: number; delayMs: number }[] {
  return keeper.sweep(at, at + SWEEP_HORIZON_MS).messages
}

describe('a claim and its lease', () => {
  it('is made ahead of its time, to arrive just in time', () => {
    warmed('a', NOON)
    expect(keeper.sweep(NOON + MINUTE_MS, NOON + MINUTE_MS + SWEEP_HORIZON_MS).messages).toEqual([])
    const [message] = claimed()
    const due = NOON + 5 * MINUTE_MS - leadMs(5 * MINUTE_MS, 1_000)
    const arrives = NOON + 4 * MINUTE_MS + (message?.delayMs ?? 0)
    expect(arrives).toBeGreaterThan(due - 2_000) // the start of its slot of two seconds
    expect(arrives).toBeLessThanOrEqual(due)
  })

  it('packs what is due together, and never more than one message can carry', () => {
    for (let n = 0; n < ENTRIES_PER_MESSAGE + 1; n++) warmed(`p${n}`, NOON)
    const messages = claimed()
    expect(messages).toHaveLength(2)
    const leases = messages.flatMap(({ seq }) => keeper.begin(seq, NOON + 4 * MINUTE_MS + 34_000))
    expect(leases).toHaveLength(ENTRIES_PER_MESSAGE + 1)
  })

  it('begins once: a message delivered twice gives nothing the second time', () => {
    warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    expect(keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toHaveLength(1)
    expect(keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_001)).toHaveLength(0)
  })

  it('is left out when real traffic renewed the prefix meanwhile', () => {
    const k = warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    keeper.observe(
      k,
      [{ startedAt: NOON + 4 * MINUTE_MS + 10_000, usage: usage(10_000, 0), ttftMs: null }],
      NOON + 4 * MINUTE_MS + 11_000,
    )
    expect(keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toEqual([])
    // and it is claimed again for its new time
    const later = NOON + 8 * MINUTE_MS
    expect(keeper.sweep(later, later + SWEEP_HORIZON_MS).messages).toHaveLength(1)
  })

  it('that is lost on the way is sent again in time, twice, and begins once', () => {
    warmed('a', NOON)
    const first = claimed()[0]
    const expiry = store.nextAt() ?? 0
    expect(expiry).toBeLessThan(NOON + 5 * MINUTE_MS - 10_000)
    const again = keeper.sweep(expiry, expiry).messages
    expect(again).toEqual([
      { seq: first?.seq, delayMs: 0 },
      { seq: first?.seq, delayMs: 0 },
    ])
    expect(keeper.begin(first?.seq ?? 0, expiry + 700)).toHaveLength(1)
    expect(keeper.begin(first?.seq ?? 0, expiry + 900)).toEqual([])
  })

  it('whose messages never come is sent again ever more seldom, and within two minutes made anew', () => {
    warmed('a', NOON)
    const first = claimed()[0]?.seq ?? 0
    const waits: number[] = []
    let seqs = [first]
    let at = NOON + 4 * MINUTE_MS
    while (seqs.includes(first)) {
      const next = store.nextAt() ?? 0
      waits.push(next - at)
      at = next
      seqs = keeper.sweep(at, at).messages.map(({ seq }) => seq)
    }
    const between = waits.slice(1)
    expect(between).toEqual(between.toSorted((a, b) => a - b))
    expect(at).toBeLessThan(NOON + 6 * MINUTE_MS)
    expect(keeper.begin(first, at)).toEqual([])
  })

  it('that could not be sent is due again', () => {
    warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    keeper.release(seq, NOON + 4 * MINUTE_MS)
    const next = store.nextAt() ?? 0
    expect(next).toBeLessThanOrEqual(NOON + 4 * MINUTE_MS + 5_000)
    const again = keeper.sweep(next, next + SWEEP_HORIZON_MS).messages
    expect(new Set(again.map((message) => message.seq)).size).toBe(1)
    expect(again[0]?.seq).not.toBe(seq)
    expect(keeper.begin(seq, next)).toEqual([])
  })

  it('a settlement of a lease that is not open changes nothing', () => {
    const k = warmed('a', NOON)
    const lease = keeper.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    keeper.settle(lease.seq, [answered(lease, NOON + 4 * MINUTE_MS + 37_000, 10_000, 0)], NOON + 4 * MINUTE_MS + 36_000)
    const before = store.states.load(k)
    keeper.settle(lease.seq, [answered(lease, NOON + 4 * MINUTE_MS + 39_000, 10_000, 0)], NOON + 4 * MINUTE_MS + 40_000)
    expect(store.states.load(k)).toEqual(before)
  })
})

describe('a consumer that dies between begin and settle', () => {
  it('leads to one more probe, after the lease; the first stays as unknown, its worst case charged', () => {
    const k = warmed('a', NOON)
    const spent = store.states.load(k)?.costNanos ?? 0
    const lease = keeper.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    evict()
    expect(keeper.inFlight(k)).toBe(lease.seq)
    expect(keeper.sweep(lease.expiresAt - 1, lease.expiresAt - 1).messages).toEqual([])
    const expired = keeper.sweep(lease.expiresAt, lease.expiresAt)
    expect(store.states.load(k)?.costNanos).toBe(spent + lease.reservedNanos)
    expect(store.history.load(k)).toContainEqual(
      expect.objectContaining({ type: 'receipt', kind: 'unknown', costNanos: lease.reservedNanos }),
    )
    const messages = [...expired.messages, ...drain(lease.expiresAt)]
    expect(messages).toHaveLength(1)
    expect(keeper.begin(messages[0]?.seq ?? 0, lease.expiresAt + 2_000)).toHaveLength(1)
  })
})

/** Everything the alarm would send in the next few seconds. */
function drain(from: number): { seq: number; delayMs: number }[] {
  const messages = []
  for (let next = store.nextAt(); next !== null && next < from + 4_000; next = store.nextAt()) {
    const swept = keeper.sweep(next, next).messages
    if (swept.length === 0) break
    messages.push(...swept)
    break
  }
  return messages
}

describe('tries again', () => {
  it('under a fresh lease, as long as there is time before the lapse', () => {
    warmed('a', NOON)
    const lease = keeper.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    const { again } = keeper.settle(
      lease.seq,
      [failed(lease, NOON + 4 * MINUTE_MS + 37_000)],
      NOON + 4 * MINUTE_MS + 37_200,
    )
    expect(again).toHaveLength(1)
    expect(again[0]?.id).not.toBe(lease.id)
    expect(again[0]?.notBeforeAt).toBeGreaterThan(NOON + 4 * MINUTE_MS + 37_000)
    const late = NOON + 5 * MINUTE_MS - 1_000
    const second = again[0]!
    expect(keeper.settle(second.seq, [failed(second, late)], late).again).toEqual([])
  })

  it('not before the provider said', () => {
    warmed('a', NOON)
    const lease = keeper.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    const at = NOON + 4 * MINUTE_MS + 37_000
    const { again } = keeper.settle(lease.seq, [failed(lease, at, { retryAfterMs: 2_000 })], at + 100)
    expect(again[0]?.notBeforeAt).toBeGreaterThanOrEqual(at + 2_000)
  })

  it('with the next primitive when the provider refuses one, and remembers', () => {
    const { k } = registrar.register(registration('a'), NOON)
    const lease = warmNow(k, NOON)
    expect(lease.primitive).toBe('zero_output')
    const { again } = keeper.settle(lease.seq, [failed(lease, NOON, { primitiveRefused: true })], NOON + 100)
    expect(again[0]).toMatchObject({ primitive: 'one_token', purpose: 'write' })
    keeper.settle(lease.seq, [answered(again[0]!, NOON + 200, 0, 10_000)], NOON + 900)
    expect(keeper.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]?.primitive).toBe('one_token')
  })
})

describe('registration', () => {
  it('of the same content is the same prefix', () => {
    const first = registrar.register(registration('a'), NOON)
    const second = registrar.register(registration('a'), NOON + 1)
    expect(second).toEqual({ k: first.k, created: false })
  })

  it('of a new body under the same name is a new version; once it is warm, the old one is no longer probed', () => {
    const old = registrar.register(registration('a', planned('always'), 'agent'), NOON).k
    const lease = warmNow(old, NOON)
    keeper.settle(lease.seq, [answered(lease, NOON, 0, 10_000)], NOON + 400)
    const newer = registrar.register(registration('b', planned('off'), 'agent'), NOON + MINUTE_MS).k
    expect(store.states.load(old)?.stopped).toBeNull()
    const first = warmNow(newer, NOON + MINUTE_MS)
    keeper.settle(first.seq, [answered(first, NOON + MINUTE_MS, 0, 10_000)], NOON + MINUTE_MS + 400)
    expect(store.states.load(old)).toMatchObject({ nextAt: null, stopped: { reason: 'superseded' } })
    expect(claimed().flatMap(({ seq }) => keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000))).toEqual([])
    const views = registrar.list({ name: 'agent' }, null, 10, NOON).views
    expect(views.map((view) => view.record.version)).toEqual([2, 1])
  })

  it('back to an earlier body under the name revives it', () => {
    const old = registrar.register(registration('a', null, 'agent'), NOON).k
    registrar.register(registration('b', null, 'agent'), NOON + 1)
    registrar.register(registration('a', null, 'agent'), NOON + 2)
    expect(store.prefixes.record(old)?.superseded).toBe(false)
    expect(store.states.load(old)?.stopped).toBeNull()
  })

  it('shares one call among those who ask while it is in flight', () => {
    const { k } = registrar.register(registration('a'), NOON)
    const lease = warmNow(k, NOON)
    expect(keeper.warmNow(k, NOON + 100)).toBeNull()
    const { ended } = keeper.settle(lease.seq, [answered(lease, NOON, 0, 10_000)], NOON + 400)
    expect(ended).toMatchObject([{ k, seq: lease.seq, settled: { failure: null, receipt: { kind: 'written' } } }])
  })

  it('is refused beyond the budget, with the reason', () => {
    const { k } = registrar.register(registration('a', planned('always', { budgetNanosPerDay: 1_000 })), NOON)
    expect(keeper.warmNow(k, NOON)).toMatchObject({ refused: { kind: 'budget_exhausted' } })
  })

  it('keeps nothing of what was deleted', () => {
    const k = warmed('a', NOON)
    registrar.remove(registrar.viewByKey(k, NOON).record.id, NOON)
    for (const table of ['prefix', 'state', 'body', 'history', 'name', 'job']) {
      expect(sql.all<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)[0]?.n).toBe(0)
    }
    expect(claimed().flatMap(({ seq }) => keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000))).toEqual([])
  })
})

it('a warm that was asked for in the background is sent whatever the plan says, also when its first message is lost', () => {
  const { k } = registrar.register(registration('a', planned('off')), NOON)
  keeper.warmLater(k, NOON)
  const expiry = store.nextAt() ?? 0
  const again = keeper.sweep(expiry, expiry).messages
  expect(keeper.begin(again[0]?.seq ?? 0, expiry)).toMatchObject([{ k, purpose: 'write' }])
})

it('the account budget counts what is reserved by calls in flight', () => {
  keeper.settings = { ...settings, budgetNanosPerDay: 100_000_000 }
  const a = registrar.register(registration('a'), NOON).k
  const b = registrar.register(registration('b'), NOON).k
  expect(warmNow(a, NOON).reservedNanos).toBe(75_000_000)
  expect(keeper.warmNow(b, NOON)).toMatchObject({ refused: { kind: 'budget_exhausted' } })
})

it('the kill switch forbids leases, and lifting it starts the plans again', () => {
  const k = warmed('a', NOON)
  keeper.settings = { ...settings, killSwitch: true }
  expect(keeper.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)).toEqual([])
  expect(store.states.load(k)?.stopped?.reason).toBe('kill_switch')
  keeper.settings = settings
  registrar.liftKillSwitch(NOON + HOUR_MS)
  expect(store.states.load(k)?.nextAt).not.toBeNull()
})

it('a call that is leased and not yet sent is held where its plan is switched off or it is deleted, but for one that was asked for', () => {
  const leased = (): Lease => {
    const { k } = registrar.register(registration('a'), NOON)
    const now = store.states.load(k)?.nextAt ?? NOON
    const [message] = keeper.sweep(now, now).messages
    return keeper.begin(message!.seq, now)[0]!
  }
  const scheduled = leased()
  const { id, keepWarm } = store.prefixes.record(scheduled.k)!
  expect(keeper.held(scheduled, NOON)).toBeNull()
  registrar.change(id, { keepWarm: { ...keepWarm, plan: 'off' } }, NOON)
  expect(keeper.held(scheduled, NOON)).toBe('its plan was switched off')
  // What is announced is seen to under such a plan as well.
  registrar.announce(id, { at: NOON + HOUR_MS, expectedRequests: 1 }, NOON)
  expect(keeper.held(scheduled, NOON)).toBeNull()
  registrar.withdraw(id, null, NOON)
  keeper.settle(scheduled.seq, [{ lease: scheduled.id, k: scheduled.k, kind: 'not_sent', why: 'held' }], NOON)
  expect(keeper.held(scheduled, NOON)).toBe('its time has ended')
  const asked = keeper.warmNow(scheduled.k, NOON)
  if (asked === null || 'refused' in asked) throw new Error('no lease was given')
  expect(keeper.held(asked.lease, NOON)).toBeNull()
  keeper.settings = { ...settings, globalKillSwitch: true }
  expect(keeper.held(asked.lease, NOON)).toBe('the kill switch is on')
})

it('history survives its move out of the tail, in order', () => {
  const k = warmed('a', NOON)
  let at = NOON
  for (let n = 0; n < 100; n++) {
    at += 4 * MINUTE_MS
    const lease = warmNow(k, at)
    keeper.settle(lease.seq, [answered(lease, at, 10_000, 0)], at + 300)
  }
  const receipts = store.history.load(k).filter((row) => row.type === 'receipt')
  expect(receipts).toHaveLength(101)
  expect(receipts.map((row) => row.at)).toEqual(receipts.map((row) => row.at).toSorted((x, y) => x - y))
})

it('a plan stored before a latency value could be given reads as one of 0, and the same plan again changes nothing', () => {
  const k = warmed('a', NOON, planned('auto', { latencyValueNanos: 0 }))
  sql.all("UPDATE prefix SET record = json_remove(record, '$.keepWarm.latencyValueNanos') WHERE k = ?", k)
  evict()
  const before = store.states.load(k)
  expect(keepWarmJson(registrar.viewByKey(k, NOON).record.keepWarm)).toMatchObject({ latency_value_usd: 0 })
  registrar.register(registration('a', planned('auto', { latencyValueNanos: 0 })), NOON + MINUTE_MS)
  expect(store.states.load(k)).toEqual(before)
  registrar.register(registration('a', planned('auto', { latencyValueNanos: 5 })), NOON + MINUTE_MS)
  expect(store.states.load(k)?.plannedAt).toBe(NOON + MINUTE_MS)
})

it('an eviction changes nothing: the tables are the truth', () => {
  const k = warmed('a', NOON)
  const before = { view: registrar.viewByKey(k, NOON + MINUTE_MS), next: store.nextAt() }
  evict()
  expect({ view: registrar.viewByKey(k, NOON + MINUTE_MS), next: store.nextAt() }).toEqual(before)
})

it('what was learned of its own lateness shortens the lead, and survives an eviction', () => {
  const k = warmed('a', NOON)
  const first = keeper.leadMs('sample', 5 * MINUTE_MS)
  let at = NOON
  for (let n = 0; n < 3_000; n++) {
    const next = store.nextAt() ?? 0
    const [message] = keeper.sweep(next, next).messages
    const [lease] = keeper.begin(message?.seq ?? 0, next + 800)
    // The lead became shorter since it was claimed: it is claimed again, later.
    if (lease === undefined) continue
    at = next + 800
    keeper.settle(lease.seq, [answered(lease, at, 10_000, 0)], at + 300)
  }
  const learned = keeper.leadMs(store.prefixes.record(k)?.provider ?? '', 5 * MINUTE_MS)
  expect(learned).toBeLessThan(first - 5_000)
  expect(store.states.load(k)?.nextAt).toBe(at + 5 * MINUTE_MS - learned)
  evict()
  expect(keeper.leadMs(store.prefixes.record(k)?.provider ?? '', 5 * MINUTE_MS)).toBe(learned)
})

it('history older than a week is told by the hour', () => {
  const k = warmed('a', NOON)
  let at = NOON
  for (let n = 0; n < 64; n++) {
    at += 4 * MINUTE_MS
    const lease = warmNow(k, at)
    keeper.settle(lease.seq, [answered(lease, at, 10_000, 0)], at + 300)
  }
  const old = store.history.old(at + 1, 10)
  expect(old.length).toBeGreaterThan(0)
  for (const { seq, rows } of old) store.history.saveRolledUp(k, seq, rollUpRows(rows))
  expect(store.history.old(at + 1, 10)).toEqual([])
  const counted = store.history
    .load(k)
    .reduce(
      (sum, row) =>
        sum +
        (row.type === 'rollup' ? (row.receipts['full'] ?? 0) : row.type === 'receipt' && row.kind === 'full' ? 1 : 0),
      0,
    )
  expect(counted).toBe(64)
})

describe('one prefix that cannot be decided about', () => {
  it('keeps none of its neighbours from being probed, says so, and starts again when it is registered anew', () => {
    const broken = warmed('a', NOON)
    const good = warmed('b', NOON)
    sql.all("UPDATE prefix SET record = json_remove(record, '$.keepWarm') WHERE k = ?", broken)
    evict()
    const leases = claimed().flatMap(({ seq }) => keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000))
    expect(leases.map((lease) => lease.k)).toEqual([good])
    expect(store.states.load(broken)).toMatchObject({ nextAt: null, stopped: { reason: 'internal_error' } })
    expect(store.history.load(broken).at(-1)).toMatchObject({ decision: 'stop:internal_error' })
    registrar.register(registration('a'), NOON + 5 * MINUTE_MS)
    expect(store.states.load(broken)?.stopped).toBeNull()
  })

  it('is not in flight when the transaction that led it was undone', () => {
    const k = warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    const all = sql.all.bind(sql)
    sql.all = ((query: string, ...bindings: never[]) => {
      if (query.startsWith('UPDATE claim SET leases')) throw new Error('the disk is full')
      return all(query, ...bindings)
    }) as typeof sql.all
    expect(() => keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toThrow('the disk is full')
    sql.all = all
    expect(keeper.inFlight(k)).toBeNull()
    expect(keeper.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toHaveLength(1)
  })
})

it('a warm that was asked for starts a plan that had let its prefix lapse', () => {
  const k = warmed('a', NOON, planned({ probes: 0 }))
  expect(store.states.load(k)?.stopped?.reason).toBe('probes_spent')
  const later = NOON + HOUR_MS
  const lease = warmNow(k, later)
  expect(store.states.load(k)?.stopped?.reason).toBe('probes_spent')
  registrar.change(store.prefixes.record(k)?.id ?? '', { keepWarm: planned({ probes: 2 }) }, later + 100)
  expect(store.states.load(k)?.stopped?.reason).toBe('lapsed')
  keeper.settle(lease.seq, [answered(lease, later, 0, 10_000)], later + 400)
  expect(store.states.load(k)?.stopped).toBeNull()
  expect(store.states.load(k)?.nextAt).toBe(later + 5 * MINUTE_MS - leadMs(5 * MINUTE_MS, 1_000))
  expect(store.history.load(k)).toContainEqual(expect.objectContaining({ decision: 'resume' }))
})

it('a warm that was asked for does not start what is off, superseded or over', () => {
  const k = warmed('a', NOON, planned('off'))
  const lease = warmNow(k, NOON + HOUR_MS)
  keeper.settle(lease.seq, [answered(lease, NOON + HOUR_MS, 0, 10_000)], NOON + HOUR_MS + 400)
  expect(store.states.load(k)).toMatchObject({ nextAt: null, stopped: { reason: 'plan_off' } })
  expect(store.history.load(k)).not.toContainEqual(expect.objectContaining({ decision: 'resume' }))
})

describe('a plan that loses money', () => {
  const limit = 3 * (37_500_000 - 3_000_000)

  it('sends nothing that was claimed before, stops, and is not started by asking for a warm', () => {
    const k = warmed('a', NOON, planned('auto'))
    const [message] = claimed()
    if (message === undefined) throw new Error('nothing was claimed')
    const state = store.states.load(k)
    if (state === null) throw new Error('the prefix is gone')
    store.states.save(k, { ...state, loss: { nanos: 2 * limit, at: NOON + 4 * MINUTE_MS } }, [])
    evict()
    expect(keeper.begin(message.seq, NOON + 4 * MINUTE_MS + 37_000)).toEqual([])
    expect(store.states.load(k)?.stopped?.reason).toBe('losing_money')

    const lease = warmNow(k, NOON + 5 * MINUTE_MS)
    keeper.settle(lease.seq, [answered(lease, NOON + 5 * MINUTE_MS, 0, 10_000)], NOON + 5 * MINUTE_MS + 400)
    evict()
    expect(store.states.load(k)).toMatchObject({ verdict: 'warm', nextAt: null, stopped: { reason: 'losing_money' } })
    expect(claimed(NOON + 9 * MINUTE_MS)).toEqual([])
  })

  it('goes on at once when its plan is changed', () => {
    const k = warmed('a', NOON, planned('auto'))
    keeper.replan(k, NOON + MINUTE_MS, (state) => ({ ...state, loss: { nanos: limit, at: NOON + MINUTE_MS } }))
    expect(store.states.load(k)).toMatchObject({ nextAt: null, stopped: { reason: 'losing_money' } })
    const { id } = registrar.viewByKey(k, NOON).record
    registrar.change(id, { keepWarm: planned('auto', { budgetNanosPerDay: 2_000_000_000 }) }, NOON + 2 * MINUTE_MS)
    expect(store.states.load(k)).toMatchObject({ stopped: null, loss: { nanos: 0 } })
    expect(claimed()).toHaveLength(1)
  })

  it('counts in one prefix what is lost in it, and in no other', () => {
    const k = warmed('a', NOON, planned('auto'))
    const other = warmed('b', NOON, planned('auto'))
    keeper.replan(k, NOON + MINUTE_MS, (state) => ({ ...state, loss: { nanos: 9 * limit, at: NOON + MINUTE_MS } }))
    expect(store.states.load(other)?.stopped).toBeNull()
    const [message] = claimed()
    expect(keeper.begin(message?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000).map((lease) => lease.k)).toEqual([other])
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { rollUpRows } from '../../../../src/core/prefix/history-roll-up.ts'
import { leadMs } from '../../../../src/core/time/latency.ts'
import { SWEEP_HORIZON_MS } from '../../../../src/core/time/schedule.ts'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import { ENTRIES_PER_MESSAGE } from '../../../../src/durable/registry/probes/sweep.ts'
import { NOON, planned, usage } from '../../../support/sample.ts'
import { keepWarmJson } from '../../../../src/http/present/prefix.ts'
import { answered, failed, settings, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import type { Lease } from '../../../../src/calls/lease.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

let account: TestAccount

beforeEach(() => {
  account = testAccount()
})

/** Registers a prefix and writes it at `at`. */
function warmed(fingerprint: string, at: number, keepWarm: KeepWarm | null = planned('always')): number {
  const { k } = account.registrar.register(registrationNamed(fingerprint, keepWarm), at)
  const lease = account.leaseNow(k, at)
  account.scheduler.settle(lease.seq, [answered(lease, at, 0, 10_000)], at + 400)
  return k
}

/** Messages of the sweep around the first renewal. */
function claimed(at = NOON + 4 * MINUTE_MS): { seq: number; delayMs: number }[] {
  return account.scheduler.sweep(at, at + SWEEP_HORIZON_MS).messages
}

describe('a claim and its lease', () => {
  it('a claim is made early, so that its message arrives in time', () => {
    warmed('a', NOON)
    expect(account.scheduler.sweep(NOON + MINUTE_MS, NOON + MINUTE_MS + SWEEP_HORIZON_MS).messages).toEqual([])
    const [message] = claimed()
    const due = NOON + 5 * MINUTE_MS - leadMs(5 * MINUTE_MS, 1_000)
    const arrives = NOON + 4 * MINUTE_MS + (message?.delayMs ?? 0)
    expect(arrives).toBeGreaterThan(due - 2_000) // the start of its slot of two seconds
    expect(arrives).toBeLessThanOrEqual(due)
  })

  it('prefixes due together share messages, up to the limit of a message', () => {
    for (let n = 0; n < ENTRIES_PER_MESSAGE + 1; n++) warmed(`p${n}`, NOON)
    const messages = claimed()
    expect(messages).toHaveLength(2)
    const leases = messages.flatMap(({ seq }) => account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 34_000))
    expect(leases).toHaveLength(ENTRIES_PER_MESSAGE + 1)
  })

  it('a message delivered twice gives leases once', () => {
    warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    expect(account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toHaveLength(1)
    expect(account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_001)).toHaveLength(0)
  })

  it('a prefix that real traffic renewed gets no lease', () => {
    const k = warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    account.scheduler.observe(
      k,
      [{ startedAt: NOON + 4 * MINUTE_MS + 10_000, usage: usage(10_000, 0), ttftMs: null }],
      NOON + 4 * MINUTE_MS + 11_000,
    )
    expect(account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toEqual([])
    // and it is claimed again for its new time
    const later = NOON + 8 * MINUTE_MS
    expect(account.scheduler.sweep(later, later + SWEEP_HORIZON_MS).messages).toHaveLength(1)
  })

  it('a lost message is sent twice again in time, and begins once', () => {
    warmed('a', NOON)
    const first = claimed()[0]
    const expiry = account.store.nextAt() ?? 0
    expect(expiry).toBeLessThan(NOON + 5 * MINUTE_MS - 10_000)
    const again = account.scheduler.sweep(expiry, expiry).messages
    expect(again).toEqual([
      { seq: first?.seq, delayMs: 0 },
      { seq: first?.seq, delayMs: 0 },
    ])
    expect(account.scheduler.begin(first?.seq ?? 0, expiry + 700)).toHaveLength(1)
    expect(account.scheduler.begin(first?.seq ?? 0, expiry + 900)).toEqual([])
  })

  it('a claim whose messages never arrive is claimed again within two minutes', () => {
    warmed('a', NOON)
    const first = claimed()[0]?.seq ?? 0
    const waits: number[] = []
    let seqs = [first]
    let at = NOON + 4 * MINUTE_MS
    while (seqs.includes(first)) {
      const next = account.store.nextAt() ?? 0
      waits.push(next - at)
      at = next
      seqs = account.scheduler.sweep(at, at).messages.map(({ seq }) => seq)
    }
    const between = waits.slice(1)
    expect(between).toEqual(between.toSorted((a, b) => a - b))
    expect(at).toBeLessThan(NOON + 6 * MINUTE_MS)
    expect(account.scheduler.begin(first, at)).toEqual([])
  })

  it('a claim whose message could not be sent is due again', () => {
    warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    account.scheduler.release(seq, NOON + 4 * MINUTE_MS)
    const next = account.store.nextAt() ?? 0
    expect(next).toBeLessThanOrEqual(NOON + 4 * MINUTE_MS + 5_000)
    const again = account.scheduler.sweep(next, next + SWEEP_HORIZON_MS).messages
    expect(new Set(again.map((message) => message.seq)).size).toBe(1)
    expect(again[0]?.seq).not.toBe(seq)
    expect(account.scheduler.begin(seq, next)).toEqual([])
  })

  it('a settlement of a lease that is not open changes nothing', () => {
    const k = warmed('a', NOON)
    const lease = account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    account.scheduler.settle(
      lease.seq,
      [answered(lease, NOON + 4 * MINUTE_MS + 37_000, 10_000, 0)],
      NOON + 4 * MINUTE_MS + 36_000,
    )
    const before = account.store.states.load(k)
    account.scheduler.settle(
      lease.seq,
      [answered(lease, NOON + 4 * MINUTE_MS + 39_000, 10_000, 0)],
      NOON + 4 * MINUTE_MS + 40_000,
    )
    expect(account.store.states.load(k)).toEqual(before)
  })
})

describe('a consumer that dies between begin and settle', () => {
  it('the lease is free and the probe is sent where nobody had the body', () => {
    const k = warmed('a', NOON)
    const before = account.store.states.load(k)
    const lease = account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    account.evict()
    const expired = account.scheduler.sweep(lease.expiresAt, lease.expiresAt)
    expect(account.scheduler.inFlight(k)).toBeNull()
    expect(account.store.reservedNanos()).toBe(0)
    expect(account.store.claims.giveBody(lease)).toBe(false)
    expect(account.store.states.load(k)?.costNanos).toBe(before?.costNanos)
    const messages = [...expired.messages, ...drain(lease.expiresAt)]
    expect(messages).toHaveLength(1)
    expect(account.scheduler.begin(messages[0]?.seq ?? 0, lease.expiresAt + 2_000)).toHaveLength(1)
  })

  it('a requested warm that nobody had the body of is requested again', () => {
    const { k } = account.registrar.register(registrationNamed('a', planned('off')), NOON)
    const { seq } = account.scheduler.warmLater(k, NOON)
    const lease = account.scheduler.begin(seq, NOON)[0]!
    account.evict()
    const messages = [...account.scheduler.sweep(lease.expiresAt, lease.expiresAt).messages, ...drain(lease.expiresAt)]
    expect(messages).toHaveLength(1)
    expect(account.scheduler.begin(messages[0]!.seq, lease.expiresAt)).toMatchObject([{ k, purpose: 'write' }])
    expect(account.store.states.load(k)?.costNanos).toBe(0)
  })

  it('a lease of a version that noted nothing is charged at its worst case', () => {
    const k = warmed('a', NOON)
    const spent = account.store.states.load(k)?.costNanos ?? 0
    const lease = account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    const { bodyGiven, ...old } = lease
    expect(bodyGiven).toBe(false)
    account.store.claims.saveLeases(lease.seq, [old], lease.expiresAt)
    account.evict()
    account.scheduler.sweep(lease.expiresAt, lease.expiresAt)
    expect(account.store.states.load(k)?.costNanos).toBe(spent + lease.reservedNanos)
  })

  it('the probe is repeated after the lease; the first is charged at its worst case', () => {
    const k = warmed('a', NOON)
    const spent = account.store.states.load(k)?.costNanos ?? 0
    const lease = account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    expect(account.store.claims.giveBody(lease)).toBe(true)
    account.evict()
    expect(account.scheduler.inFlight(k)).toBe(lease.seq)
    expect(account.scheduler.sweep(lease.expiresAt - 1, lease.expiresAt - 1).messages).toEqual([])
    const expired = account.scheduler.sweep(lease.expiresAt, lease.expiresAt)
    expect(account.store.states.load(k)?.costNanos).toBe(spent + lease.reservedNanos)
    expect(account.store.history.load(k)).toContainEqual(
      expect.objectContaining({ type: 'receipt', kind: 'unknown', costNanos: lease.reservedNanos }),
    )
    const messages = [...expired.messages, ...drain(lease.expiresAt)]
    expect(messages).toHaveLength(1)
    expect(account.scheduler.begin(messages[0]?.seq ?? 0, lease.expiresAt + 2_000)).toHaveLength(1)
  })
})

/** Leases of all messages that the alarm sends in the next seconds. */
function drain(from: number): { seq: number; delayMs: number }[] {
  const messages = []
  for (let next = account.store.nextAt(); next !== null && next < from + 4_000; next = account.store.nextAt()) {
    const swept = account.scheduler.sweep(next, next).messages
    if (swept.length === 0) break
    messages.push(...swept)
    break
  }
  return messages
}

describe('repeated calls', () => {
  it('a failed call gets a fresh lease while there is time before the lapse', () => {
    warmed('a', NOON)
    const lease = account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    const { again } = account.scheduler.settle(
      lease.seq,
      [failed(lease, NOON + 4 * MINUTE_MS + 37_000)],
      NOON + 4 * MINUTE_MS + 37_200,
    )
    expect(again).toHaveLength(1)
    expect(again[0]?.id).not.toBe(lease.id)
    expect(again[0]?.notBeforeAt).toBeGreaterThan(NOON + 4 * MINUTE_MS + 37_000)
    const late = NOON + 5 * MINUTE_MS - 1_000
    const second = again[0]!
    expect(account.scheduler.settle(second.seq, [failed(second, late)], late).again).toEqual([])
  })

  it('a failed call is not repeated before the time that the provider named', () => {
    warmed('a', NOON)
    const lease = account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]!
    const at = NOON + 4 * MINUTE_MS + 37_000
    const { again } = account.scheduler.settle(lease.seq, [failed(lease, at, { retryAfterMs: 2_000 })], at + 100)
    expect(again[0]?.notBeforeAt).toBeGreaterThanOrEqual(at + 2_000)
  })

  it('a refused primitive is replaced by the next, also in later calls', () => {
    const { k } = account.registrar.register(registrationNamed('a'), NOON)
    const lease = account.leaseNow(k, NOON)
    expect(lease.primitive).toBe('zero_output')
    const { again } = account.scheduler.settle(lease.seq, [failed(lease, NOON, { primitiveRefused: true })], NOON + 100)
    expect(again[0]).toMatchObject({ primitive: 'one_token', purpose: 'write' })
    account.scheduler.settle(lease.seq, [answered(again[0]!, NOON + 200, 0, 10_000)], NOON + 900)
    expect(account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)[0]?.primitive).toBe(
      'one_token',
    )
  })
})

describe('registration', () => {
  it('the same content is the same prefix', () => {
    const first = account.registrar.register(registrationNamed('a'), NOON)
    const second = account.registrar.register(registrationNamed('a'), NOON + 1)
    expect(second).toEqual({ k: first.k, created: false })
  })

  it('a warm new version under the same name ends the probes of the old one', () => {
    const old = account.registrar.register(registrationNamed('a', planned('always'), { name: 'agent' }), NOON).k
    const lease = account.leaseNow(old, NOON)
    account.scheduler.settle(lease.seq, [answered(lease, NOON, 0, 10_000)], NOON + 400)
    const newer = account.registrar.register(
      registrationNamed('b', planned('off'), { name: 'agent' }),
      NOON + MINUTE_MS,
    ).k
    expect(account.store.states.load(old)?.stopped).toBeNull()
    const first = account.leaseNow(newer, NOON + MINUTE_MS)
    account.scheduler.settle(first.seq, [answered(first, NOON + MINUTE_MS, 0, 10_000)], NOON + MINUTE_MS + 400)
    expect(account.store.states.load(old)).toMatchObject({ nextAt: null, stopped: { reason: 'superseded' } })
    expect(claimed().flatMap(({ seq }) => account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000))).toEqual([])
    const views = account.registrar.list({ name: 'agent' }, null, 10, NOON).views
    expect(views.map((view) => view.record.version)).toEqual([2, 1])
  })

  it('an earlier body registered again under the name is kept warm again', () => {
    const old = account.registrar.register(registrationNamed('a', null, { name: 'agent' }), NOON).k
    account.registrar.register(registrationNamed('b', null, { name: 'agent' }), NOON + 1)
    account.registrar.register(registrationNamed('a', null, { name: 'agent' }), NOON + 2)
    expect(account.store.prefixes.record(old)?.superseded).toBe(false)
    expect(account.store.states.load(old)?.stopped).toBeNull()
  })

  it('callers share a call that is in flight', () => {
    const { k } = account.registrar.register(registrationNamed('a'), NOON)
    const lease = account.leaseNow(k, NOON)
    expect(account.scheduler.warmNow(k, NOON + 100)).toBeNull()
    const { ended } = account.scheduler.settle(lease.seq, [answered(lease, NOON, 0, 10_000)], NOON + 400)
    expect(ended).toMatchObject([{ k, seq: lease.seq, settled: { failure: null, receipt: { kind: 'written' } } }])
  })

  it('a warm beyond the budget is refused with the reason', () => {
    const { k } = account.registrar.register(
      registrationNamed('a', planned('always', { budgetNanosPerDay: 1_000 })),
      NOON,
    )
    expect(account.scheduler.warmNow(k, NOON)).toMatchObject({ refused: { kind: 'budget_exhausted' } })
  })

  it('a deleted prefix leaves no row', () => {
    const k = warmed('a', NOON)
    account.registrar.remove(account.registrar.viewByKey(k, NOON).record.id, NOON)
    for (const table of ['prefix', 'state', 'body', 'history', 'name', 'job']) {
      expect(account.sql.all<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)[0]?.n).toBe(0)
    }
    expect(claimed().flatMap(({ seq }) => account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000))).toEqual([])
  })
})

it('a background warm is sent despite its plan, also after a lost message', () => {
  const { k } = account.registrar.register(registrationNamed('a', planned('off')), NOON)
  account.scheduler.warmLater(k, NOON)
  const expiry = account.store.nextAt() ?? 0
  const again = account.scheduler.sweep(expiry, expiry).messages
  expect(account.scheduler.begin(again[0]?.seq ?? 0, expiry)).toMatchObject([{ k, purpose: 'write' }])
})

it('the budget of the account counts reservations of calls in flight', () => {
  account.scheduler.settings = { ...settings, budgetNanosPerDay: 100_000_000 }
  const a = account.registrar.register(registrationNamed('a'), NOON).k
  const b = account.registrar.register(registrationNamed('b'), NOON).k
  expect(account.leaseNow(a, NOON).reservedNanos).toBe(75_000_000)
  expect(account.scheduler.warmNow(b, NOON)).toMatchObject({ refused: { kind: 'budget_exhausted' } })
})

it('the kill switch forbids leases, and lifting it starts the plans again', () => {
  const k = warmed('a', NOON)
  account.scheduler.settings = { ...settings, killSwitch: true }
  expect(account.scheduler.begin(claimed()[0]?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000)).toEqual([])
  expect(account.store.states.load(k)?.stopped?.reason).toBe('kill_switch')
  account.scheduler.settings = settings
  account.registrar.liftKillSwitch(NOON + HOUR_MS)
  expect(account.store.states.load(k)?.nextAt).not.toBeNull()
})

it('a leased call is held when its plan is switched off, unless it was requested', () => {
  const leased = (): Lease => {
    const { k } = account.registrar.register(registrationNamed('a'), NOON)
    const now = account.store.states.load(k)?.nextAt ?? NOON
    const [message] = account.scheduler.sweep(now, now).messages
    return account.scheduler.begin(message!.seq, now)[0]!
  }
  const scheduled = leased()
  const { id, keepWarm } = account.store.prefixes.record(scheduled.k)!
  expect(account.scheduler.held(scheduled, NOON)).toBeNull()
  account.registrar.change(id, { keepWarm: { ...keepWarm, plan: 'off' } }, NOON)
  expect(account.scheduler.held(scheduled, NOON)).toBe('its plan was switched off')
  // Announced traffic is served under such a plan too.
  account.registrar.announce(id, { at: NOON + HOUR_MS, expectedRequests: 1 }, NOON)
  expect(account.scheduler.held(scheduled, NOON)).toBeNull()
  account.registrar.withdraw(id, null, NOON)
  account.scheduler.settle(
    scheduled.seq,
    [{ lease: scheduled.id, k: scheduled.k, kind: 'not_sent', why: 'held' }],
    NOON,
  )
  expect(account.scheduler.held(scheduled, NOON)).toBe('its time has ended')
  const asked = account.scheduler.warmNow(scheduled.k, NOON)
  if (asked === null || 'refused' in asked) throw new Error('no lease was given')
  expect(account.scheduler.held(asked.lease, NOON)).toBeNull()
  account.scheduler.settings = { ...settings, globalKillSwitch: true }
  expect(account.scheduler.held(asked.lease, NOON)).toBe('the kill switch is on')
})

it('history survives its move out of the tail, in order', () => {
  const k = warmed('a', NOON)
  let at = NOON
  for (let n = 0; n < 100; n++) {
    at += 4 * MINUTE_MS
    const lease = account.leaseNow(k, at)
    account.scheduler.settle(lease.seq, [answered(lease, at, 10_000, 0)], at + 300)
  }
  const receipts = account.store.history.load(k).filter((row) => row.type === 'receipt')
  expect(receipts).toHaveLength(101)
  expect(receipts.map((row) => row.at)).toEqual(receipts.map((row) => row.at).toSorted((x, y) => x - y))
})

it('a plan stored without a latency value reads as a value of 0', () => {
  const k = warmed('a', NOON, planned('auto', { latencyValueNanos: 0 }))
  account.sql.all("UPDATE prefix SET record = json_remove(record, '$.keepWarm.latencyValueNanos') WHERE k = ?", k)
  account.evict()
  const before = account.store.states.load(k)
  expect(keepWarmJson(account.registrar.viewByKey(k, NOON).record.keepWarm)).toMatchObject({ latency_value_usd: 0 })
  account.registrar.register(registrationNamed('a', planned('auto', { latencyValueNanos: 0 })), NOON + MINUTE_MS)
  expect(account.store.states.load(k)).toEqual(before)
  account.registrar.register(registrationNamed('a', planned('auto', { latencyValueNanos: 5 })), NOON + MINUTE_MS)
  expect(account.store.states.load(k)?.plannedAt).toBe(NOON + MINUTE_MS)
})

it('an eviction changes nothing: the tables are the truth', () => {
  const k = warmed('a', NOON)
  const before = { view: account.registrar.viewByKey(k, NOON + MINUTE_MS), next: account.store.nextAt() }
  account.evict()
  expect({ view: account.registrar.viewByKey(k, NOON + MINUTE_MS), next: account.store.nextAt() }).toEqual(before)
})

it('measured latency shortens the lead, and survives an eviction', () => {
  const k = warmed('a', NOON)
  const first = account.scheduler.leadMs('sample', 5 * MINUTE_MS)
  let at = NOON
  for (let n = 0; n < 3_000; n++) {
    const next = account.store.nextAt() ?? 0
    const [message] = account.scheduler.sweep(next, next).messages
    const [lease] = account.scheduler.begin(message?.seq ?? 0, next + 800)
    // The lead became shorter since it was claimed: it is claimed again, later.
    if (lease === undefined) continue
    at = next + 800
    account.scheduler.settle(lease.seq, [answered(lease, at, 10_000, 0)], at + 300)
  }
  const learned = account.scheduler.leadMs(account.store.prefixes.record(k)?.provider ?? '', 5 * MINUTE_MS)
  expect(learned).toBeLessThan(first - 5_000)
  expect(account.store.states.load(k)?.nextAt).toBe(at + 5 * MINUTE_MS - learned)
  account.evict()
  expect(account.scheduler.leadMs(account.store.prefixes.record(k)?.provider ?? '', 5 * MINUTE_MS)).toBe(learned)
})

it('history older than a week is rolled up by the hour', () => {
  const k = warmed('a', NOON)
  let at = NOON
  for (let n = 0; n < 64; n++) {
    at += 4 * MINUTE_MS
    const lease = account.leaseNow(k, at)
    account.scheduler.settle(lease.seq, [answered(lease, at, 10_000, 0)], at + 300)
  }
  const old = account.store.history.old(at + 1, 10)
  expect(old.length).toBeGreaterThan(0)
  for (const { seq, rows } of old) account.store.history.saveRolledUp(k, seq, rollUpRows(rows))
  expect(account.store.history.old(at + 1, 10)).toEqual([])
  const counted = account.store.history
    .load(k)
    .reduce(
      (sum, row) =>
        sum +
        (row.type === 'rollup' ? (row.receipts['full'] ?? 0) : row.type === 'receipt' && row.kind === 'full' ? 1 : 0),
      0,
    )
  expect(counted).toBe(64)
})

describe('a prefix with an unusable record', () => {
  it('the prefix stops with a reason, others are probed, and a new registration restarts it', () => {
    const broken = warmed('a', NOON)
    const good = warmed('b', NOON)
    account.sql.all("UPDATE prefix SET record = json_remove(record, '$.keepWarm') WHERE k = ?", broken)
    account.evict()
    const leases = claimed().flatMap(({ seq }) => account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000))
    expect(leases.map((lease) => lease.k)).toEqual([good])
    expect(account.store.states.load(broken)).toMatchObject({ nextAt: null, stopped: { reason: 'internal_error' } })
    expect(account.store.history.load(broken).at(-1)).toMatchObject({ decision: 'stop:internal_error' })
    account.registrar.register(registrationNamed('a'), NOON + 5 * MINUTE_MS)
    expect(account.store.states.load(broken)?.stopped).toBeNull()
  })

  it('a prefix is not in flight after the transaction of its lease was rolled back', () => {
    const k = warmed('a', NOON)
    const seq = claimed()[0]?.seq ?? 0
    const all = account.sql.all.bind(account.sql)
    account.sql.all = ((query: string, ...bindings: never[]) => {
      if (query.startsWith('UPDATE claim SET leases')) throw new Error('the disk is full')
      return all(query, ...bindings)
    }) as typeof account.sql.all
    expect(() => account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toThrow('the disk is full')
    account.sql.all = all
    expect(account.scheduler.inFlight(k)).toBeNull()
    expect(account.scheduler.begin(seq, NOON + 4 * MINUTE_MS + 37_000)).toHaveLength(1)
  })
})

it('a requested warm restarts a plan that let its prefix lapse', () => {
  const k = warmed('a', NOON, planned({ probes: 0 }))
  expect(account.store.states.load(k)?.stopped?.reason).toBe('probes_spent')
  const later = NOON + HOUR_MS
  const lease = account.leaseNow(k, later)
  expect(account.store.states.load(k)?.stopped?.reason).toBe('probes_spent')
  account.registrar.change(
    account.store.prefixes.record(k)?.id ?? '',
    { keepWarm: planned({ probes: 2 }) },
    later + 100,
  )
  expect(account.store.states.load(k)?.stopped?.reason).toBe('lapsed')
  account.scheduler.settle(lease.seq, [answered(lease, later, 0, 10_000)], later + 400)
  expect(account.store.states.load(k)?.stopped).toBeNull()
  expect(account.store.states.load(k)?.nextAt).toBe(later + 5 * MINUTE_MS - leadMs(5 * MINUTE_MS, 1_000))
  expect(account.store.history.load(k)).toContainEqual(expect.objectContaining({ decision: 'resume' }))
})

it('a requested warm does not restart a plan that is off, superseded or over', () => {
  const k = warmed('a', NOON, planned('off'))
  const lease = account.leaseNow(k, NOON + HOUR_MS)
  account.scheduler.settle(lease.seq, [answered(lease, NOON + HOUR_MS, 0, 10_000)], NOON + HOUR_MS + 400)
  expect(account.store.states.load(k)).toMatchObject({ nextAt: null, stopped: { reason: 'plan_off' } })
  expect(account.store.history.load(k)).not.toContainEqual(expect.objectContaining({ decision: 'resume' }))
})

describe('a plan that loses money', () => {
  const limit = 3 * (37_500_000 - 3_000_000)

  it('the plan stops, sends no claimed probe, and a requested warm does not restart it', () => {
    const k = warmed('a', NOON, planned('auto'))
    const [message] = claimed()
    if (message === undefined) throw new Error('nothing was claimed')
    const state = account.store.states.load(k)
    if (state === null) throw new Error('the prefix was deleted')
    account.store.states.save(k, { ...state, loss: { nanos: 2 * limit, at: NOON + 4 * MINUTE_MS } }, [])
    account.evict()
    expect(account.scheduler.begin(message.seq, NOON + 4 * MINUTE_MS + 37_000)).toEqual([])
    expect(account.store.states.load(k)?.stopped?.reason).toBe('losing_money')

    const lease = account.leaseNow(k, NOON + 5 * MINUTE_MS)
    account.scheduler.settle(lease.seq, [answered(lease, NOON + 5 * MINUTE_MS, 0, 10_000)], NOON + 5 * MINUTE_MS + 400)
    account.evict()
    expect(account.store.states.load(k)).toMatchObject({
      verdict: 'warm',
      nextAt: null,
      stopped: { reason: 'losing_money' },
    })
    expect(claimed(NOON + 9 * MINUTE_MS)).toEqual([])
  })

  it('a changed plan goes on at once', () => {
    const k = warmed('a', NOON, planned('auto'))
    account.scheduler.replan(k, NOON + MINUTE_MS, (state) => ({
      ...state,
      loss: { nanos: limit, at: NOON + MINUTE_MS },
    }))
    expect(account.store.states.load(k)).toMatchObject({ nextAt: null, stopped: { reason: 'losing_money' } })
    const { id } = account.registrar.viewByKey(k, NOON).record
    account.registrar.change(
      id,
      { keepWarm: planned('auto', { budgetNanosPerDay: 2_000_000_000 }) },
      NOON + 2 * MINUTE_MS,
    )
    expect(account.store.states.load(k)).toMatchObject({ stopped: null, loss: { nanos: 0 } })
    expect(claimed()).toHaveLength(1)
  })

  it('losses count in their own prefix alone', () => {
    const k = warmed('a', NOON, planned('auto'))
    const other = warmed('b', NOON, planned('auto'))
    account.scheduler.replan(k, NOON + MINUTE_MS, (state) => ({
      ...state,
      loss: { nanos: 9 * limit, at: NOON + MINUTE_MS },
    }))
    expect(account.store.states.load(other)?.stopped).toBeNull()
    const [message] = claimed()
    expect(account.scheduler.begin(message?.seq ?? 0, NOON + 4 * MINUTE_MS + 37_000).map((lease) => lease.k)).toEqual([
      other,
    ])
  })
})

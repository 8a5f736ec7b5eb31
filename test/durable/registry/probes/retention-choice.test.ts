import { beforeEach, expect, it } from 'vitest'
import { RawJson } from '../../../../src/contract/raw-json.ts'
import { warmBody } from '../../../../src/contract/warm.ts'
import { worstNanosAt } from '../../../../src/core/planning/budget.ts'
import { costOf, readNanos, writeNanos } from '../../../../src/core/model/price.ts'
import type { Rates } from '../../../../src/core/model/facts.ts'
import { orderOf } from '../../../../src/http/preload/crew-order.ts'
import { prepareWarm, registrationOf } from '../../../../src/registration/prepare.ts'
import { factsOf } from '../../../../src/runtime/facts.ts'
import { NOON, usage } from '../../../support/sample.ts'
import { answered, testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import type { Lease } from '../../../../src/calls/lease.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

/** A retention that the planner chooses, from the registration to a much later write. */

const TOKENS = 8_000
const TEXT = 'Answer in the words of the handbook, and in no others. '.repeat(600)

let now: number
let account: TestAccount
let longWrite: (rates: Rates) => Rates

beforeEach(() => {
  now = NOON
  longWrite = (rates) => rates
  account = testAccount({
    facts: (provider, model, at) => {
      const facts = factsOf(provider, model, at)
      return facts.price === null ? facts : { ...facts, price: { ...facts.price, ...longWrite(facts.price) } }
    },
  })
})

function register(keepWarm: object = { plan: 'auto' }, cache?: object): number {
  const system = [{ type: 'text', text: TEXT }]
  const request = new RawJson(JSON.stringify({ model: 'claude-opus-4-8', max_tokens: 9, system, messages: [] }))
  const body = warmBody.parse({
    provider: 'anthropic',
    request,
    keep_warm: keepWarm,
    ...(cache === undefined ? {} : { cache }),
  })
  return account.registrar.register(registrationOf(prepareWarm(body, now)), now).k
}

const retentionOf = (k: number): string | undefined => account.store.states.load(k)?.retention?.name
const reasonsOf = (k: number): string[] =>
  account.store.history
    .load(k)
    .flatMap((row) => (row.type === 'decision' && row.decision === 'retention' ? [row.why] : []))
/** Reasons recorded after the registration. */
const rowsOf = (k: number): string[] => reasonsOf(k).filter((why) => !why.includes('chosen by the planner'))

it('the history reports a retention that the planner chose', () => {
  const k = register()
  const first = [
    expect.stringMatching(/^written at 1h, chosen by the planner: judging by gaps of similar traffic, .* at 5m; set/),
  ]
  expect(reasonsOf(k)).toEqual(first)
  // Registering it again records nothing new.
  expect(register()).toBe(k)
  expect(reasonsOf(k)).toEqual(first)
})

it.each([
  ['a name', { plan: 'auto' }, { retention: '1h' }],
  ['a plan that has no probes sent', { plan: 'off' }, undefined],
])('a retention that is fixed by %s is not reported', (_, keepWarm, cache) => {
  expect(reasonsOf(register(keepWarm, cache))).toEqual([])
})

function settle(lease: Lease): void {
  const written = usage(0, TOKENS, { cacheWriteByRetention: { [lease.retention]: TOKENS } })
  const outcome = answered(lease, now, null, null, { usage: written, model: null })
  now += 300
  account.scheduler.settle(lease.seq, [outcome], now)
}

/** One real request a day that finds nothing and writes with the planned retention. */
function daily(k: number, days = 20): void {
  for (let day = 0; day < days; day++) {
    now += DAY_MS
    const by = { [retentionOf(k) ?? '']: TOKENS }
    account.scheduler.observe(
      k,
      [{ startedAt: now, usage: usage(0, TOKENS, { cacheWriteByRetention: by }), ttftMs: null }],
      now,
    )
  }
}

/** A prefix that is used once a day, and whose next use is announced. */
function announced(): number {
  const k = register()
  const first = account.leaseNow(k, now)
  expect(first.retention).toBe('1h')
  settle(first)
  daily(k)
  now += 2 * HOUR_MS
  account.scheduler.replan(k, now, (state) => state)
  const { id } = account.registrar.viewByKey(k, now).record
  account.registrar.announce(id, { at: now + 10 * MINUTE_MS, expectedRequests: 3 }, now)
  now = (account.store.states.load(k)?.nextAt ?? now) + 1
  return k
}

it('the retention is chosen once for a write, however often its message arrives', () => {
  const k = announced()
  const [message] = account.scheduler.sweep(now, now).messages
  expect(retentionOf(k)).toBe('1h')
  const [lease] = account.scheduler.begin(message!.seq, now)
  expect(lease).toMatchObject({ k, purpose: 'write', retention: '5m' })
  // The reservation is the worst case of the write that is sent.
  const { state, context } = account.scheduler.look(k, now)!
  expect(lease?.reservedNanos).toBe(worstNanosAt('5m', state, context))
  expect(lease?.reservedNanos).toBeLessThan(worstNanosAt('1h', state, context)!)
  expect(account.scheduler.begin(message!.seq, now)).toEqual([])
  // As after an eviction between the lease and its answer.
  account.evict()
  expect(account.scheduler.begin(message!.seq, now)).toEqual([])
  settle(lease!)
  expect(account.store.states.load(k)).toMatchObject({
    verdict: 'warm',
    retention: { name: '5m', ttlMs: 5 * MINUTE_MS },
  })
  expect(rowsOf(k)).toHaveLength(1)
  expect(rowsOf(k)[0]).toContain('written at 5m instead of 1h from now on')
})

it('the retention changes only where the budget of the account allows it', () => {
  const plan = { plan: 'auto', budget_usd_per_day: 0.25 }
  const k = register(plan)
  // The first write at an hour would not fit into the budget of the prefix.
  expect(retentionOf(k)).toBe('5m')
  for (let gap = 0; gap < 40; gap++) {
    now += (15 + (gap % 5) * 7) * MINUTE_MS
    const by = { '5m': TOKENS }
    account.scheduler.observe(
      k,
      [{ startedAt: now, usage: usage(0, TOKENS, { cacheWriteByRetention: by }), ttftMs: null }],
      now,
    )
  }
  now += DAY_MS
  const { record, state, context } = account.scheduler.look(k, now)!
  account.registrar.change(record.id, { keepWarm: { ...record.keepWarm, budgetNanosPerDay: 1_000_000_000 } }, now)
  const [five, hour] = [worstNanosAt('5m', state, context)!, worstNanosAt('1h', state, context)!]
  account.scheduler.settings = { ...account.settings, budgetNanosPerDay: Math.round((five + hour) / 2) }
  const tight = account.scheduler.warmNow(k, now)
  expect(tight).toMatchObject({ lease: { retention: '5m', reservedNanos: five } })
  expect(rowsOf(k)).toEqual([])
  if (tight === null || 'refused' in tight) throw new Error('no lease was given')
  settle(tight.lease)
  now += DAY_MS
  account.scheduler.settings = account.settings
  const measured = worstNanosAt('1h', account.store.states.load(k)!, context)
  expect(account.scheduler.warmNow(k, now)).toMatchObject({ lease: { retention: '1h', reservedNanos: measured } })
  expect(rowsOf(k)).toHaveLength(1)
})

it('the retention stays when prices change, until the next write', () => {
  const k = announced()
  const [message] = account.scheduler.sweep(now, now).messages
  const [lease] = account.scheduler.begin(message!.seq, now)
  settle(lease!)
  account.registrar.factsChanged(now)
  expect(retentionOf(k)).toBe('5m')
  now += 3 * HOUR_MS
  longWrite = (rates) => ({
    ...rates,
    cacheWriteNanosPerMTok: { ...rates.cacheWriteNanosPerMTok, '1h': rates.inputNanosPerMTok },
  })
  account.registrar.factsChanged(now)
  expect(retentionOf(k)).toBe('5m')
  const again = account.scheduler.warmNow(k, now)
  expect(again).toMatchObject({ lease: { retention: '1h' } })
  expect(rowsOf(k)).toHaveLength(2)
})

it('a caller that names the retention in force fixes it', () => {
  const k = register()
  expect(account.store.prefixes.record(k)).toMatchObject({ retention: '1h', retentionOpen: true })
  register({ plan: 'auto' }, { retention: '5m' })
  expect(account.store.prefixes.record(k)).toMatchObject({ retention: '1h', retentionOpen: true })
  register({ plan: 'auto' }, { retention: '1h' })
  expect(account.store.prefixes.record(k)).not.toHaveProperty('retentionOpen')
  register()
  expect(account.store.prefixes.record(k)).not.toHaveProperty('retentionOpen')
  daily(k)
  now += 2 * HOUR_MS
  expect(account.scheduler.warmNow(k, now)).toMatchObject({ lease: { retention: '1h' } })
  expect(rowsOf(k)).toEqual([])
})

it('the retention that real requests write is planned with', () => {
  const k = register()
  const first = account.leaseNow(k, now)
  settle(first)
  now += 2 * HOUR_MS
  const by = usage(0, TOKENS, { cacheWriteByRetention: { '5m': TOKENS } })
  account.scheduler.observe(k, [{ startedAt: now, usage: by, ttftMs: null }], now)
  expect(account.store.states.load(k)).toMatchObject({ asWritten: true, retention: { name: '5m' } })
  const { nextAt } = account.store.states.load(k)!
  expect(nextAt! - now).toBeLessThan(5 * MINUTE_MS)
  expect(nextAt! - now).toBeGreaterThan(3 * MINUTE_MS)
  now = nextAt!
  const [message] = account.scheduler.sweep(now, now).messages
  const [keep] = account.scheduler.begin(message!.seq, now)
  expect(keep).toMatchObject({ purpose: 'keep', retention: '5m' })
  daily(k)
  expect(retentionOf(k)).toBe('5m')
  expect(rowsOf(k)).toEqual([expect.stringContaining('real requests write it at 5m, not at 1h')])
})

it('a saving is at most what callers with a retention of five minutes would have paid', () => {
  const saved = (before: (k: number) => void, unmarked = true): number => {
    account.evict()
    const k = register()
    if (!unmarked) register({ plan: 'auto' }, { retention: '1h' })
    const warm = account.leaseNow(k, now)
    expect(warm.retention).toBe('1h')
    settle(warm)
    before(k)
    const { id } = account.registrar.viewByKey(k, now).record
    const { keepWarm } = account.store.prefixes.record(k)!
    account.registrar.change(id, { keepWarm: { ...keepWarm, plan: { probes: 1 } } }, now)
    now = account.store.states.load(k)!.nextAt!
    const [message] = account.scheduler.sweep(now, now).messages
    const [keep] = account.scheduler.begin(message!.seq, now)
    const read = usage(TOKENS, 0)
    const { id: lease, primitive } = keep!
    account.scheduler.settle(
      keep!.seq,
      [{ lease, k, kind: 'answered', startedAt: now, latencyMs: 9, primitive, usage: read, model: null }],
      now,
    )
    now += 30 * MINUTE_MS
    account.scheduler.observe(k, [{ startedAt: now, usage: read, ttftMs: null }], now)
    const { savedNanos, credits } = account.store.states.load(k)!
    expect(credits).toBe(1)
    account.registrar.remove(id, now)
    return savedNanos
  }
  const missed = (by: string) => (k: number) => {
    const usageOf = usage(0, TOKENS, { cacheWriteByRetention: { [by]: TOKENS } })
    account.scheduler.observe(k, [{ startedAt: now, usage: usageOf, ttftMs: null }], now)
  }
  const nothing = (): void => {}
  const { price } = factsOf('anthropic', 'claude-opus-4-8', NOON)
  const worth = (name: string): number => writeNanos(TOKENS, 0, price!, name)! - readNanos(TOKENS, 0, price!)
  expect(saved(nothing)).toBe(worth('5m'))
  expect(saved(missed('1h'))).toBe(worth('1h'))
  expect(saved(nothing, false)).toBe(worth('1h'))
})

it('a crew keeps the retention, although its members have not named one', () => {
  const system = [{ type: 'text', text: TEXT }]
  const request = new RawJson(JSON.stringify({ model: 'claude-opus-4-8', max_tokens: 9, system, messages: [] }))
  const admitted = (cache?: object) => ({
    name: null,
    preparation: prepareWarm(warmBody.parse({ provider: 'anthropic', request, ...(cache && { cache }) }), now),
  })
  const [open, said] = orderOf({}, [admitted(), admitted({ retention: '1h' })]).agents
  expect(open?.registration).toMatchObject({ retention: '1h', unmarked: true })
  expect(open?.registration).not.toHaveProperty('retentionOpen')
  expect(said?.registration).not.toHaveProperty('unmarked')
  const { k } = account.registrar.register(open!.registration!, now)
  account.registrar.register(open!.registration!, now)
  expect(account.store.prefixes.record(k)).toMatchObject({ unmarked: true })
  account.registrar.register(said!.registration!, now)
  expect(account.store.prefixes.record(k)).not.toHaveProperty('unmarked')
})

it.each([true, false])(
  'an answer is charged at the leased retention, whatever real requests wrote (named: %s)',
  (named) => {
    const k = register()
    const warm = account.leaseNow(k, now)
    const { id: lease, seq, primitive, retention } = warm
    expect(retention).toBe('1h')
    const startedAt = now
    now += 2_000
    const theirs = usage(0, TOKENS, { cacheWriteByRetention: { '5m': TOKENS } })
    account.scheduler.observe(k, [{ startedAt: now - 1_000, usage: theirs, ttftMs: null }], now)
    expect(retentionOf(k)).toBe('5m')
    const outcome = { lease, k, kind: 'answered', startedAt, latencyMs: 9, primitive, model: null } as const
    const ours = usage(0, TOKENS, { cacheWriteByRetention: named ? { '1h': TOKENS } : {} })
    account.scheduler.settle(seq, [{ ...outcome, usage: ours }], now)
    const { price } = factsOf('anthropic', 'claude-opus-4-8', NOON)
    const { costNanos, retention: held } = account.store.states.load(k)!
    expect(costNanos).toBe(costOf(ours, price, '1h'))
    // It does not count as a retention granted instead of the requested one.
    expect(held).toMatchObject({ name: '5m', ttlMs: 5 * MINUTE_MS })
    expect(held).not.toHaveProperty('grantedName')
    expect(rowsOf(k)).toEqual([expect.stringContaining('real requests write it at 5m')])
  },
)

import { evictDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { lifetimeAnswer } from '../../../src/contract/lifetimes.ts'
import { listOf } from '../../../src/contract/values.ts'
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../../src/core/time/time.ts'
import { tick } from '../../support/worker.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warm,
} from '../support.ts'
import type { Answer, CallOptions } from '../support.ts'

const world = useLab()
/** Ahead of the machine's clock, and another day for each test. */
let now = Date.UTC(2032, 5, 7, 12)
/** The account of the test, in which nothing was seen. */
let id = ''
let key = ''

const later = (ms: number): void => void vi.setSystemTime((now += ms))

/** An account that may use the lab's Anthropic. */
async function ownAccount() {
  const made = await newAccount()
  await call('PATCH', `/accounts/${made.id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
  return { id: made.id, key: made.key }
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  later(DAY_MS)
  ;({ id, key } = await ownAccount())
})
afterEach(() => {
  vi.useRealTimers()
})

const mine = (): CallOptions => ({ key })
const lifetimes = async (query = '', options = mine()) =>
  listOf(lifetimeAnswer).parse((await get(`/lifetimes${query}`, options)).json)

/** Prefixes that are read after two minutes, and that the provider evicts before they are asked for four and a half minutes later. */
async function evicted({ prefixes, rounds }: { prefixes: number; rounds: number }): Promise<string[]> {
  const ids: string[] = []
  for (let one = 0; one < prefixes; one++) ids.push(String(pick(await warm(undefined, {}, mine()), 'id')))
  const kinds = new Map<string, number>()
  const warmAll = async () => {
    for (const one of ids) {
      const kind = String(pick(await post(`/prefixes/${one}/warm`, {}, mine()), 'receipt', 'kind'))
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
  }
  for (let round = 0; round < rounds; round++) {
    later(2 * MINUTE_MS)
    await warmAll()
    later(4.5 * MINUTE_MS)
    // All entries of the account go with the first call.
    world.lab.faults.add({ kind: 'evict', provider: 'anthropic', times: 1 })
    await warmAll()
  }
  expect(Object.fromEntries(kinds)).toEqual({ full: prefixes * rounds, written: prefixes * rounds })
  return ids
}

const probeAfterMs = (warmed: Answer): number => Date.parse(String(pick(warmed, 'plan', 'next_probe_at'))) - now

describe('GET /lifetimes', () => {
  it('is empty before any traffic, and refuses what it does not understand by its name', async () => {
    expect(await lifetimes()).toEqual({ data: [], next_cursor: null })
    for (const [query, field] of [
      ['limit=0', 'limit'],
      ['limit=201', 'limit'],
      ['provider=', 'provider'],
      [`provider=${'x'.repeat(65)}`, 'provider'],
      [`model=${'x'.repeat(301)}`, 'model'],
      ['cursor=nobodys', 'cursor'],
      ['size=3', 'size'],
      ['model=a&model=b', 'model'],
    ]) {
      const { status, json } = await get(`/lifetimes?${query}`, mine())
      expect([query, status, (json['error'] as { detail?: unknown } | undefined)?.detail]).toEqual([
        query,
        400,
        { field },
      ])
    }
    expect((await get('/lifetimes', { key: null })).status).toBe(401)
  })

  it('has the curve of early evictions, which brings the keep-alives of other prefixes forward', async () => {
    const before = await warm(anthropicBody(), { keep_warm: { plan: 'always' } }, mine())
    const usualMs = probeAfterMs(before)
    expect(usualMs).toBeGreaterThan(4.4 * MINUTE_MS)
    await evicted({ prefixes: 3, rounds: 8 })

    const { data } = await lifetimes('?provider=anthropic')
    expect(data).toHaveLength(1)
    const [curve] = data
    expect(curve).toMatchObject({
      provider: 'anthropic',
      model: 'claude-opus-5',
      retention: '5m',
      ttl: '5m',
      basis: 'size',
      enough: true,
      own_samples: 48,
      samples: 48,
      interval_by: 'curve',
    })
    expect(curve?.bands).toMatchObject([
      { from: '0s', to: '1m', samples: 0, share: null },
      { from: '1m', to: '2m', samples: 24, readable: 24, share: 1, upper: 1 },
      { to: '3m', samples: 0 },
      { to: '4m', samples: 0 },
      { from: '4m', to: '5m', samples: 24, readable: 0, share: 0, lower: 0 },
    ])
    expect(curve?.bands[1]?.lower).toBeGreaterThan(0.85)
    expect(curve?.bands[4]?.upper).toBeLessThan(0.15)
    expect(curve?.why).toContain('entries go early')

    const after = await warm(anthropicBody(), { keep_warm: { plan: 'always' } }, mine())
    const earlyMs = probeAfterMs(after)
    expect(earlyMs).toBeLessThan(2 * MINUTE_MS)
    expect(earlyMs).toBeGreaterThan(MINUTE_MS)
    expect(pick(after, 'plan', 'why')).toContain('entries like it go early')
    // What another retention of the same model promises has been seen by nobody.
    const hour = await warm(anthropicBody(), { keep_warm: { plan: 'always' }, cache: { retention: '1h' } }, mine())
    expect(probeAfterMs(hour)).toBeGreaterThan(50 * MINUTE_MS)

    // The keep-alive itself is sent then, and finds the entry.
    const early = String(pick(after, 'id'))
    const calls = received(world.lab).length
    later(earlyMs)
    await tick()
    const prefix = await vi.waitUntil(
      async () => {
        const seen = await get(`/prefixes/${early}`, mine())
        return pick(seen, 'probes') === 2 ? seen : null
      },
      { timeout: 20_000, interval: 25 },
    )
    expect(pick(prefix, 'last_receipt', 'kind')).toBe('full')
    expect(received(world.lab).length).toBeGreaterThan(calls)
  })

  it('survives a restart, and is read by its own account alone', async () => {
    await evicted({ prefixes: 3, rounds: 8 })
    const before = await lifetimes()
    await evictDurableObject(bindings.REGISTRY.getByName(id))
    const after = await lifetimes()
    expect(after.data[0]?.bands[4]).toEqual(before.data[0]?.bands[4])
    expect(after.data[0]?.interval).toBe(before.data[0]?.interval)
    const strangers = { key: (await ownAccount()).key }
    expect(await lifetimes('', strangers)).toEqual({ data: [], next_cursor: null })
    const theirs = await warm(anthropicBody(), { keep_warm: { plan: 'always' } }, strangers)
    expect(probeAfterMs(theirs)).toBeGreaterThan(4.4 * MINUTE_MS)
  })

  it('leaves the schedule alone where entries last, and where too few answers say otherwise', async () => {
    await evicted({ prefixes: 1, rounds: 3 })
    const [few] = (await lifetimes()).data
    expect(few).toMatchObject({ samples: 6, enough: false, interval_by: 'retention' })
    const warmed = await warm(anthropicBody(), { keep_warm: { plan: 'always' } }, mine())
    expect(probeAfterMs(warmed)).toBeGreaterThan(4.4 * MINUTE_MS)

    ;({ key } = await ownAccount())
    const lasts = String(pick(await warm(undefined, {}, mine()), 'id'))
    for (let turn = 0; turn < 30; turn++) {
      later(turn % 2 === 0 ? 4.5 * MINUTE_MS : 90 * SECOND_MS)
      await post(`/prefixes/${lasts}/warm`, {}, mine())
    }
    const [lasting] = (await lifetimes()).data
    expect(lasting?.samples).toBeGreaterThan(29.5)
    expect(lasting).toMatchObject({ enough: true, interval_by: 'retention' })
    expect(lasting?.bands.every(({ lower }) => lower > 0.85)).toBe(true)
  })

  it('filters by provider and model, and is read page by page', async () => {
    const small = longText(60)
    for (const [text, model] of [
      [small, 'claude-opus-5'],
      [longText(900), 'claude-opus-5'],
      [longText(), 'claude-sonnet-4-5'],
    ] as const) {
      const warmed = await warm({ ...anthropicBody(text), model }, {}, mine())
      later(2 * MINUTE_MS)
      await post(`/prefixes/${String(pick(warmed, 'id'))}/warm`, {}, mine())
    }
    const all = await lifetimes()
    expect(all.data.map(({ model, tokens_from }) => [model, tokens_from])).toEqual([
      ['claude-opus-5', 0],
      ['claude-opus-5', 16_384],
      ['claude-sonnet-4-5', 0],
    ])
    // One answer about its own size, and those of the other sizes of its model.
    expect(all.data.map(({ own_samples, samples, basis }) => [own_samples, samples, basis])).toEqual([
      [1, 3, 'provider'],
      [1, 3, 'provider'],
      [1, 3, 'provider'],
    ])
    expect((await lifetimes('?model=claude-sonnet-4-5')).data).toHaveLength(1)
    expect((await lifetimes('?provider=openai')).data).toEqual([])
    const first = await lifetimes('?limit=2')
    expect(first.data).toEqual(all.data.slice(0, 2))
    const rest = await lifetimes(`?limit=2&cursor=${first.next_cursor}`)
    expect(rest).toEqual({ data: all.data.slice(2), next_cursor: null })
  })
})

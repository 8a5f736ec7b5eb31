import { runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { displayNameOf } from '../../../src/core/managed-cache/ownership.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/core/time/time.ts'
import { managedCacheMark } from '../../../src/runtime/ids.ts'
import { bindings, call, get, longText, pick, post, received, useLab } from '../support.ts'
import type { Answer } from '../support.ts'
import { MODEL, providerOf } from './support.ts'

const world = useLab()
const { calls, outOfBand } = providerOf(world)
/** Ahead of the machine's clock, so that alarms fire only when a test runs them. */
const START = Date.UTC(2031, 0, 6, 12)
let now = START

function at(time: number): void {
  now = time
  vi.setSystemTime(time)
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  at(now + 24 * HOUR_MS)
})

afterEach(() => {
  vi.useRealTimers()
})

const registry = () => bindings.REGISTRY.getByName('dev')
const sweep = () => registry().sweep(Date.now())
const until = (condition: () => Promise<boolean>) => vi.waitUntil(condition, { timeout: 8_000, interval: 25 })

const body = (text: string) => ({
  systemInstruction: { parts: [{ text }] },
  contents: [{ role: 'user', parts: [{ text: 'Which lamp?' }] }],
})

const registration = (text: string, more: Record<string, unknown> = {}) => ({
  provider: 'gemini',
  model: MODEL,
  request: body(text),
  cache: 'auto',
  ...more,
})

/** Real requests of the last minutes, of which every other one missed the provider's own cache. */
async function traffic(id: string, count = 40, more: Record<string, unknown> = {}): Promise<void> {
  const tokens = pick(await get(`/prefixes/${id}`), 'measured_tokens') as number
  // One report teaches that the entry is there, the others how often requests find it.
  for (const part of [0, 1]) {
    const observed = Array.from({ length: part === 0 ? 1 : count }, (_, index) => ({
      prefix_id: id,
      started_at: now - (count - index) * SECOND_MS,
      usage: {
        promptTokenCount: tokens + 60,
        cachedContentTokenCount: index % 2 === 0 ? tokens + 40 : 0,
        candidatesTokenCount: 5,
        totalTokenCount: tokens + 65,
      },
      ...more,
    }))
    expect((await post('/observations', observed)).status).toBe(200)
    at(now + 2 * MINUTE_MS)
  }
}

/** A prefix whose traffic makes a managed cache pay. */
async function chosen(text = longText(), more: Record<string, unknown> = {}): Promise<string> {
  const warmed = await post('/warm', registration(text, more))
  expect([warmed.status, warmed.text]).toEqual([200, expect.any(String)])
  const id = pick(warmed, 'id') as string
  await traffic(id)
  return id
}

const useOf = async (id: string) =>
  pick(await get(`/prefixes/${id}`), 'managed_cache') as Record<string, unknown> & { handle: string | null; id: string }

/** The same, once its handle exists. */
async function kept(id: string): Promise<string> {
  await sweep()
  await until(async () => (await useOf(id)).handle !== null)
  return (await useOf(id)).handle ?? ''
}

const creations = () => calls('POST').filter(({ path }) => path.endsWith('cachedContents'))
const decisions = async (id: string) =>
  (pick(await get(`/prefixes/${id}/history`), 'data') as Record<string, unknown>[])
    .filter(({ type }) => type === 'decision')
    .map(({ decision, reason }) => [decision, reason] as [string, string])

/** A real request with the body that is shown, and its report. */
async function sentWithHandle(id: string): Promise<{ usage: Record<string, number>; reported: Answer }> {
  const shown = JSON.parse(pick(await get(`/prefixes/${id}/request`), 'handle_body') as string) as object
  const request = { ...shown, contents: [{ role: 'user', parts: [{ text: 'Which lamp for a desk?' }] }] }
  const answer = await outOfBand('POST', `/v1beta/models/${MODEL}:generateContent`, request)
  expect(answer.status).toBe(200)
  const { usageMetadata: usage } = (await answer.json()) as { usageMetadata: Record<string, number> }
  const reported = await post('/observations', [{ provider: 'gemini', model: MODEL, request, usage, started_at: now }])
  return { usage, reported }
}

describe('the choice between caches', () => {
  it("keeps the provider's own until requests show what it costs", async () => {
    const warmed = await post('/warm', registration(longText()))
    const id = pick(warmed, 'id') as string
    expect(await useOf(id)).toMatchObject({ in_use: false, handle: null, since: null })
    expect(pick(await get(`/prefixes/${id}/request`), 'handle_body')).toBeNull()
    await sweep()
    expect(creations()).toHaveLength(0)
  })

  it('makes one managed cache by itself, looks for it first, and says why', async () => {
    const id = await chosen()
    const handle = await kept(id)
    expect(creations()).toHaveLength(1)
    const ofCaches = received(world.lab).filter(({ path }) => path.endsWith('cachedContents'))
    expect(ofCaches.map(({ method }) => method)).toEqual(['GET', 'POST'])
    const why = (await decisions(id)).find(([decision]) => decision === 'managed_cache')?.[1]
    expect(why).toMatch(/an hour should cost about \$[\d.]+ in a managed cache.*\$[\d.]+ in the provider's own/)
    const use = await useOf(id)
    expect(use).toMatchObject({ in_use: true, handle, referred: 0 })
    expect((await get(`/caches/${use.id}`)).json).toMatchObject({ state: 'live', prefixes: [id], ttl: '15m' })
    expect(pick(await get(`/prefixes/${id}`), 'advice')).toContainEqual(
      expect.objectContaining({ cause: 'handle_chosen' }),
    )
  })

  it('shows the body that refers to it, knows requests that do, and renews it for them', async () => {
    const id = await chosen()
    const handle = await kept(id)
    const shown = pick(await get(`/prefixes/${id}/request`), 'handle_body') as string
    expect(JSON.parse(shown)).toEqual({ contents: [], cachedContent: handle })
    const { usage, reported } = await sentWithHandle(id)
    expect(usage['cachedContentTokenCount']).toBe((await useOf(id))['tokens'])
    expect(pick(reported, 'data', 0)).toMatchObject({ matched: true, prefix_id: id })
    const after = await get(`/prefixes/${id}`)
    expect(after.json).toMatchObject({
      managed_cache: { referred: 1 },
      warmth: { state: 'warm', why: expect.stringContaining('managed cache') },
    })
    const probes = pick(after, 'probes')
    expect(pick(await get(`/caches/${(await useOf(id)).id}`), 'ttl')).toBe('1h')
    at(now + 12 * MINUTE_MS)
    await sentWithHandle(id)
    await sweep()
    await until(async () => calls('PATCH').length === 1)
    expect(await useOf(id)).toMatchObject({ in_use: true, handle })
    expect(pick(await get(`/prefixes/${id}`), 'probes')).toBe(probes)
  })

  it('ends it when real requests do not refer to it, and waits a day', async () => {
    const id = await chosen()
    const handle = await kept(id)
    at(now + 7 * MINUTE_MS)
    await traffic(id, 6)
    await sweep()
    await until(async () => calls('DELETE').length === 1)
    expect(world.lab.handles.has(handle.replace('cachedContents/', ''))).toBe(false)
    const use = await useOf(id)
    expect(use).toMatchObject({ in_use: false, handle: null, why: expect.stringContaining('referred to its handle') })
    expect(Date.parse(use['not_before'] as string) - now).toBeGreaterThan(23 * HOUR_MS)
    expect(pick(await get(`/prefixes/${id}`), 'advice')).toContainEqual(
      expect.objectContaining({ cause: 'handle_unused' }),
    )
    await traffic(id)
    await sweep()
    expect(creations()).toHaveLength(1)
    // A caller who leaves it open again ends the wait.
    await post(
      '/warm',
      registration('', { request: JSON.parse(pick(await get(`/prefixes/${id}/request`), 'body') as string) }),
    )
    await traffic(id)
    await kept(id)
    expect(creations()).toHaveLength(2)
  })

  it('ends it after its first lifetime where nothing is reported at all', async () => {
    const id = await chosen()
    await kept(id)
    at(now + 16 * MINUTE_MS)
    await sweep()
    await until(async () => {
      await sweep()
      return (await useOf(id))['in_use'] === false
    })
    expect(calls('PATCH')).toHaveLength(0)
    expect((await decisions(id)).map(([decision]) => decision)).toContain('own_cache')
  })

  it.each([
    ['a strategy', { cache: { strategy: { last: 1 } } }],
    ['a retention', { cache: { strategy: 'automatic', retention: 'default' } }],
    ['nothing', { cache: undefined }],
    ['no keeping warm', { keep_warm: { plan: 'off' } }],
  ])('is not made for a caller who asked for %s', async (_, more) => {
    const request = {
      ...body(longText()),
      contents: [
        { role: 'user', parts: [{ text: 'Hi' }] },
        { role: 'model', parts: [{ text: 'Hello' }] },
        { role: 'user', parts: [{ text: 'Which lamp?' }] },
      ],
    }
    const id = pick(await post('/warm', registration('', { request, ...more })), 'id') as string
    await traffic(id)
    await sweep()
    expect(creations()).toHaveLength(0)
    expect(pick(await get(`/prefixes/${id}`), 'managed_cache', 'in_use') ?? false).toBe(false)
  })

  it('is told by a dry run, which makes nothing', async () => {
    const text = longText()
    const before = await post('/warm', registration(text, { dry_run: true }))
    expect(pick(before, 'managed_cache')).toMatchObject({ chosen: 'own', why: expect.stringContaining('requests') })
    const id = await chosen(text)
    await kept(id)
    const after = await post('/warm', registration(text, { dry_run: true }))
    expect(pick(after, 'managed_cache')).toMatchObject({ chosen: 'managed', creation_usd: expect.any(Number) })
    expect(creations()).toHaveLength(1)
  })

  it('costs nothing while the kill switch is on', async () => {
    const id = pick(await post('/warm', registration(longText())), 'id') as string
    await registry().configure({ killSwitch: true })
    await traffic(id)
    await sweep()
    expect(creations()).toHaveLength(0)
    await registry().configure({ killSwitch: false })
    await traffic(id)
    await kept(id)
    expect(creations()).toHaveLength(1)
  })

  it('is deleted with its prefix', async () => {
    const id = await chosen()
    const handle = await kept(id)
    await call('DELETE', `/prefixes/${id}`)
    await sweep()
    await until(async () => calls('DELETE').length === 1)
    expect(world.lab.handles.has(handle.replace('cachedContents/', ''))).toBe(false)
  })
})

describe("the provider's list", () => {
  const withoutTables = () =>
    runInDurableObject(registry() as unknown as DurableObjectStub, (_, state) => {
      for (const table of ['handle', 'handle_body', 'handle_row', 'handle_drop'])
        state.storage.sql.exec(`DELETE FROM ${table}`)
    })

  it('gives one cache to twenty cold starts, also when the tables were lost', async () => {
    const text = longText()
    const starts = () => Promise.all(Array.from({ length: 20 }, () => post('/warm', registration(text))))
    const id = pick((await starts())[0]!, 'id') as string
    await traffic(id, 2)
    const tokens = pick(await get(`/prefixes/${id}`), 'measured_tokens') as number
    const usage = (cached: number) => ({ promptTokenCount: tokens + 60, cachedContentTokenCount: cached })
    const reports = Array.from({ length: 20 }, (_, index) => [
      { prefix_id: id, started_at: now - (60 - 2 * index) * SECOND_MS, usage: usage(tokens + 40) },
      { prefix_id: id, started_at: now - (59 - 2 * index) * SECOND_MS, usage: usage(0) },
    ])
    await Promise.all(reports.map((report) => post('/observations', report)))
    await traffic(id, 10)
    const handle = await kept(id)
    await withoutTables()
    await traffic(id)
    await starts()
    await traffic(id)
    expect(await kept(id)).toBe(handle)
    expect(creations()).toHaveLength(1)
    const events = pick(await get(`/caches/${(await useOf(id)).id}/history`), 'data') as { event: string }[]
    expect(events.map(({ event }) => event)).toContain('adopted')
  })

  it('is believed only where a mark of ours proves it', async () => {
    const id = await chosen()
    const { deployment, key } = await bindings.DIRECTORY.getByName('directory').managedCacheMarks()
    const cache = await useOf(id)
    const { fingerprint } = (await registry().handle(cache.id)).record
    const sign = (text: string) => managedCacheMark(text, key)
    const plant = async (displayName: string) => {
      const planted = { model: `models/${MODEL}`, displayName, ttl: '36000s', ...body(longText()) }
      expect((await outOfBand('POST', '/v1beta/cachedContents', planted)).status).toBe(200)
    }
    const parts = { deployment, fingerprint, model: MODEL, scope: 'deployment' }
    await plant(`pilotlight:${deployment}:${fingerprint.slice(0, 24)}`)
    await plant(displayNameOf({ ...parts, at: now }, (text) => managedCacheMark(text, 'another key')))
    await plant(displayNameOf({ ...parts, at: now - HOUR_MS }, sign))
    await plant(displayNameOf({ ...parts, at: now, scope: 'acme/other:1' }, sign))
    const planted = new Set([...world.lab.handles.values()].map(({ name }) => name))
    expect(planted).toHaveLength(4)
    expect(planted).not.toContain(await kept(id))
    expect(creations()).toHaveLength(5)
  })

  it('that cannot be read lets nothing be created', async () => {
    const id = await chosen()
    world.lab.faults.add({ kind: 'rate_limited', provider: 'gemini', times: 1, retry_after_ms: 5_000 })
    await sweep()
    const { id: cache } = await useOf(id)
    await until(async () => pick(await get(`/caches?provider=gemini`), 'data', 0, 'last_failure') !== null)
    expect(creations()).toHaveLength(0)
    expect((await registry().handle(cache)).state).toMatchObject({ creationNanos: 0, failuresInRow: 1, stopped: null })
    at(now + MINUTE_MS)
    await kept(id)
    expect(creations()).toHaveLength(1)
  })

  it('shows the cache whose creation was not answered, and others of the same content go', async () => {
    const id = await chosen()
    let lost = 0
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const sent = new Request(input, init)
      const answer = await world.lab.fetch(sent.clone())
      if (sent.method !== 'POST' || !sent.url.endsWith('cachedContents') || lost > 0) return answer
      lost += 1
      // Created, and once more by a process that died: the answer breaks off.
      await world.lab.fetch(sent)
      return new Response('{"name":')
    })
    await sweep()
    const { id: cache } = await useOf(id)
    await until(async () => (await registry().handle(cache)).state.failuresInRow === 1)
    expect((await registry().handle(cache)).state.unsure).toBe(true)
    at(now + MINUTE_MS)
    const handle = await kept(id)
    expect(creations()).toHaveLength(2)
    await until(async () => {
      await sweep()
      return world.lab.handles.size === 1
    })
    expect([...world.lab.handles.values()].map(({ name }) => name)).toEqual([handle])
  })

  it('is read page by page', async () => {
    const { deployment } = await bindings.DIRECTORY.getByName('directory').managedCacheMarks()
    const other = { model: `models/${MODEL}`, ttl: '36000s', ...body(longText()) }
    expect((await outOfBand('POST', '/v1beta/cachedContents', other)).status).toBe(200)
    const account = [...world.lab.handles.values()][0]?.account ?? ''
    for (let index = 0; index < 105; index++) {
      const id = `other${index}`
      world.lab.handles.set(id, {
        name: `cachedContents/${id}`,
        account,
        model: MODEL,
        displayName: `pilotlight:${deployment}:${String(index).padStart(24, '0')}`,
        createdAt: now,
        updatedAt: now,
        expiresAt: now + 9 * HOUR_MS,
        tokens: 5_000,
        hash: id,
      })
    }
    const text = longText()
    const id = await chosen(text)
    const handle = await kept(id)
    await withoutTables()
    await traffic(id)
    await traffic(id)
    await post('/warm', registration(text))
    await traffic(id)
    expect(await kept(id)).toBe(handle)
    const lists = received(world.lab).filter(
      ({ method, path }) => method === 'GET' && /cachedContents(\?|$)/.test(path),
    )
    // Two pages before the creation, two before the adoption.
    expect(lists).toHaveLength(4)
  })
})

import { createHmac } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NO_COUNTS } from '../../src/core/model/usage.ts'
import type { PassedCall } from '../../src/registration/misses/passed-call.ts'
import { registryAt } from '../../src/runtime/objects.ts'
import answers from '../fixtures/state-a791afb/answers.json'
import stored from '../fixtures/state-a791afb/state.json'
import { ADMIN, bindings, call, get, pick, post } from '../http/support.ts'
import { differences, isEmpty } from '../support/differences.ts'
import {
  addRows,
  readings,
  readObject,
  restore,
  SKETCHES,
  stubOf,
  tablesOf,
  verdictRows,
} from '../support/stored-state.ts'
import type { Network, StoredState } from '../support/stored-state.ts'
import { tick, worker } from '../support/worker.ts'

/** Rows that version a791afb wrote, some of them in the middle of a call, are read by this version, which goes on with them. */

const state = stored as unknown as StoredState
const { known } = state
const MINUTE = 60_000
const shop = { key: known['shopKey'] ?? '' }
const admin = { key: ADMIN }
const registry = () => stubOf('REGISTRY', 'shop')

let network: Network
/** The key that a call carries which the lab answers in a provider's place. */
const LAB_KEY = 'lab'

beforeEach(async () => {
  network = await restore(state)
})

afterEach(async () => {
  // The queue outlives a test: what the test put on it comes to its end first.
  await vi.waitUntil(async () => (await underWay()).length === 0, { timeout: 20_000, interval: 25 })
  vi.restoreAllMocks()
  vi.useRealTimers()
  await reset()
})

const later = (ms: number): unknown => vi.setSystemTime(Date.now() + ms)
const at = (time: number): unknown => vi.setSystemTime(time)
const prefix = (name: string) => get(`/prefixes/${known[name]}`, shop)
const bot = (name: string) => get(`/bots/${known[name]}`, shop)
const botObject = (name: string) => stubOf('BOT', `shop/${known[name]}`)
const calls = (path: string) => network.lab.transcript.list(0, 2_000).filter((row) => row.path.includes(path))

function soon(check: () => Promise<void> | void): Promise<void> {
  return vi.waitFor(check, { timeout: 20_000, interval: 25 })
}

/** Claims of the shop's Registry that were made since its rows were stored. */
async function underWay(): Promise<unknown[]> {
  const before = state.objects.find(({ name }) => name === 'shop')?.tables ?? {}
  const { tables } = await readObject('REGISTRY', 'shop')
  const claims = (all: StoredState['objects'][0]['tables']): unknown[] => [
    ...(all['claim'] ?? []).map(({ seq }) => seq),
    ...(all['handle'] ?? []).map(({ claim }) => claim),
    ...(all['handle_drop'] ?? []).filter(({ record }) => !String(record).includes('"claim":null')),
  ]
  const known = claims(before)
  return claims(tables).filter((claim) => claim !== null && !known.includes(claim))
}

/** The plan's own probe may write it just before. */
const WRITTEN = expect.stringMatching(/^(written|full)$/)

interface Lease {
  id: string
  seq: number
  k: number
  primitive: string
}

const rows = (table: string) => state.objects.find(({ name }) => name === 'shop')?.tables[table] ?? []

/** The right to call that somebody holds for a prefix. */
function leaseOf(name: string): Lease {
  const leases = rows('claim').flatMap((claim) => JSON.parse(String(claim['leases'] ?? '[]')) as Lease[])
  const row = rows('prefix').find(({ id }) => id === known[name])
  const lease = leases.find(({ k }) => k === row?.['k'])
  if (lease === undefined) throw new Error(`no lease is stored for ${name}`)
  return lease
}

/** Tables that came after a791afb: none of its rows is in them. */
const NEWER: string[] = [
  'alarmed',
  'alarm_count',
  'stat',
  'told_call',
  'miss',
  'passed_call',
  'prefix_sketch',
  'needs_somebody',
  'seen_message',
  'agent',
  'candidate',
  'unclaimed_cache',
  'lookup',
  'body_credential',
  'drifted',
  'body_key',
  'forgotten_key',
  'deletion',
  'fallback',
  'gateway_prefix',
  'lifetime',
]

/** Members that answers have since then: those about older rows say nothing there. */
const NEWER_MEMBERS: ReadonlySet<string> = new Set(
  'drift written_by pace ttft ttft_target_ms ttft_share max_usd_per_call lint handle prefixes prompts_held jurisdiction served_model edits alarms'.split(
    ' ',
  ),
)

/** Counts that answers have since then, of what older rows hold. */
const NEWER_COUNTS: ReadonlySet<string> = new Set(['succeeded', 'skipped', 'pending'])

/** How stored bots cache, by the place of it in answers: their rows say so. */
const BOT_CACHES: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries({ talking: '5m', over: '5m', asking: '30m', paused: '30m' }).map(([name, retention]) => [
    `GET /bots/${known[name]} › 1 › cache`,
    { key: known[name], retention },
  ]),
)

/** What is told of entries that a replaced or a deleted credential wrote: nothing, since then. No key reads them any more. */
const UNREADABLE = ['swapped', 'dropped'].map((name) => `GET /prefixes/${known[name]} › 1 › warmth › warm_until: `)

/** Whether an answer about older rows may have this member since then. */
function mayBeNewer(member: string, value: unknown, place: string): boolean {
  if (member === 'learn') return value === 'observe' || isEmpty(value)
  if (NEWER_MEMBERS.has(member)) return isEmpty(value)
  if (NEWER_COUNTS.has(member)) return typeof value === 'number'
  if (member === 'access') return value === 'full'
  // What a registration asks for was stored then; no call was noted.
  if (member === 'ttl') return saysNothing(value)
  // What the next request costs is computed when it is asked.
  if (member === 'next_request') return typeof value === 'object'
  return isDeepStrictEqual(value, BOT_CACHES[place])
}

function saysNothing(ttl: unknown): boolean {
  const { sent, honoured, observed } = ttl as Record<string, Record<string, unknown>>
  return [sent, honoured, observed].every((one) => one !== undefined && Object.values(one).every((at) => at === null))
}

/** Most differences that a failure lists. */
const LISTED = 40

/** A belief without its probabilities: how they are computed from the rows has changed since. */
function withoutChance(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('p_warm' in value) || !('interval' in value)) return value
  const { p_warm: _chance, interval: _interval, ...rest } = value
  return rest
}

function withoutChances(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer, (_, value: unknown) => withoutChance(value))) as unknown
}

/** The probabilities in an answer, in its order. */
function chancesIn(answer: unknown): number[] {
  return [...JSON.stringify(answer).matchAll(/"p_warm":([\d.]+)/g)].map(([, chance]) => Number(chance))
}

describe('the stored rows', () => {
  const places = [
    ['DIRECTORY', 'directory'],
    ['REGISTRY', 'shop'],
    ['BOT', `shop/${known['talking']}`],
  ] as const

  it.each(places)('fill every table that a %s has today', async (binding, name) => {
    const object = state.objects.find((one) => one.binding === binding && one.name === name)
    // Restored and started once, so that the steps of today's schema have run.
    const today = await runInDurableObject(stubOf(binding, name), (_, { storage }) => tablesOf(storage.sql))
    expect(today.length).toBeGreaterThan(3)
    const old = today.filter((table) => !NEWER.includes(table))
    expect(Object.keys(object?.tables ?? {})).toEqual(expect.arrayContaining(old))
    const empty = Object.entries(object?.tables ?? {}).filter(([, rows]) => rows.length === 0)
    expect(empty.map(([table]) => table)).toEqual([])
  })

  it('stand unchanged where nothing new was asked', async () => {
    for (const object of state.objects) {
      const now = await readObject(object.binding, object.name)
      for (const [table, rows] of Object.entries(object.tables)) {
        if (table === 'schema_version') continue
        // Columns may be new.
        const differ = differences(rows, now.tables[table], () => true, `${object.name}: ${table}`)
        expect(differ.slice(0, LISTED)).toEqual([])
      }
    }
  })

  it('are answered by every reading route as they were then', async () => {
    const read = await readings(shop.key, 'shop')
    expect(Object.keys(read)).toEqual(Object.keys(answers))
    const differ = differences(withoutChances(answers), withoutChances(read), mayBeNewer)
    const unexpected = differ.filter((one) => !UNREADABLE.some((start) => one.startsWith(start)))
    expect(unexpected.slice(0, LISTED)).toEqual([])
    expect(differ.length - unexpected.length).toBe(UNREADABLE.length)
    const [chances, before] = [chancesIn(read), chancesIn(answers)]
    expect(chances.length).toBe(before.length)
    for (const [index, chance] of chances.entries()) expect(Math.abs(chance - before[index]!)).toBeLessThan(0.05)
  })
})

/**
 * Has the lab hold the entry that the version before wrote: its own names for entries have changed since. `readings` has shown that the body is
 * the same.
 */
async function heldByLab(name: string, key: string): Promise<void> {
  const request = pick(await get(`/prefixes/${known[name]}/request`, shop), 'request') as Record<string, unknown>
  const messages = [...(request['messages'] as unknown[]), { role: 'user', content: 'Ready?' }]
  const answer = await network.lab.fetch(
    new Request('http://lab.test/anthropic/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
      body: JSON.stringify({ ...request, messages, max_tokens: 1 }),
    }),
  )
  expect(answer.status).toBe(200)
}

describe('prefixes', () => {
  it('a stored prefix is warmed with its stored body, and reads what was cached', async () => {
    await heldByLab('kept', LAB_KEY)
    const answer = await post(`/prefixes/${known['kept']}/warm`, undefined, shop)
    expect(answer.json).toMatchObject({ id: known['kept'], receipt: { kind: 'full' } })
    const again = await get(`/prefixes/${known['kept']}/request`, shop)
    const sent = JSON.parse(calls('messages')[0]?.body ?? '') as { system: unknown }
    expect(sent.system).toEqual((pick(again, 'request') as { system: unknown }).system)
  })

  it('a stored prefix is found by a request with other markers and later turns', async () => {
    const stored = pick(await get(`/prefixes/${known['kept']}/request`, shop), 'request') as Record<string, unknown>
    const bare = JSON.parse(JSON.stringify(stored).replaceAll(/,"cache_control":\{[^}]*\}/g, '')) as typeof stored
    const messages = [...((bare['messages'] ?? []) as unknown[]), { role: 'user', content: 'And then?' }]
    const item = { provider: 'anthropic', request: { ...bare, messages, tool_choice: { type: 'auto' } }, usage: {} }
    const usage = { input_tokens: 9, cache_read_input_tokens: 5_000, cache_creation_input_tokens: 0, output_tokens: 1 }
    const answer = await post('/observations', [{ ...item, usage, started_at: Date.now() }], shop)
    expect(pick(answer, 'data')).toEqual([{ prefix_id: known['kept'], matched: true }])
  })

  it('a due probe is claimed by the alarm, settled, and told in the history', async () => {
    await heldByLab('handbook', LAB_KEY)
    const before = pick(await prefix('handbook'), 'probes') as number
    at(Date.parse(pick(await prefix('handbook'), 'plan', 'next_probe_at') as string) + 1_000)
    await runDurableObjectAlarm(registry())
    await soon(async () => expect(pick(await prefix('handbook'), 'probes')).toBe(before + 1))
    expect(pick(await prefix('handbook'), 'last_receipt')).toMatchObject({ kind: 'full', purpose: 'keep' })
    const history = await get(`/prefixes/${known['handbook']}/history?order=desc&limit=5`, shop)
    expect(history.text).toContain('"purpose":"keep"')
  })

  it('a call whose end nobody told is charged at its worst case, and its job ends', async () => {
    expect(pick(await prefix('held'), 'in_flight')).toBe(true)
    const before = pick(await get('/ledger?group=day', shop), 'totals', 'cost_usd') as number
    later(5 * MINUTE)
    await runDurableObjectAlarm(registry())
    await soon(async () => {
      const job = await get(`/jobs/${known['heldJob']}`, shop)
      expect(job.json).toMatchObject({ status: 'failed', failure: { kind: expect.stringMatching(/^provider_/) } })
    })
    await soon(async () => expect(pick(await prefix('held'), 'in_flight')).toBe(false))
    expect(pick(await get('/ledger?group=day', shop), 'totals', 'cost_usd')).toBeGreaterThan(before)
  })

  it('an answer that comes late settles the lease that was stored', async () => {
    const { id, seq, k, primitive } = leaseOf('held')
    const usage = {
      inputTokens: 3_300,
      uncachedTokens: 1,
      cacheReadTokens: 0,
      cacheWriteTokens: 3_299,
      cacheWriteByRetention: { '5m': 3_299 },
      outputTokens: 0,
      reasoningTokens: null,
    }
    const sent = { startedAt: state.at, latencyMs: 900, primitive, model: 'claude-opus-5' }
    const object = registry() as unknown as { settle(seq: number, outcomes: unknown[]): Promise<unknown[]> }
    expect(await object.settle(seq, [{ lease: id, k, kind: 'answered', ...sent, usage }])).toEqual([])
    const receipt = { kind: 'written', purpose: 'write', latency_ms: 900, cost_usd: expect.closeTo(0.02062, 4) }
    expect((await get(`/jobs/${known['heldJob']}`, shop)).json).toMatchObject({ status: 'succeeded', receipt })
    expect((await prefix('held')).json).toMatchObject({ in_flight: false, warmth: { state: 'warm' } })
  })

  it('an older version drains once the version that was being written is warm', async () => {
    expect(pick(await prefix('handbook'), 'newer_warm_at')).toBeNull()
    later(5 * MINUTE)
    await runDurableObjectAlarm(registry())
    const answer = await post('/warm', known['busyBody'], shop)
    expect(answer.json).toMatchObject({ created: false, version: 2, receipt: { kind: WRITTEN } })
    expect(pick(await prefix('handbook'), 'newer_warm_at')).not.toBeNull()
  })

  it('a real request earns the saving that a stored keep-alive made possible', async () => {
    const before = await prefix('auto')
    const read = pick(before, 'measured_tokens')
    const usage = { input_tokens: 12, cache_read_input_tokens: read, cache_creation_input_tokens: 0, output_tokens: 40 }
    const started_at = new Date().toISOString()
    const seen = await post('/observations', [{ prefix_id: known['auto'], usage, started_at }], shop)
    expect(seen.json).toMatchObject({ data: [{ prefix_id: known['auto'], matched: true }] })
    const after = await prefix('auto')
    expect(pick(after, 'hits')).toBe((pick(before, 'hits') as number) + 1)
    expect(pick(after, 'savings')).toBe((pick(before, 'savings') as number) + 1)
    expect(pick(before, 'signal', 'kind')).toBe('pending')
    expect(pick(after, 'signal')).toBeNull()
  })

  it('announced traffic is seen to before it comes', async () => {
    const first = pick(await prefix('announced'), 'announcements', 0, 'at') as string
    at(Date.parse(first) - 10_000)
    await soon(async () => {
      await runDurableObjectAlarm(registry())
      const until = pick(await prefix('announced'), 'warmth', 'warm_until') as string
      expect(Date.parse(until)).toBeGreaterThan(Date.parse(first))
    })
  })

  it('a content that was deleted today goes on with what it spent', async () => {
    const answer = await post('/warm', known['departedBody'], shop)
    expect(pick(answer, 'id')).toBe(known['departed'])
    const shown = await get(`/prefixes/${known['departed']}`, shop)
    expect(pick(shown, 'cost_today_usd')).toBeGreaterThan(pick(shown, 'cost_usd') as number)
  })
})

describe('calls that are asked twice, fan-outs and credentials', () => {
  it('a repeated key answers as the first call did; one that was cut off does the work anew', async () => {
    const once = { ...shop, headers: { 'idempotency-key': 'once' } }
    const answer = await post('/warm', known['onceBody'], once)
    expect([answer.headers.get('idempotent-replayed'), answer.text]).toEqual(['true', known['onceAnswer']])
    expect((await post('/warm', `${known['onceBody']} `, once)).status).toBe(409)
    const busy = { ...shop, headers: { 'idempotency-key': 'busy' } }
    expect((await post('/warm', known['busyBody'], busy)).status).toBe(429)
    later(5 * MINUTE)
    await runDurableObjectAlarm(registry())
    expect((await post('/warm', known['busyBody'], busy)).json).toMatchObject({ receipt: { kind: WRITTEN } })
  })

  it('who leads a fan-out may say so, and those behind it go on', async () => {
    const led = await post(`/prefixes/${known['led']}/lease`, { wait: 0 }, shop)
    expect(led.json).toMatchObject({ role: 'ready', lease: null, until: expect.any(String) })
    const path = `/prefixes/${known['leading']}/lease`
    expect((await post(path, { wait: 0 }, shop)).json).toMatchObject({ role: 'wait' })
    const word = { lease: known['leadingLease'], outcome: 'readable' }
    expect((await post(path, word, shop)).status).toBe(200)
    expect((await post(path, { wait: 0 }, shop)).json).toMatchObject({ role: 'ready' })
  })

  it('a sealed credential is opened and sent to its provider', async () => {
    await heldByLab('team', known['teamSecret'] ?? '')
    let sent: string | null = null
    network.answer = (request) => {
      sent = request.headers.get('x-api-key')
      return null
    }
    expect((await post(`/prefixes/${known['team']}/warm`, undefined, shop)).json).toMatchObject({
      receipt: { kind: 'full' },
    })
    expect(sent).toBe(known['teamSecret'])
    const swapped = await prefix('swapped')
    expect(pick(swapped, 'plan', 'stopped', 'reason')).toBe('credential_replaced')
  })

  it('keys are still good, expired, or revoked', async () => {
    const status = async (name: string) => (await get('/prefixes?limit=1', { key: known[name] ?? '' })).status
    expect([await status('shopKey'), await status('expiredKey'), await status('revokedKey')]).toEqual([200, 401, 401])
  })

  it('a stopped account goes on when its switch is lifted', async () => {
    const quiet = { key: known['quietKey'] ?? '' }
    const path = `/prefixes/${known['quiet']}`
    expect(pick(await get(path, quiet), 'plan', 'stopped', 'reason')).toBe('kill_switch')
    await call('PATCH', '/accounts/quiet', { kill_switch: false }, admin)
    expect(pick(await get(path, quiet), 'plan', 'stopped')).toBeNull()
  })

  it('a message that waits for the webhook is delivered, signed with both stored secrets', async () => {
    network.answer = (request) => (request.url.includes('hooks.test') ? new Response(null, { status: 204 }) : null)
    const before = await get('/accounts/shop/webhook', admin)
    expect(before.json).toMatchObject({ waiting: 1, undeliverable: 1, delivered: 0 })
    later(60 * MINUTE)
    await runDurableObjectAlarm(registry())
    await soon(async () => {
      expect((await get('/accounts/shop/webhook', admin)).json).toMatchObject({ delivered: 1, last_failure: null })
    })
    const posted = network.asked.filter(({ url }) => url.includes('hooks.test'))
    expect(posted).toHaveLength(1)
    expect(posted.map(({ text }) => text).join()).toContain(known['refused'])
    for (const { headers, text } of posted) {
      const signed = ['webhookSecret', 'formerWebhookSecret'].map((name) => {
        const secret = Buffer.from((known[name] ?? '').replace('whsec_', ''), 'base64')
        const said = `${headers.get('webhook-id')}.${headers.get('webhook-timestamp')}.${text}`
        return `v1,${createHmac('sha256', secret).update(said).digest('base64')}`
      })
      expect(headers.get('webhook-signature')?.split(' ')).toEqual(signed)
    }
  })

  it('a crew goes on with a message that was on the queue', async () => {
    expect((await get(`/jobs/${known['heldCrew']}`, shop)).json).toMatchObject({ status: 'running' })
    const { seq } = rows('claim').find(({ leases }) => leases === null) ?? {}
    const message = { id: 'stored', timestamp: new Date(), attempts: 1, body: { account: 'shop', seq } }
    expect(await worker.queue('pilotlight-probes', [message])).toMatchObject({ outcome: 'ok', retryMessages: [] })
    await soon(async () => {
      expect((await get(`/jobs/${known['heldCrew']}`, shop)).json).toMatchObject({ status: 'succeeded', failed: 0 })
    })
  })

  it('rows age at midnight and what was spent stays in the ledger', async () => {
    const before = await get('/ledger?group=day&from=2031-01-01', shop)
    at(Date.UTC(2031, 0, 15))
    await tick()
    const after = await get('/ledger?group=day&from=2031-01-01&to=2031-01-13', shop)
    const days = (answer: typeof after): unknown[] => pick(answer, 'data') as unknown[]
    expect(days(after).length).toBeGreaterThan(0)
    expect(days(before)).toEqual(expect.arrayContaining(days(after)))
    expect((await get(`/jobs/${known['job']}`, shop)).status).toBe(200)
  })
})

describe('verdicts', () => {
  it('stored sums are answered, and a call is held against the stored one before it', async () => {
    const day = new Date(state.at).toISOString().slice(0, 10)
    await addRows('REGISTRY', 'shop', verdictRows(state.at - MINUTE, day))
    const told = async () => pick(await get(`/misses?from=${day}&to=${day}`, shop), 'data')
    const [before] = (await told()) as Record<string, unknown>[]
    expect(before).toMatchObject({
      verdict: 'clock_in_prefix',
      count: 3,
      lost_tokens: 17_970,
      unmeasured: 1,
      unpriced: 1,
    })
    expect(before?.['last']).toEqual({
      at: new Date(state.at - MINUTE).toISOString(),
      prefix_id: null,
      first_difference: { path: 'system[0]' },
    })
    const usage = { ...NO_COUNTS, inputTokens: 6_000, uncachedTokens: 10, cacheReadTokens: 0, cacheWriteTokens: 5_990 }
    const keys = { session: 's1', label: null, family: 'f1', credential: 'c1', name: null, prefix: null }
    const call: PassedCall = {
      ...keys,
      sketch: SKETCHES.later,
      model: 'claude-opus-4-8',
      retention: '5m',
      provider: 'anthropic',
      startedAt: state.at,
      ttftMs: 500,
      usage,
    }
    await registryAt(bindings, 'shop').observeOnce([{ message: 'verdict-1', observed: [], calls: [call] }])
    expect(await told()).toMatchObject([{ verdict: 'clock_in_prefix', count: 4, lost_tokens: 23_960, unpriced: 1 }])
  })
})

describe('managed caches', () => {
  it('a live handle is confirmed by its provider', async () => {
    const answer = await get(`/caches/${known['live']}`, shop)
    expect(answer.json).toMatchObject({
      state: 'live',
      handle: expect.stringMatching(/^cachedContents\//),
      creations: 1,
    })
    expect(calls('cachedContents').map(({ method, status }) => [method, status])).toEqual([['GET', 200]])
  })

  it('a handle that could not be deleted is deleted later', async () => {
    expect(network.lab.handles.has((known['deletedHandle'] ?? '').replace('cachedContents/', ''))).toBe(true)
    later(2 * MINUTE)
    await runDurableObjectAlarm(registry())
    await soon(() => {
      expect(network.lab.handles.has((known['deletedHandle'] ?? '').replace('cachedContents/', ''))).toBe(false)
    })
  })

  it('a renewal that was cut off is made anew', async () => {
    later(5 * MINUTE)
    await runDurableObjectAlarm(registry())
    const answer = await get(`/caches/${known['renewing']}`, shop)
    expect(answer.json).toMatchObject({ state: 'live', creations: 1, ttl: '3h' })
  })
})

describe('bots', () => {
  it('a turn that was cut off while a tool ran sends the call again under the same id', async () => {
    network.answer = (request) => (request.url.includes('tools.example') ? Response.json({ left: 7 }) : null)
    const before = await bot('talking')
    expect(pick(before, 'tool_calls', 0)).toMatchObject({ turn_id: known['talkingTurn'], attempts: 1 })
    await runDurableObjectAlarm(botObject('talking'))
    const after = await bot('talking')
    expect(after.json).toMatchObject({ status: 'running', waiting: 0, usage: { turns: 3 } })
    expect(pick(after, 'tool_calls', 0)).toMatchObject({
      turn_id: known['talkingTurn'],
      attempts: 2,
      outcome: 'answered',
    })
    const [asked] = network.asked
    expect(JSON.parse(asked?.text ?? '')).toMatchObject({ turn_id: known['talkingTurn'], arguments: { item: 'mat' } })
    // The model sees the conversation that was stored, and the tool's result.
    const bodies = calls('messages').map(({ body }) => body)
    expect(bodies[0]).toContain('How many tents?')
    expect(bodies[0]).toContain('{\\"left\\":7}')
    // What was asked of the cache for that turn alone is asked again, and not for the next.
    expect([bodies[0]?.includes('"ttl":"1h"'), bodies.at(-1)?.includes('"ttl":"1h"')]).toEqual([true, false])
  })

  it('a call to the model that was cut off ends its turn, and is not sent again', async () => {
    await runDurableObjectAlarm(botObject('asking'))
    const answer = await bot('asking')
    expect(answer.json).toMatchObject({ status: 'running', waiting: 0, usage: { turns: 1 } })
    expect(pick(answer, 'calls', 0)).toMatchObject({ turn_id: known['askingTurn'], outcome: 'failed', billed: null })
    expect(calls('responses')).toEqual([])
    at(Date.UTC(2031, 0, 15))
    await tick() // what was reserved for it is given up, and charged
    await soon(async () => {
      const { json } = await get('/ledger?limit=1000&from=2031-01-14', shop)
      const booked = (json['data'] as { turn_id?: string }[]).filter(({ turn_id }) => turn_id === known['askingTurn'])
      expect(booked).toMatchObject([{ type: 'bot', outcome: 'unknown', cost_usd: expect.closeTo(0.1, 0) }])
    })
  })

  it('a paused bot answers what waits once it goes on', async () => {
    expect((await bot('paused')).json).toMatchObject({ status: 'paused', waiting: 1 })
    await post(`/bots/${known['paused']}/resume`, undefined, shop)
    await runDurableObjectAlarm(botObject('paused'))
    const answer = await bot('paused')
    expect(answer.json).toMatchObject({
      status: 'running',
      waiting: 0,
      last_response: { turn_id: known['pausedTurn'] },
    })
    expect(calls('chat')[0]?.body).toContain('Which stove?')
  })

  it('one that has ended goes on from its snapshot', async () => {
    const snapshot = (await get(`/bots/${known['over']}/snapshot`, shop)).json
    const made = await post('/bots', { snapshot }, shop)
    expect(made.json).toMatchObject({ status: 'running', usage: { turns: 1 } })
    expect((await post(`/bots/${known['over']}/messages`, { text: 'Hello?' }, shop)).status).toBe(409)
  })
})

import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import type { Lesson } from '../../../src/registration/by-use/lesson.ts'
import { registryAt } from '../../../src/runtime/objects.ts'
import { bindings } from '../support.ts'
import { tick } from '../../support/worker.ts'
import { anthropic, prompt, READ, warmOf, WROTE } from './bodies.ts'
import type { Player } from './player.ts'

const WINDOW = { days: 'mon-fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin' }

/** Lists, names, versions and plans. */
export async function prefixes(player: Player): Promise<void> {
  const ids: string[] = []
  for (const tag of ['one', 'two', 'three'])
    ids.push(String((await player.post('/warm', warmOf(tag, { name: tag === 'three' ? 'two' : tag }))).json['id']))
  await player.post('/warm', warmOf('one', { name: 'another name' }))
  const [one = '', two = ''] = ids
  await player.get('/prefixes')
  const page = await player.get('/prefixes?limit=1')
  await player.get(`/prefixes?limit=1&cursor=${String(page.json['next_cursor'])}`)
  for (const query of [
    'name=two',
    'name=another%20name',
    'provider=openai',
    'state=warm&provider=anthropic',
    'stopped=true',
    'stopped=false',
    'needs_somebody=true',
    'needs_somebody=false&limit=1',
    'cursor=nonsense',
    'state=tepid',
  ])
    await player.get(`/prefixes?${query}`)
  for (const change of [
    { name: 'renamed' },
    { keep_warm: { plan: 'always', idle_timeout: '6h', windows: [WINDOW] } },
    { keep_warm: { plan: { probes: 3 }, until: '2031-12-31T18:00:00+01:00' } },
    { keep_warm: { plan: 'auto', budget_usd_per_day: 2, latency_value_usd: 0.01, holdout: 0 } },
    { name: null, keep_warm: { idle_timeout: null, windows: [], until: null, plan: 'off' } },
    { name: '' },
    { keep_warm: { plan: 'often' } },
    { keep_warm: 'always' },
    {},
  ])
    await player.ask('PATCH', `/prefixes/${one}`, change)
  for (const body of [undefined, {}, { background: false }, { background: 'yes' }])
    await player.post(`/prefixes/${one}/warm`, body)
  await player.get(`/prefixes/${two}`)
  await player.get(`/prefixes/${two}/warmth`)
  await player.get(`/prefixes/${two}/request`)
  player.later(400_000)
  await player.get(`/prefixes/${two}/warmth`)
  await player.ask('DELETE', `/prefixes/${two}`)
  await player.ask('DELETE', `/prefixes/${two}`)
  await player.post('/warm', warmOf('two'))
}

/** What callers tell: signals, announcements, leases, previews and what real requests used. */
export async function told(player: Player): Promise<void> {
  const { json } = await player.post('/warm', warmOf('told', { keep_warm: { plan: 'auto', holdout: 0 } }))
  const path = `/prefixes/${String(json['id'])}`
  const at = (ms: number) => new Date(Date.now() + ms).toISOString()
  for (const body of [
    { kind: 'pending' },
    { kind: 'pending', until: at(7_200_000) },
    { kind: 'end' },
    { kind: 'end', until: at(1_000) },
    { kind: 'pending', until: at(-1_000) },
    { kind: 'pending', until: at(25 * 3_600_000) },
    { kind: 'other' },
  ])
    await player.post(`${path}/signals`, body)
  await player.get('/prefixes?stopped=true')
  const soon = at(7_200_000)
  for (const body of [
    { at: soon },
    { at: soon, expected_requests: 20 },
    { at: at(3_600_000) },
    { at: at(-1_000) },
    { at: at(32 * 86_400_000) },
    { at: soon, expected_requests: 0 },
  ])
    await player.post(`${path}/announce`, body)
  await player.ask('DELETE', `${path}/announce?at=${soon}`)
  await player.ask('DELETE', `${path}/announce?at=${soon}`)
  await player.ask('DELETE', `${path}/announce`)
  await player.ask('DELETE', `${path}/announce`)
  await player.post(`${path}/preview`, { keep_warm: { plan: 'always' } })
  await player.post('/observations', [{ prefix_id: json['id'], usage: READ, started_at: Date.now(), ttft_ms: 321 }])
  player.later(60_000)
  const real = anthropic('told', { messages: [{ role: 'user', content: 'Another question.' }], max_tokens: 9 })
  await player.post('/observations', [
    { provider: 'anthropic', request: real, usage: READ, started_at: at(-10) },
    { provider: 'anthropic', request: anthropic('unknown'), usage: READ, started_at: at(0) },
    { prefix_id: `pfx_0_${'0'.repeat(24)}`, usage: READ, started_at: at(0) },
    { prefix_id: json['id'], usage: WROTE, started_at: at(-5), ttft_ms: null },
    { prefix_id: json['id'], usage: { tokens: 7 }, started_at: at(0) },
    { prefix_id: json['id'], usage: { ...READ, input_tokens: -1 }, started_at: at(0) },
    { prefix_id: json['id'], usage: READ },
    { usage: READ, started_at: at(0) },
  ])
  for (const wrong of [{}, [{}], [{ prefix_id: json['id'], usage: READ, started_at: 'yesterday' }], []])
    await player.post('/observations', wrong)
  for (const plan of ['always', 'off', { probes: 3 }, 'auto'])
    await player.post(`${path}/preview`, { keep_warm: { plan } })
  await player.post(`${path}/preview`, {})
  await player.post(`${path}/diagnose`, {})
  await player.get(path)
  await player.get(`${path}/history`)
  await player.get(`${path}/history?type=arrival`)
  await player.get(`${path}/history?type=nothing`)
}

/** A barrier before a fan-out. */
export async function leases(player: Player): Promise<void> {
  player.lab.faults.add({ kind: 'server_error', times: 1 })
  const failed = await player.post('/warm', warmOf('barrier'))
  const path = `/prefixes/${(failed.json['error'] as { detail: { prefix_id: string } }).detail.prefix_id}/lease`
  const first = await player.post(path)
  await player.post(path, { wait: 0 })
  await player.post(path, { lease: first.json['lease'], outcome: 'failed' })
  await player.post(path, { lease: first.json['lease'], outcome: 'readable' })
  const second = await player.post(path, { lead_for: '30s' })
  player.later(40_000)
  const third = await player.post(path, { wait: 0, lead_for: 600 })
  await player.post(path, { lease: second.json['lease'], outcome: 'readable' })
  await player.post(path, { lease: third.json['lease'], outcome: 'readable' })
  await player.post(path)
  for (const wrong of [
    { wait: '61s' },
    { lead_for: '0.5s' },
    { lead_for: '11m' },
    { lease: 'x', outcome: 'failed' },
    { lease: first.json['lease'] },
    { outcome: 'failed' },
    { wait: 'long' },
  ])
    await player.post(path, wrong)
}

/** A day of keep-alives: what the sweep sends in the background, and what the books say of it. */
export async function keeping(player: Player): Promise<void> {
  const keep = async (tag: string, plan: Record<string, unknown>): Promise<string> =>
    String((await player.post('/warm', warmOf(tag, { name: tag, keep_warm: plan }))).json['id'])
  const always = await keep('always', { plan: 'always' })
  const counted = await keep('counted', { plan: { probes: 1 } })
  const auto = await keep('auto', { plan: 'auto', holdout: 0 })
  const announced = await keep('announced', { plan: 'off' })
  await player.post(`/prefixes/${announced}/announce`, { at: new Date(Date.now() + 600_000).toISOString() })
  const probes = async (id: string): Promise<number> =>
    Number((await player.quiet('GET', `/prefixes/${id}`)).json['probes'])
  /** Sweeps when the next probe of a prefix is due, and waits until it is answered. */
  const sweep = async (id: string): Promise<void> => {
    const plan = (await player.quiet('GET', `/prefixes/${id}`)).json['plan'] as { next_probe_at: string | null }
    if (plan.next_probe_at === null) return
    const before = await probes(id)
    player.later(Math.max(0, Date.parse(plan.next_probe_at) - Date.now()))
    await tick()
    await player.until(`/prefixes/${id}`, ({ probes: now, in_flight }) => Number(now) > before && in_flight === false)
  }
  player.providersTakeTime = false
  for (const id of [always, counted, auto]) await sweep(id)
  await player.post('/observations', [{ prefix_id: always, usage: READ, started_at: Date.now() }])
  for (const id of [always, counted, auto]) await sweep(id)
  await player.post('/observations', [{ prefix_id: auto, usage: WROTE, started_at: Date.now() }])
  await sweep(announced)
  await player.post('/warm', { ...warmOf('always'), request: anthropic('always, edited'), name: 'always' })
  await player.post(`/prefixes/${always}/diagnose`, { request: anthropic('always, in other words') })
  for (const id of [always, counted, auto, announced]) {
    await player.get(`/prefixes/${id}`)
    await player.get(`/prefixes/${id}/history`)
  }
  const page = await player.get(`/prefixes/${always}/history?order=desc&limit=2`)
  await player.get(`/prefixes/${always}/history?order=desc&limit=2&cursor=${String(page.json['next_cursor'])}`)
  for (const type of ['receipt', 'decision', 'saving', 'trial', 'rollup'])
    await player.get(`/prefixes/${always}/history?type=${type}`)
  for (const query of [
    '',
    '?group=day',
    '?group=prefix',
    '?limit=2',
    '?from=2031-01-01&to=2031-12-31&group=day',
    '?from=2031-13-01',
    '?from=2031-02-01&to=2031-01-01',
    '?group=hour',
    '?cursor=nonsense',
  ])
    await player.get(`/ledger${query}`)
  const entries = await player.get('/ledger?limit=3')
  await player.get(`/ledger?limit=3&cursor=${String(entries.json['next_cursor'])}`)
  await player.get('/lifetimes')
  for (const query of ['', '?by=name,model', '?by=week']) await player.get(`/stats${query}`)
  for (const query of ['', '?by=day', '?by=month', '?from=2031-02-01&to=2031-01-01'])
    await player.get(`/misses${query}`)
  await registryAt(bindings, player.account).observeOnce([{ message: 'recorded-1', observed: [], lessons: lessons(4) }])
  const recurring = await player.get('/candidates')
  const [{ id: candidate } = { id: '' }] = recurring.json['data'] as { id: string }[]
  await player.post(`/candidates/${candidate}/register`, { name: 'agent' })
  await player.ask('DELETE', `/candidates/${candidate}`)
  await player.post('/candidates/cnd_0123456789abcdef/register', {})
  await player.ask('DELETE', '/candidates/cnd_0123456789abcdef')
  const asked = (system: string) => ({ model: 'claude-opus-5', system, messages: [{ role: 'user', content: 'Hello' }] })
  await player.post('/diagnose', { provider: 'anthropic', before: asked('Be brief.'), after: asked('Be kind.') })
  await player.get('/metrics')
  await player.post(`/prefixes/${always}/preview`, { keep_warm: { plan: 'auto' } })
  player.later(3_600_000)
  for (const id of [always, counted, auto]) await player.get(`/prefixes/${id}`)
  await player.get('/health', { key: null })
}

/** Handles of a provider's own. */
export async function caches(player: Player): Promise<void> {
  const contents = (tag: string) => ({ systemInstruction: { parts: [{ text: prompt(tag, 150) }] } })
  const gemini = (tag: string, more: Record<string, unknown> = {}) => ({
    provider: 'gemini',
    model: 'gemini-3.8-flash',
    request: contents(tag),
    ...more,
  })
  const made = await player.post(
    '/caches',
    gemini('catalogue', { ttl: '1h', display_name: 'catalogue', keep: { idle: '8h', budget_usd_per_day: 2 } }),
  )
  const path = `/caches/${String(made.json['id'])}`
  await player.post('/caches', gemini('catalogue'))
  await player.post('/caches', gemini('vertex', { provider: 'vertex', model: 'gemini-2.5-flash' }))
  await player.get(path)
  await player.get(`${path}?max_age=5m`)
  await player.get(`${path}?provider=gemini`)
  await player.get(`${path}?provider=anthropic`)
  await player.get('/caches')
  const page = await player.get('/caches?limit=1')
  await player.get(`/caches?limit=1&cursor=${String(page.json['next_cursor'])}`)
  await player.get('/caches?provider=vertex')
  await player.get('/caches?provider=anthropic')
  await player.get('/caches?provider=nobody')
  for (const change of [
    { ttl: '2h', keep: { idle: null } },
    { display_name: 'other' },
    { keep: { until: '2031-12-31T00:00:00Z' } },
    {},
    { ttl: '59s' },
    { keep: { until: '2020-01-01T00:00:00Z' } },
  ])
    await player.ask('PATCH', path, change)
  await player.post(`${path}/report-gone`)
  await player.post(`${path}/report-gone`, { handle: 'cachedContents/nobodys' })
  player.lab.handles.clear()
  await player.post(`${path}/report-gone`, { handle: made.json['handle'] })
  player.lab.handles.clear()
  await player.get(path)
  player.lab.faults.add({ kind: 'overloaded', provider: 'gemini', times: 1 })
  await player.get(path)
  for (const body of [
    gemini('poor', { keep: { budget_usd_per_day: 0.000_001 } }),
    { ...gemini('x'), request: { contents: [{ role: 'user', parts: [{ text: 'short' }] }] } },
    gemini('x', { ttl: '8d' }),
    gemini('x', { provider: 'anthropic' }),
    gemini('x', { provider: 'nobody' }),
    gemini('x', { model: '../x' }),
    gemini('x', { credential: 'nobodys' }),
    gemini('x', { request: { cachedContent: 'cachedContents/x', contents: [] } }),
    gemini('x', { request: [] }),
    gemini('x', { keep: { until: '2020-01-01T00:00:00Z' } }),
  ])
    await player.post('/caches', body)
  player.lab.faults.add({ kind: 'insufficient_quota', provider: 'gemini', times: 1 })
  await player.post('/caches', gemini('quota'))
  await player.post('/warm', {
    provider: 'gemini',
    model: 'gemini-3.8-flash',
    request: { ...contents('x'), cachedContent: 'cachedContents/x' },
  })
  await player.get(`${path}/history`)
  const rows = await player.get(`${path}/history?limit=2`)
  await player.get(`${path}/history?limit=2&cursor=${String(rows.json['next_cursor'])}`)
  await player.get('/ledger')
  await player.get('/metrics')
  await player.ask('DELETE', path)
  await player.ask('DELETE', path)
  await player.get(path)
  await player.post('/caches', gemini('catalogue'))
}

/** Calls through the gateway that begin alike, each with a question of its own. */
function lessons(count: number): Lesson[] {
  return Array.from({ length: count }, (_, at) => ({
    provider: 'anthropic',
    model: 'claude-opus-5',
    at: Date.now(),
    session: at,
    usage: { ...NO_COUNTS, inputTokens: 5_000, cacheReadTokens: 4_000, cacheWriteTokens: 0 },
    ends: [{ entry: 'recorded', tokens: 5_000 }],
    whole: `recorded-${at}`,
  }))
}

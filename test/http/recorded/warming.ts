import { anthropic, crew, NATIVE, neutral, OFF, prompt, READ, warmOf } from './bodies.ts'
import type { Player } from './player.ts'
import { ADMIN } from './player.ts'

/** What the lab does not speak: it writes what it has not seen, and reads what it has. */
function converse(player: Player): void {
  const seen = new Set<string>()
  player.servers.set('bedrock.test', async (request) => {
    const text = await request.text()
    const isKnown = seen.has(text)
    seen.add(text)
    const usage = {
      inputTokens: 1,
      outputTokens: 1,
      totalTokens: 1_402,
      cacheReadInputTokens: 0,
      cacheWriteInputTokens: 0,
    }
    return Response.json({
      metrics: { latencyMs: 250 },
      output: { message: { role: 'assistant', content: [{ text: 'ok' }] } },
      stopReason: 'max_tokens',
      usage: { ...usage, [isKnown ? 'cacheReadInputTokens' : 'cacheWriteInputTokens']: 1_400 },
    })
  })
}

/** Every wire format in its native form: shown, looked at, warmed, read again, observed, forgotten. */
export async function native(player: Player): Promise<void> {
  converse(player)
  const secret = { provider: 'bedrock', secret: 'bedrock-api-key-0123456789', host: 'bedrock.test' }
  await player.admin('PATCH', '/providers/bedrock', { base_url: 'http://bedrock.test' })
  player.later(31_000)
  await player.admin('PUT', `/accounts/${player.account}/credentials/aws`, secret)
  for (const { name, body } of NATIVE) {
    await player.post('/render', body)
    await player.post('/warm', { ...body, dry_run: true })
    const { json } = await player.post('/warm', { ...body, ...OFF, name })
    const id = String(json['id'])
    await player.post(`/prefixes/${id}/warm`)
    await player.get(`/prefixes/${id}/request`)
    const { cache: _, ...observed } = { cache: null, ...body }
    await player.post('/observations', [{ ...observed, usage: { cached_input_tokens: 1_000 }, started_at: Date.now() }])
    for (const path of ['', '/warmth', '/history']) await player.get(`/prefixes/${id}${path}`)
    await player.ask('DELETE', `/prefixes/${id}`)
    await player.get(`/prefixes/${id}`)
  }
  await player.get('/ledger')
  await player.admin('DELETE', '/providers/bedrock')
  player.later(31_000)
}

/** Every provider in the neutral form: what would be sent, what it would cost, and what is answered where it is warmed. */
export async function forms(player: Player): Promise<void> {
  const { json } = await player.quiet('GET', '/providers')
  const listed = json['data'] as { id: string; models: { models: string[] }[] }[]
  for (const { id, models } of listed) {
    const model = models[0]?.models[0]?.replace('*', 'x') ?? 'some-model'
    const body = neutral(id, model)
    await player.post('/render', body)
    await player.post('/warm', { ...body, dry_run: true })
    await player.post('/warm', body)
    await player.post('/warm', { ...body, messages: undefined, system: prompt(`alone for ${id}`) })
    await player.post('/warm', { ...neutral(id, 'of-nobody'), name: `${id} of nobody` })
  }
}

/** What may be asked of the cache, of the prompt and of lint. */
export async function wishes(player: Player): Promise<void> {
  const messages = [
    { role: 'user', content: prompt('first') },
    { role: 'assistant', content: [{ type: 'text', text: prompt('second') }] },
    { role: 'user', content: 'Which tent for two?' },
  ]
  const plain = {
    model: 'claude-opus-5',
    max_tokens: 100,
    tools: [{ name: 'f', input_schema: { type: 'object' } }],
    system: prompt('wishes'),
    messages,
  }
  const caches: unknown[] = [
    'auto',
    { retention: '1h' },
    { retention: '24h' },
    { retention: 'extended' },
    { key: 'mine' },
    { breakpoints: 2 },
    { breakpoints: 9 },
    { strategy: 'automatic' },
    { strategy: { last: 1 } },
    { strategy: { explicit: ['tools_end', { item_end: 0 }] } },
    { strategy: { explicit: [{ part_end: [1, 0] }, { item_end: 99 }] } },
    { handle: 'cachedContents/x' },
  ]
  for (const cache of caches) {
    const body = { provider: 'anthropic', request: plain, cache, ...OFF }
    await player.post('/render', body)
    await player.post('/warm', body)
    const asked = typeof cache === 'string' ? {} : (cache as object)
    await player.post('/warm', { ...body, cache: { ...asked, mode: 'required' }, dry_run: true })
  }
  for (const provider of ['openai', 'openai-chat', 'gemini'])
    for (const cache of [{ key: 'mine', retention: 'extended' }, { breakpoints: 3 }, { handle: 'cachedContents/x' }])
      await player.post('/render', {
        ...neutral(provider, provider === 'gemini' ? 'gemini-3.8-flash' : 'gpt-5.6-sol'),
        cache,
      })
  await player.post('/warm', { ...warmOf('beta'), headers: { 'anthropic-beta': 'a-2026-01-01' } })
  await player.post('/warm', { ...warmOf('output'), max_output_tokens: 20 })
  const template = '{% if vip %}Be kind to {{ who }}.{% endif %} {% for t in topics %}{{ t | upcase }} {% endfor %}'
  await player.post('/render', {
    ...neutral('anthropic', 'claude-opus-5'),
    system: template + prompt('template'),
    vars: { vip: true, who: 'all', topics: ['tents', 'mats'] },
    tool_filter: { deny: ['buy'] },
  })
  const findings = anthropic('lint', {
    system: `Key: sk-ant-api03-${'aB3dE5fG7h'.repeat(4)}\nToday is 2026-11-21, 10:15.\nid 3f2b8c1e-6a7d-4c5b-9e8f-0a1b2c3d4e5f\n${prompt('lint')}`,
  })
  for (const lint of ['advice', 'off', 'error'])
    await player.post('/warm', { provider: 'anthropic', request: findings, lint, ...OFF })
  const text = JSON.stringify(anthropic('spelled'))
    .replace('"model"', ' "model" ')
    .replace('"max_tokens":512', '"max_tokens":5.12e2')
  const spelled = await player.post('/warm', `{"provider":"anthropic","keep_warm":{"plan":"off"},"request":${text}}`)
  await player.get(`/prefixes/${String(spelled.json['id'])}/request`)
}

/** A cache that is required, honoured and not. */
export async function required(player: Player): Promise<void> {
  const asked = { cache: { mode: 'required', retention: '1h' } }
  const { json } = await player.post('/warm', warmOf('honoured', asked))
  await player.post('/warm', warmOf('honoured', asked))
  await player.post('/warm', warmOf('honoured', { cache: { mode: 'required', retention: '5m' } }))
  player.lab.faults.add({ kind: 'downgrade_ttl', times: 1 })
  const refused = await player.post('/warm', warmOf('shorter', asked))
  const detail = (refused.json['error'] as { detail: { prefix_id: string } }).detail
  await player.get(`/prefixes/${detail.prefix_id}`)
  await player.get(`/prefixes/${detail.prefix_id}/history`)
  player.lab.faults.add({ kind: 'missing_usage', times: 1 })
  await player.post('/warm', warmOf('without usage', asked))
  const gemini = (tag: string) => ({
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    request: { systemInstruction: { parts: [{ text: prompt(tag, 250) }] } },
    cache: { mode: 'required' },
    ...OFF,
  })
  await player.post('/warm', gemini('verified'))
  player.lab.faults.add({ kind: 'no_write' })
  await player.post('/warm', gemini('refuted'))
  player.lab.faults.clear()
  await player.post(
    '/warm',
    warmOf('beyond', { cache: { mode: 'required', strategy: { explicit: [{ item_end: 9 }] } } }),
  )
  await player.get(`/prefixes/${String(json['id'])}`)
}

/** What providers do wrong, and what is answered then. */
export async function failures(player: Player): Promise<void> {
  const kinds = [
    { kind: 'rate_limited', retry_after_ms: 7_000 },
    { kind: 'insufficient_quota' },
    { kind: 'overloaded' },
    { kind: 'server_error' },
    { kind: 'geo_refusal' },
    { kind: 'html', status: 504 },
    { kind: 'malformed' },
    { kind: 'truncated' },
    { kind: 'html' },
    { kind: 'stream_error' },
    { kind: 'missing_usage' },
    { kind: 'no_write' },
  ] as const
  const forms = [
    (tag: string) => warmOf(tag),
    (tag: string) => ({ provider: 'openai', model: 'gpt-5.6-sol', system: prompt(tag), ...OFF }),
    (tag: string) => ({ provider: 'openai-chat', model: 'gpt-5.6-sol', system: prompt(tag), ...OFF }),
    (tag: string) => ({ provider: 'gemini', model: 'gemini-3.8-flash', system: prompt(tag, 250), ...OFF }),
  ]
  for (const form of forms)
    for (const fault of kinds) {
      player.lab.faults.add({ ...fault, times: 3 })
      await player.post('/warm', form(`fault ${JSON.stringify(fault)}`))
      player.lab.faults.clear()
      player.later(3_600_000)
    }
  player.servers.set('lab.test', () => {
    throw new TypeError('the connection was reset')
  })
  await player.post('/warm', warmOf('no connection'))
  player.servers.delete('lab.test')
  await player.get('/prefixes?stopped=true&limit=5')
  await player.get('/metrics')
}

/** The same call twice by its idempotency key. */
export async function idempotency(player: Player): Promise<void> {
  const headers = { 'idempotency-key': 'first' }
  await player.post('/warm', warmOf('once'), { headers })
  await player.post('/warm', warmOf('once'), { headers })
  await player.post('/warm', warmOf('other'), { headers })
  await player.post('/observations', [], { headers })
  await player.post('/warm', { provider: 'nobody' }, { headers: { 'idempotency-key': 'wrong' } })
  await player.post('/warm', { provider: 'nobody' }, { headers: { 'idempotency-key': 'wrong' } })
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  let isAsked = (): void => {}
  const asked = new Promise<void>((resolve) => (isAsked = resolve))
  player.servers.set('lab.test', async (request) => {
    isAsked()
    await gate
    return player.lab.fetch(request)
  })
  const slow = player.quiet('POST', '/warm', warmOf('slow'), { headers: { 'idempotency-key': 'slow' } })
  await asked
  await player.post('/warm', warmOf('slow'), { headers: { 'idempotency-key': 'slow' } })
  release()
  await slow
  player.servers.delete('lab.test')
  await player.post('/warm', warmOf('slow'), { headers: { 'idempotency-key': 'slow' } })
}

/** Jobs and crews. */
export async function jobs(player: Player): Promise<void> {
  const queued = await player.post('/warm', warmOf('background', { background: true }))
  const job = String((queued.json['job'] as { id: string }).id)
  await player.get(`/jobs/${job}?wait=30s`)
  await player.get(`/jobs/${job}`)
  await player.get(`/jobs/${job}/events`)
  const again = await player.post(`/prefixes/${String(queued.json['id'])}/warm`, { background: true })
  await player.get(`/jobs/${String((again.json['job'] as { id: string }).id)}?wait=30s`)
  player.lab.faults.add({ kind: 'insufficient_quota', times: 1 })
  const failing = await player.post('/warm', warmOf('failing', { background: true }))
  await player.get(`/jobs/${String((failing.json['job'] as { id: string }).id)}?wait=30s`)
  await player.get(`/jobs/${job}?wait=61s`)

  player.providersTakeTime = false
  await player.post('/preload', { agents: crew('shared', 3) })
  await player.post('/preload', { agents: crew('shared', 3), strategy: 'shared_prefix' })
  await player.post('/preload', { agents: crew('sequential', 3), strategy: 'sequential' })
  await player.post('/preload', { agents: crew('parallel', 2), strategy: 'parallel', max_parallel: 1 })
  const behind = await player.post('/preload', { agents: crew('behind', 3), max_parallel: 1, background: true })
  const crewId = String(behind.json['id'])
  await player.until(`/jobs/${crewId}`, ({ finished_at }) => finished_at !== null)
  await player.get(`/jobs/${crewId}?wait=30s`)
  await player.get(`/jobs/${crewId}/events`)
  await player.get(`/jobs/${crewId}/events`, { headers: { 'last-event-id': '999' } })
  await player.post('/preload', { agents: crew('alone', 1) })
  await player.post('/preload', { agents: crew('alone', 1), min_agents: 1 })
  const [good] = crew('mixed', 1)
  const mixed = [
    good,
    { provider: 'nobody', model: 'm', system: 'x' },
    { provider: 'anthropic', model: 'claude-opus-5', system: 'Too short.' },
    { provider: 'anthropic', model: 'claude-opus-5', system: '' },
    { provider: 'anthropic', modle: 'typo' },
    { ...good, credential: 'unknown' },
    { ...good, background: true },
  ]
  await player.post('/preload', { agents: mixed, max_parallel: 1 })
  await player.post('/preload', { agents: mixed.slice(1, 3) })
  for (const wrong of [
    {},
    { agents: [] },
    { agents: {} },
    { agents: crew('x', 1), strategy: 'all' },
    { agents: crew('x', 1), max_parallel: 0 },
  ])
    await player.post('/preload', wrong)
  player.providersTakeTime = true
}

/** Pools of models. */
export async function gateways(player: Player): Promise<void> {
  const fast = { name: 'fast', provider: 'anthropic', model: 'claude-opus-5', description: 'First choice.' }
  const slow = { name: 'slow', model: 'openai-chat/gpt-5.6-sol' }
  const third = {
    name: 'third',
    provider: 'anthropic',
    model: 'claude-sonnet-5-5',
    time_constraints: [['00:00', '23:00']],
  }
  await player.ask('PUT', '/gateways/desk', { models: [fast, slow, third], description: 'Ours.' })
  await player.ask('PUT', '/gateways/desk', { models: [fast, slow, third] })
  await player.ask('PUT', '/gateways/one', { models: [slow], fallback: false })
  await player.ask('PUT', '/gateways/barred', { models: [third] })
  await player.get('/gateways')
  await player.get('/gateways/desk')
  const body = { gateway: 'desk', system: prompt('pool'), messages: [{ role: 'user', content: 'Hello.' }], ...OFF }
  player.providersTakeTime = false
  await player.post('/warm', { ...body, name: 'pool' })
  await player.post('/warm', { ...body, gateway_models: 'all', dry_run: true })
  await player.post('/warm', { ...body, gateway_models: 'all' })
  await player.post('/warm', { ...body, system: prompt('preferred'), model_preference: 'slow' })
  await player.post('/warm', { ...body, model_preference: 'nobody' })
  await player.post('/warm', { ...body, gateway: 'barred' })
  const behind = await player.post('/warm', { ...body, system: prompt('behind'), background: true })
  const [first] = behind.json['models'] as { result: { job: { id: string } } }[]
  await player.get(`/jobs/${first?.result.job.id}?wait=30s`)
  player.lab.faults.add({ kind: 'insufficient_quota', provider: 'anthropic', times: 1 })
  await player.post('/warm', { ...body, system: prompt('falls back') })
  player.lab.faults.add({ kind: 'insufficient_quota', provider: 'openai', times: 1 })
  await player.post('/warm', { ...body, gateway: 'one', system: prompt('fails') })
  for (const wrong of [
    { models: [fast, { ...slow, name: 'fast' }] },
    { models: [{ ...fast, provider: 'nobody' }] },
    { models: [{ name: 'b', model: 'gpt-5.6-sol' }] },
    { models: [{ ...fast, credential: 'nobodys' }] },
    {
      models: [
        {
          ...fast,
          time_constraints: [
            ['00:00', '12:00'],
            ['12:00', '00:00'],
          ],
        },
      ],
    },
    { models: [] },
    { models: [fast], fallback: 'yes' },
  ])
    await player.ask('PUT', '/gateways/wrong', wrong)
  await player.ask('PUT', '/gateways/not%20a%20name', { models: [fast] })
  await player.ask('DELETE', '/gateways/desk')
  await player.ask('DELETE', '/gateways/desk')
  player.providersTakeTime = true
}

/** Budgets, and what is left of an account that is deleted. */
export async function budgets(player: Player): Promise<void> {
  await player.post('/warm', warmOf('poor', { keep_warm: { budget_usd_per_day: 0.000_001 } }))
  await player.post('/warm', warmOf('poor', { keep_warm: { budget_usd_per_day: 0.000_001 }, dry_run: true }))
  const { json } = await player.post('/warm', warmOf('observed'))
  await player.post('/observations', [{ prefix_id: json['id'], usage: READ, started_at: Date.now() }])
  await player.ask('DELETE', `/accounts/${player.account}`, undefined, { key: ADMIN })
  player.later(31_000)
  await player.get('/prefixes')
}

/** What other programs tell of calls, and what cannot be taken of it. */
export async function reports(player: Player): Promise<void> {
  const count = (name: string, tokens: number) => ({ key: `gen_ai.usage.${name}`, value: { intValue: String(tokens) } })
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } })
  const span = {
    traceId: 'c'.repeat(32),
    spanId: 'd'.repeat(16),
    startTimeUnixNano: `${Date.now()}000000`,
    attributes: [
      text('gen_ai.provider.name', 'anthropic'),
      text('gen_ai.request.model', 'claude-opus-4-8'),
      count('input_tokens', 2_100),
      count('cache_read.input_tokens', 2_000),
    ],
  }
  const spans = { resourceSpans: [{ scopeSpans: [{ spans: [span, { ...span, spanId: null }, { name: 'tool' }] }] }] }
  await player.post('/v1/traces', spans)
  await player.post('/v1/traces', spans)
  await player.post('/v1/traces', { resourceSpans: 7 })
  await player.post('/v1/traces', spans, { headers: { 'content-type': 'application/x-protobuf' } })
  const call = {
    id: 'one',
    status: 'success',
    custom_llm_provider: 'openai',
    model: 'gpt-5.5',
    startTime: Date.now() / 1_000,
  }
  await player.post('/observations/litellm', [{ ...call, prompt_tokens: 2_100 }, { ...call, cache_hit: true }, 7])
  await player.post('/observations/litellm', '7')
  await player.get('/stats?by=provider,model')
}

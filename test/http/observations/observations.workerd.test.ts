import { beforeEach, describe, expect, it } from 'vitest'
import { listOf } from '../../../src/contract/values.ts'
import { observedAnswer } from '../../../src/contract/warm.ts'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, get, longText, pick, post, useLab, warmedId } from '../support.ts'

useLab()

describe('observations', () => {
  const usage = { input_tokens: 10, cache_read_input_tokens: 3_300, cache_creation_input_tokens: 0, output_tokens: 5 }

  it('count as hits and renew the prefix, by id or by the request itself', async () => {
    const body = anthropicBody()
    const id = await warmedId(body, { keep_warm: { plan: 'always' } })
    const until = Date.parse(String(pick(await get(`/prefixes/${id}/warmth`), 'warm_until')))
    const startedAt = Date.now() + 5
    await expect.poll(() => Date.now()).toBeGreaterThan(startedAt)
    const real = { ...body, messages: [{ role: 'user', content: 'Another question altogether' }], max_tokens: 100 }
    const observed = await post('/observations', [
      { prefix_id: id, usage, started_at: new Date(startedAt).toISOString(), ttft_ms: 321 },
      { provider: 'anthropic', request: real, usage, started_at: startedAt - 1 },
      { provider: 'anthropic', request: anthropicBody(), usage, started_at: startedAt },
      { prefix_id: 'pfx_0_000000000000000000000000', usage, started_at: startedAt },
    ])
    expect(listOf(observedAnswer).parse(observed.json).data).toEqual([
      { prefix_id: id, matched: true },
      { prefix_id: id, matched: true },
      expect.objectContaining({ prefix_id: null, matched: false, reason: 'drifted' }),
      { prefix_id: 'pfx_0_000000000000000000000000', matched: false },
    ])
    const prefix = await get(`/prefixes/${id}`)
    expect(prefix.json).toMatchObject({ hits: 2, misses: 0, last_hit: { cached_tokens: 3_300, ttft_ms: 321 } })
    expect(Date.parse(String(pick(prefix, 'warmth', 'warm_until')))).toBe(startedAt + 300_000)
    expect(startedAt + 300_000).toBeGreaterThan(until)
  })

  it('of a chat body are read as such, even under the vendor’s one name', async () => {
    const messages = [
      { role: 'developer', content: longText(300) },
      { role: 'user', content: 'Hello' },
    ]
    const request = { model: 'gpt-5.6-sol', messages }
    const id = pick(await post('/warm', { provider: 'openai', request, keep_warm: { plan: 'off' } }), 'id')
    const usage = { prompt_tokens: 7_000, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 6_500 } }
    const observed = await post('/observations', [{ provider: 'openai', request, usage, started_at: Date.now() }])
    expect(pick(observed, 'data')).toEqual([{ prefix_id: id, matched: true }])
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ provider: 'openai-chat', hits: 1 })
  })

  it('take the normalised usage, where null is not 0', async () => {
    const id = await warmedId()
    const started_at = Date.now()
    await post('/observations', [
      { prefix_id: id, usage: { cached_input_tokens: 3_300 }, started_at },
      { prefix_id: id, usage: { cached_input_tokens: 0, cache_write_input_tokens: 0 }, started_at },
      { prefix_id: id, usage: { cached_input_tokens: null }, started_at },
    ])
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits: 1, misses: 1 })
  })

  it('take the usage of a framework, and warn of one that counts nothing of the cache', async () => {
    const id = await warmedId()
    const started_at = Date.now()
    const details = { cache_read: 3_300, cache_creation: 0 }
    const langchain = { input_tokens: 3_350, output_tokens: 9, total_tokens: 3_359, input_token_details: details }
    const observed = await post('/observations', [
      { prefix_id: id, usage: langchain, started_at },
      { prefix_id: id, usage: { input_tokens: 3_350, output_tokens: 9 }, started_at },
      { prefix_id: id, usage: { cached_input_tokens: null }, started_at },
    ])
    expect(listOf(observedAnswer).parse(observed.json).data).toEqual([
      { prefix_id: id, matched: true },
      {
        prefix_id: id,
        matched: true,
        advice: [expect.objectContaining({ cause: 'no_cache_count', severity: 'warning' })],
      },
      { prefix_id: id, matched: true },
    ])
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits: 1, misses: 0 })
  })

  it.each<[string, Record<string, unknown>]>([
    ['10¹⁵ tokens', { ...usage, cache_read_input_tokens: 1e15 }],
    ['just more than can be true', { ...usage, cache_read_input_tokens: 1_000_000_001 }],
    [
      'zeros of a proxy',
      { input_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 0 },
    ],
    ['more cached than there is input', { input_tokens: 5, cached_input_tokens: 3_300 }],
    ['normalised counts beyond all prompts', { cached_input_tokens: 4_000_000_000 }],
    [
      'writes by lifetime that exceed the writes',
      { ...usage, cache_creation_input_tokens: 10, cache_creation: { ephemeral_5m_input_tokens: 3_300 } },
    ],
  ])('of counts that cannot be true are requests of unknown usage, and that is told: %s', async (_, counts) => {
    const id = await warmedId()
    const before = (await get(`/prefixes/${id}`)).json
    const observed = await post('/observations', [{ prefix_id: id, usage: counts, started_at: Date.now() }])
    expect([observed.status, listOf(observedAnswer).parse(observed.json).data]).toEqual([
      200,
      [
        {
          prefix_id: id,
          matched: true,
          advice: [expect.objectContaining({ cause: 'impossible_usage', severity: 'warning' })],
        },
      ],
    ])
    const after = (await get(`/prefixes/${id}`)).json
    for (const key of ['hits', 'misses', 'last_hit', 'measured_tokens', 'drift'])
      expect([key, after[key]]).toEqual([key, before[key]])
  })

  it('refuse one item by its index, and the call when no item can be read', async () => {
    const id = await warmedId()
    const good = { prefix_id: id, usage, started_at: Date.now() }
    const mixed = await post('/observations', [good, { ...good, usage: { tokens: 7 } }])
    expect(mixed.json).toMatchObject({
      data: [{ matched: true }, { matched: false, error: { kind: 'invalid_request', detail: { field: '[1].usage' } } }],
    })
    expect((await post('/observations', [{ ...good, usage: { tokens: 7 } }])).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: '[0].usage' } },
    })
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits: 1, misses: 0 })
  })

  it.each([
    ['input_tokens', -1],
    ['input_tokens', 1.5],
    ['cache_read_input_tokens', 9_007_199_254_740_992],
    ['output_tokens', '7'],
    ['cache_creation.ephemeral_5m_input_tokens', 1e300],
    ['cached_input_tokens', -1],
    ['cache_write_by_retention.5m', 0.5],
  ])('refuse the item whose %s is %j, and change nothing', async (name, value) => {
    const id = await warmedId()
    const before = (await get(`/prefixes/${id}`)).json
    const [outer = '', inner] = name.split('.')
    const ours = /^cached_input|by_retention/.test(name)
    const counts = { ...(ours ? {} : usage), [outer]: inner === undefined ? value : { [inner]: value } }
    const started_at = Date.now()
    const known = { usage: { cached_input_tokens: 1 }, prefix_id: 'pfx_0_000000000000000000000000', started_at }
    const answer = await post('/observations', [known, { prefix_id: id, usage: counts, started_at }])
    const field = `[1].usage.${name}`.replace('.5m', '["…"]')
    expect(pick(answer, 'data', 1)).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    const after = (await get(`/prefixes/${id}`)).json
    for (const key of ['hits', 'misses', 'last_hit']) expect(after[key]).toEqual(before[key])
  })

  it.each([
    [{}, ''],
    [[{ usage, started_at: 1 }], '[0].prefix_id'],
    [[{ request: {}, usage, started_at: 1 }], '[0].provider'],
    [[{ provider: 'acme', request: {}, usage, started_at: 1 }], '[0].provider'],
    [[{ prefix_id: 'a', request: {}, usage, started_at: 1 }], '[0].request'],
    [[{ prefix_id: 'a', usage: 7, started_at: 1 }], '[0].usage'],
    [[{ prefix_id: 'a', usage }], '[0].started_at'],
    [[{ prefix_id: 'a', usage, started_at: 'now' }], '[0].started_at'],
    [[{ prefix_id: 'a', usage, started_at: 1, ttft_ms: -1 }], '[0].ttft_ms'],
    [[{ prefix_id: 'a', usage, started_at: 1, ttft_ms: 86_400_001 }], '[0].ttft_ms'],
    [[{ prefix_id: 'a', usage, started_at: 1, prompt: 'x' }], '[0].prompt'],
    [Array.from({ length: 1_001 }, () => ({ prefix_id: 'a', usage, started_at: 1 })), ''],
  ])('are refused by name: case %#', async (body, field) => {
    const answer = await post('/observations', body)
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })
})

describe('observations of requests that have changed', () => {
  const written = { input_tokens: 10, cache_read_input_tokens: 0, cache_creation_input_tokens: 3_310, output_tokens: 5 }
  let text = ''
  beforeEach(() => (text = longText(300)))
  const bodyOf = (system: string, change = {}) => ({ ...anthropicBody(), system, ...change })
  const observe = (request: object) =>
    post('/observations', [{ provider: 'anthropic', request, usage: written, started_at: Date.now() }])

  it.each([
    ['a timestamp in front', (n: number) => bodyOf(`Build 47${n}. ${text}`), 'system'],
    ['one word', () => bodyOf(`${text.slice(0, 200)} zebra ${text.slice(200)}`), 'system'],
    ['a tool', () => bodyOf(text, { tools: [{ name: 'find', input_schema: { type: 'object' } }] }), undefined],
    ['a model', () => bodyOf(text, { model: 'claude-opus-4-6' }), 'model'],
  ])('tell drift at the third, with the first difference: %s', async (_, changed, path) => {
    const name = `agent-${Math.random().toString(36).slice(2)}`
    const id = await warmedId(bodyOf(text), { name, keep_warm: { plan: 'always' } })
    const before = await get(`/prefixes/${id}`)
    expect(before.json).toMatchObject({ drift: null })
    for (const n of [10, 11]) expect((await observe(changed(n))).json).toMatchObject({ data: [{ matched: false }] })
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ drift: null })
    await observe(changed(12))
    const after = await get(`/prefixes/${id}`)
    expect(after.json).toMatchObject({
      hits: 0,
      misses: 0,
      drift: { requests: 3, why: expect.stringContaining('not evicted') },
    })
    expect(pick(after, 'advice')).toContainEqual(expect.objectContaining({ cause: 'drifted', severity: 'warning' }))
    expect(pick(after, 'warmth', 'warm_until')).toBe(pick(before, 'warmth', 'warm_until'))
    expect(pick(after, 'plan', 'next_probe_at')).toBe(pick(before, 'plan', 'next_probe_at'))
    expect(pick(after, 'plan', 'retention_seconds')).toBe(pick(before, 'plan', 'retention_seconds'))
    const first = prefixAnswer.parse(after.json).drift?.first_difference
    if (path !== undefined) expect(first?.path.startsWith(path)).toBe(true)
    expect(Math.max(first?.registered.length ?? 99, first?.sent.length ?? 99)).toBeLessThanOrEqual(40)
    const history = JSON.stringify((await get(`/prefixes/${id}/history`)).json)
    expect(history).toContain('"decision":"drifted"')
    expect(history).not.toMatch(/Build 47|zebra/)
    expect(JSON.stringify((await get('/prefixes?drifted=true')).json)).toContain(id)
    expect(JSON.stringify((await get('/prefixes?drifted=false')).json)).not.toContain(id)
    const { text: metrics } = await get('/metrics')
    expect(Number(/^pilotlight_prefixes_drifted (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0)
    expect(metrics).not.toMatch(/Build 47|zebra/)
  })
})

import { describe, expect, it } from 'vitest'
import {
  ADMIN,
  anthropicBody,
  call,
  endOf,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warm,
} from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()

const COUNT = 'v1/messages/count_tokens'
const paths = (): string[] => received(world.lab).map(({ path }) => path)
const within = (budget: number) => ({
  cache: { retention: '1h' },
  keep_warm: { plan: 'off', budget_usd_per_day: budget },
})

describe("a provider's own count", () => {
  const body = (tag: string) => ({ ...anthropicBody(`${tag} ${longText(400)}`), model: 'claude-opus-4-8' })

  it('is asked for once, and only where a budget does not hold a token for each byte', async () => {
    const dry = (await warm(body('a'), { ...within(100), dry_run: true })).json['plan'] as Record<string, unknown>
    const price = Number(dry['first_write_cost_usd'])
    expect((await warm(body('a'), within(price * 5))).status).toBe(200)
    expect(paths()).toEqual(['v1/messages'])
    expect((await warm(body('b'), within(price * 1.3))).status).toBe(200)
    expect(paths()).toEqual(['v1/messages', COUNT, 'v1/messages'])
    const poor = body('c')
    expect((await warm(poor, within(price * 0.9))).status).toBe(402)
    expect((await warm(poor, within(price * 0.9))).status).toBe(402)
    expect(paths()).toEqual(['v1/messages', COUNT, 'v1/messages', COUNT])
  })

  it('is asked for of a format that counts at another path, without what only a request takes', async () => {
    const body = (tag: string) => ({
      model: 'gpt-6-sol',
      input: [{ role: 'developer', content: [{ type: 'input_text', text: `${tag} ${longText(400)}` }] }],
      metadata: { team: 'tents' },
      store: false,
    })
    const openai = (more: object) => ({ provider: 'openai', keep_warm: { plan: 'off', ...more } })
    const dry = (await warm(body('a'), { ...openai({ budget_usd_per_day: 100 }), dry_run: true })).json['plan']
    const price = Number((dry as Record<string, unknown>)['first_write_cost_usd'])
    const tight = openai({ budget_usd_per_day: price * 2.6 })
    const same = body('b')
    const first = await warm(same, tight)
    expect([first.status, first.text]).toEqual([200, first.text])
    expect(received(world.lab).map(({ path, status }) => [path, status])).toEqual([
      ['v1/responses/input_tokens', 200],
      ['v1/responses', 200],
    ])
    expect((await warm(same, tight)).status).toBe(200)
    expect(paths().filter((path) => path.endsWith('input_tokens'))).toHaveLength(1)
    expect((await warm(body('c'), openai({ budget_usd_per_day: price * 0.5 }))).status).toBe(402)
  })

  it('is not there for a document by URL, which is refused by its path', async () => {
    const source = { type: 'url', url: 'https://example.com/catalogue.pdf' }
    const document = { type: 'document', source, cache_control: { type: 'ephemeral' } }
    const messages = [{ role: 'user', content: [document, { type: 'text', text: 'Which lamp?' }] }]
    const dry = await warm({ model: 'claude-opus-4-8', max_tokens: 9, messages }, { ...within(100), dry_run: true })
    expect(dry.text).toContain('request.messages[0].content[0]')
    expect(dry.text).toContain('unbounded_tokens')
  })
})

/** The price of a first write, by a dry run with a budget that holds everything. */
async function priceOf(request: unknown, more: Record<string, unknown>): Promise<number> {
  const dry = await warm(request, { ...more, keep_warm: { plan: 'off', budget_usd_per_day: 100 }, dry_run: true })
  return Number(pick(dry, 'plan', 'first_write_cost_usd'))
}

const statuses = () => received(world.lab).map(({ path, status }) => [path, status])

describe.each<[string, Record<string, unknown>, (text: string) => Record<string, unknown>, string, string]>([
  [
    'Bedrock, without the region of a profile',
    { provider: 'bedrock', model: 'eu.anthropic.claude-sonnet-4-6' },
    (text) => ({
      system: [{ text }, { cachePoint: { type: 'default' } }],
      messages: [{ role: 'user', content: [{ text: 'Which tent?' }] }],
      inferenceConfig: { maxTokens: 300, temperature: 0 },
      requestMetadata: { team: 'tents' },
    }),
    'model/anthropic.claude-sonnet-4-6/count-tokens',
    'model/eu.anthropic.claude-sonnet-4-6/converse',
  ],
  [
    'Claude on Vertex AI',
    { provider: 'vertex-anthropic', model: 'claude-sonnet-4-5@20250929' },
    (text) => ({
      max_tokens: 300,
      system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: 'Which tent?' }],
      metadata: { user_id: 'tents' },
    }),
    'v1/projects/lab/locations/lab/publishers/anthropic/models/count-tokens:rawPredict',
    'v1/projects/lab/locations/lab/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict',
  ],
  [
    'Gemini on Vertex AI',
    { provider: 'vertex', model: 'gemini-3.8-flash' },
    (text) => ({
      systemInstruction: { parts: [{ text }] },
      contents: [{ role: 'user', parts: [{ text: 'Which tent?' }] }],
      safetySettings: [],
    }),
    'v1/projects/lab/locations/lab/publishers/google/models/gemini-3.8-flash:countTokens',
    'v1/projects/lab/locations/lab/publishers/google/models/gemini-3.8-flash:generateContent',
  ],
  [
    'the Gemini API',
    { provider: 'gemini', model: 'gemini-3.8-flash' },
    (text) => ({
      systemInstruction: { parts: [{ text }] },
      contents: [{ role: 'user', parts: [{ text: 'Which tent?' }] }],
    }),
    'v1beta/models/gemini-3.8-flash:countTokens',
    'v1beta/models/gemini-3.8-flash:generateContent',
  ],
])('the count of %s', (_, more, body, counting, calling) => {
  const text = () => longText(400)

  it('holds a budget that bytes do not hold, and is asked for once', async () => {
    const price = await priceOf(body(text()), more)
    const request = body(text())
    const tight = { ...more, keep_warm: { plan: 'off', budget_usd_per_day: price * 1.5 } }
    const first = await warm(request, tight)
    expect([first.status, first.text]).toEqual([200, first.text])
    expect(statuses()).toEqual([
      [counting, 200],
      [calling, 200],
    ])
    expect(
      (await warm(body(text()), { ...tight, keep_warm: { plan: 'off', budget_usd_per_day: price / 2 } })).status,
    ).toBe(402)
  })
})

describe('a provider without a count', () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      'is not asked for a model that it does not count',
      { provider: 'bedrock', model: 'anthropic.claude-opus-5' },
      {
        system: [{ text: longText(400) }, { cachePoint: { type: 'default' } }],
        messages: [{ role: 'user', content: [{ text: 'Which tent?' }] }],
      },
    ],
    [
      'is not asked for a body whose members it does not take',
      { provider: 'anthropic' },
      {
        ...anthropicBody(longText(400)),
        model: 'claude-opus-4-8',
        mcp_servers: [{ type: 'url', url: 'https://mcp.example.com', name: 'shop' }],
      },
    ],
  ])('%s', async (_, more, request) => {
    const price = await priceOf(request, more)
    const answer = await warm(request, { ...more, keep_warm: { plan: 'off', budget_usd_per_day: price * 1.5 } })
    expect(answer.json).toMatchObject({ error: { kind: 'budget_exhausted' } })
    expect(statuses()).toEqual([])
  })
})

describe('a count that fails', () => {
  const body = () => ({ ...anthropicBody(longText(400)), model: 'claude-opus-4-8' })
  const lab = (path: string, rule: object) =>
    world.lab.fetch(new Request(`http://lab.test/_lab/${path}`, { method: 'POST', body: JSON.stringify(rule) }))
  const refused = async (request = body()): Promise<Answer> => {
    const price = await priceOf(request, { cache: { retention: '1h' } })
    return warm(request, within(price * 1.3))
  }

  it.each([
    ['is refused', { kind: 'server_error', times: 1 }, 'it refused with status 500'],
    ['is throttled', { kind: 'rate_limited', times: 1 }, 'it refused with status 429'],
    ['is no JSON', { kind: 'malformed', times: 1 }, 'its answer cannot be read'],
    ['is a page', { kind: 'html', status: 200, times: 1 }, 'its answer cannot be read'],
  ])('%s: the bytes limit the call, and it is told', async (_, fault, why) => {
    await lab('faults', fault)
    const answer = await refused()
    expect(answer.json).toMatchObject({ error: { kind: 'budget_exhausted', detail: { uncounted: why } } })
    expect(pick(answer, 'error', 'message')).toContain(
      `The provider was asked to count the tokens of this request, but ${why}`,
    )
    expect(statuses().map(([path]) => path)).toEqual([COUNT])
  })

  it.each([
    ['negative', -5],
    ['zero', 0],
    ['no whole number', 900.5],
    ['beyond the context window', 1_000_001],
    ['impossible', 1e15],
    ['fewer than the texts can have', 300],
  ])('counts what is %s: the bytes limit the call', async (_, free_count) => {
    await lab('counting', { per: 'four_bytes', free_count })
    const answer = await refused()
    expect([answer.status, typeof pick(answer, 'error', 'detail', 'uncounted')]).toEqual([402, 'string'])
    expect(statuses().map(([path]) => path)).toEqual([COUNT])
  })

  it('is not asked for again at once, and is no reason to refuse what fits', async () => {
    await lab('faults', { kind: 'server_error', times: 1 })
    const request = body()
    const price = await priceOf(request, { cache: { retention: '1h' } })
    expect((await warm(request, within(price * 1.3))).status).toBe(402)
    expect((await warm(request, within(price * 1.3))).status).toBe(402)
    expect(statuses()).toEqual([[COUNT, 500]])
    const held = await warm(request, within(price * 5))
    expect([held.status, held.text]).toEqual([200, held.text])
  })

  it('delays the call by its limit at most', { timeout: 20_000 }, async () => {
    await lab('faults', { kind: 'timeout', times: 1, delay_ms: 60_000 })
    const at = Date.now()
    const answer = await refused()
    expect(pick(answer, 'error', 'detail', 'uncounted')).toBe('it did not answer in time')
    expect(Date.now() - at).toBeLessThan(8_000)
  })

  it('is not asked for under the kill switch', async () => {
    const { id, key } = await newAccount()
    const request = body()
    const price = await priceOf(request, { cache: { retention: '1h' } })
    await call('PATCH', `/accounts/${id}`, { kill_switch: true }, { key: ADMIN })
    expect((await warm(request, within(price * 1.3), { key })).status).toBe(403)
    expect(statuses()).toEqual([])
  })
})

describe('the budget of an account', () => {
  const body = () => ({ ...anthropicBody(longText(400)), model: 'claude-opus-4-8' })
  const roomy = within(100)

  async function poor(factor: number): Promise<{ key: string }> {
    const { id, key } = await newAccount()
    const price = await priceOf(body(), { cache: { retention: '1h' } })
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: price * factor }, { key: ADMIN })
    return { key }
  }

  it('asks for the count where the bytes do not fit into it', async () => {
    const { key } = await poor(1.3)
    expect((await warm(body(), roomy, { key })).status).toBe(200)
    expect(statuses().map(([path]) => path)).toEqual([COUNT, 'v1/messages'])
    const second = await warm(body(), roomy, { key })
    expect([second.status, statuses().length]).toEqual([402, 3])
  })

  it('asks for it before a job in the background is queued', async () => {
    const { key } = await poor(1.3)
    const queued = await warm(body(), { ...roomy, background: true }, { key })
    expect(queued.status).toBe(202)
    const job = await endOf(pick(queued, 'job', 'id'), { key })
    expect([pick(job, 'status'), statuses().map(([path]) => path)]).toEqual(['succeeded', [COUNT, 'v1/messages']])
  })

  it('asks for it when a registered prefix is warmed again', async () => {
    const { key } = await poor(0.5)
    const first = await warm(body(), roomy, { key })
    expect(first.status).toBe(402)
    const id = String(pick(first, 'error', 'detail', 'prefix_id'))
    expect(statuses().map(([path]) => path)).toEqual([COUNT])
    expect(pick(await get(`/prefixes/${id}`, { key }), 'id')).toBe(id)
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).status).toBe(402)
    expect(statuses().map(([path]) => path)).toEqual([COUNT])
  })
})

describe('POST /prefixes/{id}/warm', () => {
  it('asks for the count that its registration did not need, and keeps it', async () => {
    const { id: account, key } = await newAccount()
    const request = { ...anthropicBody(longText(400)), model: 'claude-opus-4-8' }
    const price = await priceOf(request, { cache: { retention: '1h' } })
    await call('PATCH', `/accounts/${account}`, { kill_switch: true }, { key: ADMIN })
    const first = await warm(request, within(100), { key })
    expect([first.status, statuses()]).toEqual([403, []])
    const id = String(pick(first, 'error', 'detail', 'prefix_id'))
    await call('PATCH', `/accounts/${account}`, { kill_switch: false, budget_usd_per_day: price * 1.3 }, { key: ADMIN })
    const warmed = await post(`/prefixes/${id}/warm`, {}, { key })
    expect([warmed.status, warmed.text]).toEqual([200, warmed.text])
    expect(statuses().map(([path]) => path)).toEqual([COUNT, 'v1/messages'])
  })
})

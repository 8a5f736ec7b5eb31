import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BotCallLog } from '../../../src/durable/bot/tables/calls.ts'
import { LiveStore } from '../../../src/durable/live/tables.ts'
import { durableSql } from '../../../src/durable/sql.ts'
import { anthropic, begin, ended, hear, objectOf, openai, say } from './support.ts'
import { get, pick, post, received, useLab } from '../support.ts'
import { botAnswer } from '../../../src/contract/bot.ts'

const world = useLab()
const STOCK = {
  name: 'stock',
  description: 'How many are left of an item.',
  parameters: {
    type: 'object',
    properties: { item: { type: 'string' } },
    required: ['item'],
    additionalProperties: false,
  },
  url: 'https://tools.example/stock',
}

interface Asked {
  method: string
  url: string
  headers: Headers
  text: string
}

/** Answers calls of tools in place of the network. Other calls go to the lab. */
function serve(answer: (request: Request) => Response | Promise<Response>): { asked: Asked[] } {
  const { lab } = world
  const asked: Asked[] = []
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).host !== 'tools.example') return lab.fetch(request)
    // Read here, because another object may not read it.
    const { method, url, headers } = request
    asked.push({ method, url, headers: new Headers(headers), text: await request.clone().text() })
    return answer(request)
  })
  return { asked }
}

const bodies = (): string[] => received(world.lab).map(({ body }) => body)
const kinds = (heard: Record<string, unknown>[]): unknown[] => heard.map(({ type }) => type)
const TWO = 'How many?\nlab: call stock {"item":"tent"} & stock {"item":"mat"}\nlab: call current_time {}'

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each([
  { name: 'Anthropic Messages', body: anthropic },
  { name: 'OpenAI Responses', body: openai },
  { name: 'Chat Completions', body: { ...openai, provider: 'openai-chat' } },
  { name: 'Gemini', body: { provider: 'gemini', model: 'gemini-3.8-flash', system_prompt: 'You sell tents.' } },
])('a bot with tools on $name', ({ body }) => {
  it('calls them, passes their results to the model, answers, and counts each call', async () => {
    const { asked } = serve(async (request) => Response.json({ left: (await request.text()).includes('tent') ? 3 : 7 }))
    const id = await begin({ ...body, tools: [STOCK] })
    const { heard, deltas } = await hear(id)
    const turn = await say(id, TWO)
    await vi.waitFor(() => expect(kinds(heard)).toEqual(['tool', 'tool', 'tool', 'message']), 60_000)
    expect(heard.at(-1)).toMatchObject({ turn_id: turn, calls: 3, complete: true })
    expect(deltas.map(({ text }) => text).join('')).toBe(heard.at(-1)?.['text'])
    expect(deltas[0]).toMatchObject({ turn_id: turn })

    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(
      Array(2).fill('POST https://tools.example/stock'),
    )
    const told = JSON.parse(asked[0]?.text ?? '') as Record<string, unknown>
    expect(told).toEqual({
      bot_id: id,
      turn_id: turn,
      call_id: asked[0]?.headers.get('webhook-id'),
      tool: 'stock',
      arguments: { item: 'tent' },
    })
    const last = bodies().at(-1) ?? ''
    for (const result of ['{\\"left\\":3}', '{\\"left\\":7}']) expect(last).toContain(result)
    expect(last).toMatch(/20\d\d-\d\d-\d\dT/)

    const seen = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(seen.usage.turns).toBe(1)
    expect(seen.calls.map(({ turn_id, outcome, purpose }) => [turn_id, outcome, purpose])).toEqual(
      Array.from({ length: 3 }, () => [turn, 'answered', 'answer']),
    )
    expect(seen.tool_calls.map(({ tool, outcome, attempts }) => [tool, outcome, attempts])).toEqual([
      ['current_time', 'answered', 1],
      ['stock', 'answered', 1],
      ['stock', 'answered', 1],
    ])
    const costs = seen.calls.map(({ cost_usd }) => cost_usd ?? 0)
    expect(seen.spent_usd).toBeCloseTo(
      costs.reduce((sum, cost) => sum + cost, 0),
      9,
    )
    expect(heard.at(-1)?.['cost_usd']).toBeCloseTo(seen.spent_usd, 9)
  })

  it('stops calling tools at its limit; the last call lists the same tools and forbids them', async () => {
    serve(() => new Response('3 left'))
    const id = await begin({ ...body, tools: [STOCK], max_iterations: 2 })
    const { heard } = await hear(id)
    await say(id, 'How many?\nlab: always call stock {"item":"tent"}')
    await vi.waitFor(() => expect(kinds(heard)).toEqual(['tool', 'tool', 'message']), 60_000)
    const sent = bodies().map((text) => JSON.parse(text) as Record<string, unknown>)
    expect(sent).toHaveLength(3)
    expect(new Set(sent.map(({ tools }) => JSON.stringify(tools))).size).toBeLessThanOrEqual(2) // a marker may move
    const forbids = sent.map((one) => /"none"|"NONE"/.test(JSON.stringify([one['tool_choice'], one['toolConfig']])))
    expect(forbids).toEqual([false, false, true])
  })
})

describe('a failed tool call, as the model sees it,', () => {
  const ask = async (tools: object[], text: string): Promise<string> => {
    const id = await begin({ ...anthropic, tools })
    const { heard } = await hear(id)
    await say(id, text)
    await vi.waitFor(() => expect(kinds(heard)).toEqual(['tool', 'message']), 60_000)
    expect(heard[0]).toMatchObject({ failed: true, may_have_run_twice: false })
    expect(bodies().at(-1)).toContain('"is_error":true')
    return bodies().at(-1) ?? ''
  }

  it('has wrong arguments, and the tool is not called', async () => {
    const { asked } = serve(() => new Response('3 left'))
    expect(await ask([STOCK], 'How many?\nlab: call stock {"article":"tent"}')).toContain('do not fit the schema')
    expect(asked).toHaveLength(0)
  })

  it('went to a tool that never answers', async () => {
    serve(() => new Promise<Response>(() => {}))
    expect(await ask([{ ...STOCK, timeout: '50ms' }], 'How many?\nlab: call stock {"item":"tent"}')).toContain(
      'in time',
    )
  })

  it('went to a tool that redirects to a private address, which is not called', async () => {
    const { asked } = serve(() => new Response(null, { status: 307, headers: { location: 'http://169.254.169.254/' } }))
    expect(await ask([STOCK], 'How many?\nlab: call stock {"item":"tent"}')).toContain('not allowed')
    expect(asked).toHaveLength(1)
    expect(
      vi
        .mocked(globalThis.fetch)
        .mock.calls.map(([input]) => String(input))
        .join(),
    ).not.toContain('169.254')
  })

  it('went to a tool that fails, and carries its text', async () => {
    serve(() => new Response('the shelf is on fire', { status: 500 }))
    expect(await ask([STOCK], 'How many?\nlab: call stock {"item":"tent"}')).toContain('the shelf is on fire')
  })

  it('has a result that is cut off at the size of the conversation', async () => {
    serve(() => new Response('many '.repeat(12_000)))
    const id = await begin({ ...anthropic, tools: [STOCK] })
    await say(id, 'How many?\nlab: call stock {"item":"tent"}')
    expect(bodies().at(-1)).toContain('[cut off here: ')
    expect((bodies().at(-1)?.match(/many /g) ?? []).length).toBeLessThan(2_100)
  })
})

describe('an answer with many calls', () => {
  it('runs four at a time and eight in all, and reports the others to the model', async () => {
    const now = { running: 0, most: 0 }
    const { asked } = serve(async () => {
      now.running += 1
      now.most = Math.max(now.most, now.running)
      // All calls that may run at once arrive before the first continues.
      await vi.waitFor(() => expect(now.most).toBe(4), 60_000)
      now.running -= 1
      return new Response('3 left')
    })
    const id = await begin({ ...anthropic, tools: [STOCK] })
    const call = 'stock {"item":"tent"}'
    await say(id, `How many?\nlab: call ${Array.from({ length: 10 }, () => call).join(' & ')}`)
    expect([asked.length, now.most]).toEqual([8, 4])
    const last = bodies().at(-1) ?? ''
    expect(last.match(/"type":"tool_result"/g)).toHaveLength(10)
    expect(last.match(/at most 8 tools are called at once/g)).toHaveLength(2)
  })
})

describe('a turn that is cut off between two calls', () => {
  const QUESTION = 'How many?\nlab: call stock {"item":"tent"}'
  const usage = { inputTokens: 9, uncachedTokens: 9, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 3 }
  const full = { ...usage, cacheWriteByRetention: {}, reasoningTokens: null }
  const call = { id: 'toolu_1', name: 'stock', arguments: '{"item":"tent"}' }
  const asksForStock = { kind: 'answered' as const, text: '', complete: true, toolCalls: [call], usage: full, nanos: 7 }

  /** The tables as an eviction leaves them: the model has asked for the tool. */
  async function cutOff(turn: string, more: (calls: BotCallLog, id: string) => void): Promise<string> {
    const id = await begin({ ...anthropic, tools: [STOCK] })
    await runInDurableObject(objectOf(id), (_, state) => {
      const calls = new BotCallLog(durableSql(state.storage))
      calls.begin(turn, 1)
      calls.end(turn, asksForStock, 2)
      more(calls, id)
    })
    await evictDurableObject(objectOf(id))
    return id
  }

  it('continues with the tool, and pays for no model call twice', async () => {
    const { asked } = serve(() => new Response('3 left'))
    const id = await cutOff('evt_a', () => {})
    const { heard } = await hear(id)
    await objectOf(id).emit({ type: 'message', data: { text: QUESTION }, id: 'evt_a' })
    await ended(id, 'evt_a')
    await vi.waitFor(() => expect(kinds(heard)).toEqual(['tool', 'message']), 60_000)
    expect([asked.length, bodies().length]).toEqual([1, 1])
    expect(heard[0]).toMatchObject({ may_have_run_twice: false })
    expect(heard[1]).toMatchObject({ calls: 2 })
  })

  it('uses a stored result, and does not call the tool again', async () => {
    const { asked } = serve(() => new Response('3 left'))
    const id = await cutOff('evt_b', (calls, bot) => {
      calls.beginTool(`${bot}-evt_b-0-0`, 'evt_b', 'stock', 3)
      calls.endTool(`${bot}-evt_b-0-0`, { text: 'eleven left', isError: false }, 4)
    })
    await objectOf(id).emit({ type: 'message', data: { text: QUESTION }, id: 'evt_b' })
    await ended(id, 'evt_b')
    expect(asked).toHaveLength(0)
    expect(bodies().at(-1)).toContain('eleven left')
  })

  it('repeats a tool call that was cut off, under the same id, and reports that it may run twice', async () => {
    const { asked } = serve(() => new Response('3 left'))
    const id = await cutOff('evt_c', (calls, bot) => void calls.beginTool(`${bot}-evt_c-0-0`, 'evt_c', 'stock', 3))
    const { heard } = await hear(id)
    await objectOf(id).emit({ type: 'message', data: { text: QUESTION }, id: 'evt_c' })
    await ended(id, 'evt_c')
    await vi.waitFor(() => expect(kinds(heard)).toEqual(['tool', 'message']), 60_000)
    expect(heard[0]).toMatchObject({ call_id: `${id}-evt_c-0-0`, may_have_run_twice: true })
    expect(asked[0]?.headers.get('idempotency-key')).toBe(`${id}-evt_c-0-0`)
    expect(pick(await get(`/bots/${id}`), 'tool_calls', 0)).toMatchObject({ attempts: 2, outcome: 'answered' })
  })

  it('fails where a model call has no known answer, and counts the cost of the calls before', async () => {
    const { asked } = serve(() => new Response('3 left'))
    const id = await cutOff('evt_d', (calls, bot) => {
      calls.beginTool(`${bot}-evt_d-0-0`, 'evt_d', 'stock', 3)
      calls.endTool(`${bot}-evt_d-0-0`, { text: '3 left', isError: false }, 4)
      calls.begin('evt_d#1', 5)
    })
    const { heard } = await hear(id)
    await objectOf(id).emit({ type: 'message', data: { text: QUESTION }, id: 'evt_d' })
    await ended(id, 'evt_d')
    await vi.waitFor(() => expect(kinds(heard)).toEqual(['failed']), 60_000)
    expect(heard[0]).toMatchObject({ billed: null, cost_usd: null })
    expect([asked.length, bodies().length]).toEqual([0, 0])
    expect(await get(`/bots/${id}`).then(({ json }) => json)).toMatchObject({ spent_usd: 7e-9, usage: { turns: 0 } })
  })
})

it('a turn that is cut off at each attempt ends in a failure, and its cost is counted', async () => {
  const id = await begin({ ...anthropic, tools: [STOCK] })
  const { heard } = await hear(id)
  await runInDurableObject(objectOf(id), async (_, state) => {
    const sql = durableSql(state.storage)
    const calls = new BotCallLog(sql)
    const usage = { inputTokens: 9, uncachedTokens: 9, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 3 }
    calls.begin('evt_e', 1)
    const full = { ...usage, cacheWriteByRetention: {}, reasoningTokens: null }
    const call = { id: 'toolu_1', name: 'stock', arguments: '{"item":"tent"}' }
    calls.end('evt_e', { kind: 'answered', text: '', complete: true, toolCalls: [call], usage: full, nanos: 7 }, 2)
    const data = JSON.stringify({ text: 'How many?' })
    new LiveStore(sql).push({ id: 'evt_e', at: 1, type: 'message', data, attempts: 5, nextAt: 1 })
    await state.storage.setAlarm(1)
  })
  await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
  expect(heard[0]).toMatchObject({ type: 'failed', turn_id: 'evt_e', billed: true, cost_usd: 7e-9 })
  expect((await get(`/bots/${id}`)).json).toMatchObject({ spent_usd: 7e-9, waiting: 0 })
})

describe('a refused request', () => {
  it.each([
    ['tools[0].url', { ...anthropic, tools: [{ ...STOCK, url: 'http://tools.example/' }] }, 400],
    ['tools[0].url', { ...anthropic, tools: [{ ...STOCK, url: 'https://192.168.1.1/' }] }, 400],
    ['tools[0].name', { ...anthropic, tools: [{ ...STOCK, name: 'current_time' }] }, 400],
    ['tools[0].parameters', { ...anthropic, tools: [{ ...STOCK, parameters: { type: 'array' } }] }, 400],
    ['tools', { ...anthropic, tools: [STOCK, STOCK] }, 400],
    ['max_iterations', { ...anthropic, max_iterations: 51 }, 400],
  ])('a wrong %s, by name', async (field, body, status) => {
    const refused = await post('/bots', body)
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([status, field])
  })

  it('shows no secret of another account', async () => {
    expect(pick(await get('/bots/tool-secret'), 'secret')).toMatch(/^whsec_[\w+/]{43}=$/)
    expect((await get('/bots/tool-secret', { key: null })).status).toBe(401)
  })
})

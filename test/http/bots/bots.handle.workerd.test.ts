import { runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { botAnswer, nextTurnCacheSet } from '../../../src/contract/bot.ts'
import { botResponse } from '../../../src/contract/bot-responses.ts'
import { anthropic, begin, hear, objectOf, say } from './support.ts'
import { call, get, longText, newAccount, pick, post, received, useLab } from '../support.ts'
import { MODEL, providerOf } from '../caches/support.ts'

const world = useLab()
const { calls, outOfBand } = providerOf(world)

afterEach(() => {
  vi.restoreAllMocks()
})

const stock = { name: 'stock', description: 'How many are left.', parameters: { type: 'object', properties: {} } }

/** A managed cache of the test's account, with one tool. */
async function cached(more: Record<string, unknown> = {}): Promise<{ id: string; handle: string; system: string }> {
  const system = longText()
  const answer = await post('/caches', { provider: 'gemini', model: MODEL, system, tools: [stock], ...more })
  expect(answer.status).toBe(201)
  return { id: pick(answer, 'id') as string, handle: pick(answer, 'handle') as string, system }
}

const botOf = (handle: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  provider: 'gemini',
  model: MODEL,
  cache: { handle },
  ...more,
})

/** Requests that the model received. */
const asked = (): Record<string, unknown>[] =>
  received(world.lab)
    .filter(({ path }) => path.includes('enerateContent'))
    .map(({ body }) => JSON.parse(body) as Record<string, unknown>)

describe('a bot with a handle', () => {
  it('refers to it in every call, carries no system and no tools, and reads it', async () => {
    const { id: cache, handle } = await cached()
    const id = await begin(botOf(handle))
    expect(botAnswer.parse((await get(`/bots/${id}`)).json)).toMatchObject({ handle: { cache_id: cache } })
    await say(id, 'Which lamp?')
    await say(id, 'And which chair?')
    const bodies = asked()
    expect(bodies).toHaveLength(2)
    for (const body of bodies) {
      expect(body).toMatchObject({ cachedContent: handle })
      expect(Object.keys(body).filter((name) => /system|tool/i.test(name))).toEqual([])
    }
    const { usage, remaining } = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(usage.cached_input_tokens).toBeGreaterThan(2 * 1_024)
    expect(remaining).toBeGreaterThan(7_000)
  })

  it('counts as a use of the managed cache, and registers no prefix to probe', async () => {
    const { id: cache, handle } = await cached({ ttl: '10m' })
    const id = await begin(botOf(handle))
    const used = async (): Promise<unknown> => {
      const listed = pick(await get('/caches?provider=gemini'), 'data') as { id: string; last_used_at: string }[]
      return listed.find((one) => one.id === cache)?.last_used_at
    }
    const before = await used()
    // A use is noted once a second.
    await vi.waitFor(async () => {
      await say(id, 'Which lamp?')
      expect(await used()).not.toBe(before)
    }, 30_000)
    expect(pick(await get(`/prefixes?name=${id}`), 'data')).toEqual([])
  })

  it('calls the tools that the handle declares, at the address that the bot names', async () => {
    const { lab } = world
    const { handle } = await cached()
    const urls: string[] = []
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      const request = new Request(input, init)
      if (new URL(request.url).host !== 'tools.example') return lab.fetch(request)
      urls.push(request.url)
      return new Response('3 left')
    })
    const id = await begin(
      botOf(handle, { tools: [{ ...stock, url: 'https://tools.example/stock' }], max_iterations: 1 }),
    )
    const { heard } = await hear(id)
    await say(id, 'How many?\nlab: call stock {}')
    await vi.waitFor(() => expect(heard.map(({ type }) => type)).toEqual(['tool', 'message']), 60_000)
    expect(urls).toEqual(['https://tools.example/stock'])
    const last = asked().at(-1)
    expect(last).toMatchObject({ cachedContent: handle })
    expect(JSON.stringify(last)).toContain('Call no tool any more.')
    expect(last).not.toHaveProperty('toolConfig')
  })

  it('follows the managed cache to another handle after a loss', async () => {
    const { id: cache, handle } = await cached()
    const id = await begin(botOf(handle))
    await outOfBand('DELETE', `/v1beta/${handle}`)
    await say(id, 'Which lamp?')
    const now = pick(await get(`/caches/${cache}`), 'handle')
    expect(now).not.toBe(handle)
    expect(asked().at(-1)).toMatchObject({ cachedContent: now })
    const shown = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(shown.usage.turns).toBe(1)
    // Nothing was billed for the refused attempt.
    expect(shown.spent_usd).toBeCloseTo(
      shown.calls.reduce((sum, { cost_usd }) => sum + (cost_usd ?? 0), 0),
      9,
    )
  })

  it('sends the contents where there is no handle, and says why', async () => {
    const { id: cache, handle, system } = await cached()
    const id = await begin(botOf(handle))
    await outOfBand('DELETE', `/v1beta/${handle}`)
    await call('PATCH', `/caches/${cache}`, { keep: { budget_usd_per_day: 0.000_001 } })
    await call('POST', `/caches/${cache}/report-gone`)
    const { heard } = await hear(id)
    await say(id, 'Which lamp?')
    await vi.waitFor(() => expect(heard.map(({ type }) => type)).toEqual(['handle_missing', 'message']), 60_000)
    expect(botResponse.parse(heard[0])).toMatchObject({ why: expect.stringMatching(/budget/) })
    const body = asked().at(-1)
    expect(body).toMatchObject({ systemInstruction: { parts: [{ text: system }] }, tools: [expect.anything()] })
    expect(body).not.toHaveProperty('cachedContent')
  })

  it('sends the contents in a turn without a cache, and the handle again in the next', async () => {
    const { handle, system } = await cached()
    const id = await begin(botOf(handle))
    await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })
    await say(id, 'Which lamp?')
    expect(asked().at(-1)).toMatchObject({ systemInstruction: { parts: [{ text: system }] } })
    await post(`/bots/${id}/next-turn-cache`, { cache: { handle } })
    await say(id, 'And which chair?')
    expect(asked().at(-1)).toMatchObject({ cachedContent: handle })
  })

  it('fills in the credential of an MCP server where a call is built, and stores it nowhere', async () => {
    const credential = 'Bearer gho_e5F6e5F6e5F6e5F6e5F6e5F6'
    const headers = { Authorization: credential }
    const server = { name: 'mill', streamableHttpTransport: { url: 'https://mcp.example.com', headers } }
    const system = longText()
    const request = { systemInstruction: { parts: [{ text: system }] }, tools: [{ mcpServers: [server] }] }
    const made = await post('/caches', { provider: 'gemini', model: MODEL, request })
    expect(made.status).toBe(201)
    const id = await begin(botOf(pick(made, 'handle') as string))
    const { all } = await hear(id)
    await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })
    await say(id, 'Which lamp?')
    const sent = asked().at(-1)
    expect(sent).toMatchObject({ systemInstruction: { parts: [{ text: system }] }, tools: [{ mcpServers: [server] }] })
    await say(id, 'And which chair?')
    expect(asked().at(-1)).toMatchObject({ cachedContent: pick(made, 'handle') })
    const stored = await runInDurableObject(objectOf(id), (_, { storage: { sql } }) => {
      const tables = [...sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")]
      const own = tables.filter(({ name }) => !name.startsWith('_cf_'))
      return JSON.stringify(own.map(({ name }) => [...sql.exec(`SELECT * FROM "${name}"`)]))
    })
    expect(stored).toContain('evt_') // the rows are there; the conversation in them is sealed
    for (const text of [stored, JSON.stringify(all), (await get(`/bots/${id}`)).text])
      expect([text.includes(credential), text.includes('"sealed"')]).toEqual([false, false])
  })

  it('fails its turns for nothing when the managed cache is deleted', async () => {
    const { id: cache, handle } = await cached()
    const id = await begin(botOf(handle))
    await call('DELETE', `/caches/${cache}`)
    const { heard } = await hear(id)
    await say(id, 'Which lamp?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'failed', billed: false, failure: { kind: 'not_found' } })
    expect(asked()).toEqual([])
  })
})

describe('a handle of a bot is refused, and nothing is stored,', () => {
  it('where it is unknown or of another account', async () => {
    const { key } = await newAccount()
    const other = await post('/caches', { provider: 'gemini', model: MODEL, system: longText() }, { key })
    for (const handle of ['cachedContents/never-was', pick(other, 'handle') as string]) {
      const answer = await post('/bots', botOf(handle))
      expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([404, 'cache.handle'])
    }
  })

  it.each([
    ['beside a system prompt', { system_prompt: 'Be kind.' }, 'system_prompt'],
    ['for another model', { model: 'gemini-2.5-flash' }, 'model'],
    ['for another credential', { credential: 'mine' }, 'credential'],
    ['in another region', { region: 'eu-west-1' }, 'region'],
    ['beside a plan', { keep_warm: { plan: 'off' } }, 'keep_warm'],
    ['with a tool that it lacks', { tools: [{ ...stock, name: 'price', url: 'https://a.example' }] }, 'tools[0].name'],
    ['with an exit tool that it lacks', { exit_tool: true }, 'exit_tool'],
  ])('%s', async (_how, more, field) => {
    const { handle } = await cached()
    const answer = await post('/bots', botOf(handle, more))
    expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([400, field])
  })

  it('as another one for a turn', async () => {
    const [first, second] = [await cached(), await cached()]
    const id = await begin(botOf(first.handle))
    const answer = await post(`/bots/${id}/next-turn-cache`, { cache: { handle: second.handle } })
    expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([422, 'cache.handle'])
  })
})

it('a handle is "auto" for a bot whose provider has none, and the answers say so', async () => {
  const made = await post('/bots', { ...anthropic, cache: { handle: 'cachedContents/abc' } })
  const shown = botAnswer.parse(made.json)
  const told = [expect.objectContaining({ cause: 'handle_not_used', at: 'cache.handle' })]
  expect([shown.handle, shown.advice]).toEqual([null, told])
  await say(shown.id, 'Which tent?')
  expect(received(world.lab)[0]?.body).toContain('"cache_control"')
  const set = await post(`/bots/${shown.id}/next-turn-cache`, { cache: { strategy: { handle: 'cachedContents/abc' } } })
  expect(nextTurnCacheSet.parse(set.json)).toMatchObject({
    cache: { retention: '5m' },
    advice: [{ cause: 'handle_not_used', at: 'cache.strategy.handle' }],
  })
  expect(calls('GET')).toEqual([])
})

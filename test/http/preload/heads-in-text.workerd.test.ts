import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { preloadAnswer } from '../../../src/contract/preload.ts'
import { bindings, endOf, get, longText, pick, post, received, useLab } from '../support.ts'

const world = useLab()

const ROLES = ['writer', 'wright', 'editor', 'translator', 'illustrator', 'indexer', 'printer', 'publisher']
const own = (role: string): string => `You are the ${role}. ${`As the ${role} you mind your own part. `.repeat(40)}`

/** Agents of the neutral form that differ inside of one system string. */
function agentsOf(provider: string, model: string, rules: string, more: object = {}): Record<string, unknown>[] {
  return ROLES.map((role) => ({
    provider,
    model,
    system: `${rules}\n${own(role)}`,
    keep_warm: { plan: 'off' },
    ...more,
  }))
}

const preload = async (agents: unknown[], more: object = {}) =>
  preloadAnswer.parse((await post('/preload', { agents, ...more })).json)

interface Shape {
  path: string
  /** How the body of an agent ends in a question. */
  asks: (body: Record<string, unknown[]>) => object
  headers: Record<string, string>
  reads: (usage: Record<string, number>) => number | undefined
}

const QUESTION = { role: 'user', content: 'Begin.' }
const BEARER = { authorization: 'Bearer lab' }
const SHAPES: Record<string, Shape> = {
  anthropic: {
    path: '/anthropic/v1/messages',
    asks: (body) => ({ ...body, messages: [QUESTION] }),
    headers: { 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
    reads: (usage) => usage['cache_read_input_tokens'],
  },
  bedrock: {
    path: '/bedrock/model/anthropic.claude-opus-5/converse',
    asks: (body) => ({ ...body, messages: [{ role: 'user', content: [{ text: 'Begin.' }] }] }),
    headers: BEARER,
    reads: (usage) => usage['cacheReadInputTokens'],
  },
  'openai-chat': {
    path: '/openai/v1/chat/completions',
    asks: (body) => ({ ...body, messages: [...(body['messages'] ?? []), QUESTION] }),
    headers: BEARER,
    reads: (usage) => (usage['prompt_tokens_details'] as unknown as Record<string, number>)['cached_tokens'],
  },
}

/** What an agent's real request reads of the cache, sent as `GET /prefixes/{id}/request` shows it. */
async function readByRealRequest(provider: string, id: string | null): Promise<number> {
  const shown = await get(`/prefixes/${id}/request`)
  const text = String(pick(shown, 'marked_body') ?? pick(shown, 'body'))
  const { path, asks, headers, reads } = SHAPES[provider]!
  const answer = await world.lab.fetch(
    new Request(`http://lab.test${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(asks(JSON.parse(text) as Record<string, unknown[]>)),
    }),
  )
  expect(answer.status).toBe(200)
  return reads(((await answer.json()) as { usage: Record<string, number> }).usage) ?? 0
}

describe('agents that differ inside of one system string', () => {
  it.each([
    ['anthropic', 'claude-opus-5'],
    ['bedrock', 'anthropic.claude-opus-5'],
    ['openai-chat', 'gpt-5.6-sol'],
  ])('get a block that ends where they part, and read all of it in real requests (%s, %s)', async (provider, model) => {
    const rules = longText(300)
    const crew = await preload(agentsOf(provider, model, rules))
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, calls: 9, succeeded: 8, failed: 0 })
    const shown = await get(`/prefixes/${crew.agents[2]?.prefix_id}/request`)
    expect(pick(shown, 'advice')).toContainEqual(expect.objectContaining({ cause: 'shared_head_marked' }))
    const texts = [...String(pick(shown, 'body')).matchAll(/"text":("(?:[^"\\]|\\.)*")/g)]
    expect(texts.map(([, said]) => JSON.parse(said ?? '') as string)).toEqual([`${rules}\n`, own('editor')])
    for (const { prefix_id: id, receipt } of crew.agents) {
      const held = (receipt?.usage.cached_input_tokens ?? 0) + (receipt?.usage.cache_write_input_tokens ?? 0)
      expect(held).toBeGreaterThan(6_000)
      // A probe of Chat Completions writes its placeholder turn too.
      expect(await readByRealRequest(provider, id)).toBeGreaterThanOrEqual(held - 1)
    }
  })

  it('are led by the first of them where the cache compares tokens, and stay one string', async () => {
    const crew = await preload(agentsOf('openai-chat', 'gpt-4.1', longText(300)).slice(0, 5))
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, calls: 5 })
    expect(crew.groups[0]).toMatchObject({
      agents: [0, 1, 2, 3, 4],
      pace: { calls: 14, every: '1m' },
      head: { status: 'succeeded', written_by: 0, prefix_id: null, ends_at: 'messages[0].content' },
    })
    const shown = await get(`/prefixes/${crew.agents[2]?.prefix_id}/request`)
    expect(JSON.parse(String(pick(shown, 'body')))).toMatchObject({ messages: [{ content: expect.any(String) }] })
    for (const { prefix_id: id } of crew.agents) {
      expect(await readByRealRequest('openai-chat', id)).toBeGreaterThan(6_000)
    }
  })

  it('stay whole with the other strategies, and with a minimum that they do not reach', async () => {
    const agents = agentsOf('anthropic', 'claude-opus-5', longText(300)).slice(0, 3)
    const tooSmall = await preload(agents, { min_shared_tokens: 100_000 })
    const parallel = await preload(agents, { strategy: 'parallel' })
    // The second crew is the same prefixes: none of them was split.
    expect(parallel.agents.map(({ prefix_id: id }) => id)).toEqual(tooSmall.agents.map(({ prefix_id: id }) => id))
    expect(tooSmall.groups.map(({ head }) => head)).toEqual([null])
  })

  it('are not changed in the native form, which gets advice', async () => {
    const rules = longText(300)
    const native = ROLES.slice(0, 3).map((role) => ({
      provider: 'anthropic',
      keep_warm: { plan: 'off' },
      request: { model: 'claude-opus-5', max_tokens: 9, system: `${rules}\n${own(role)}`, messages: [] },
    }))
    const crew = await preload(native)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 0, calls: 3 })
    const shown = await get(`/prefixes/${crew.agents[1]?.prefix_id}/request`)
    expect(pick(shown, 'request')).toEqual(native[1]?.request)
    expect(pick(shown, 'advice')).toContainEqual({
      cause: 'shared_head_in_text',
      message: expect.stringMatching(
        new RegExp(`^3 agents of this crew begin alike, .* part behind character ${rules.length + 1} of system\\.`),
      ),
      at: 'system',
    })
    // No word of a prompt is in it.
    expect(JSON.stringify(pick(shown, 'advice'))).not.toContain('Edition')
    // One of the native form and one of the neutral form have nobody to share a block with.
    const mixed = await preload([native[0], agentsOf('anthropic', 'claude-opus-5', rules)[1]])
    expect(mixed.groups.map(({ head }) => head)).toEqual([null])
  })

  it('share the head of a native body that has a block with this end', async () => {
    const rules = longText(300)
    const system = [`${rules}\n`, own('director')].map((text) => ({ type: 'text', text }))
    const native = {
      provider: 'anthropic',
      keep_warm: { plan: 'off' },
      request: { model: 'claude-opus-5', max_tokens: 9, system, messages: [] },
    }
    const neutral = agentsOf('anthropic', 'claude-opus-5', rules, { cache: { retention: '5m' } })[1]
    const crew = await preload([{ ...native, cache: { retention: '5m' } }, neutral])
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, calls: 3 })
    expect(crew.groups[0]?.head?.ends_at).toBe('system[0]')
  })

  it('keep their one string where explicit breakpoints count its parts', async () => {
    const agents = agentsOf('openai-chat', 'gpt-5.6-sol', longText(300), {
      cache: { strategy: { explicit: [{ item_end: 0 }] } },
    }).slice(0, 2)
    const crew = await preload(agents)
    expect(crew).toMatchObject({ status: 'succeeded', calls: 2 })
    expect(crew.groups[0]?.head).toBeNull()
  })
})

describe('a crew that the first agent leads', () => {
  it('goes on after an eviction of its object, with the same leader and one write', async () => {
    const provider = world.hold()
    const agents = agentsOf('openai-chat', 'gpt-4.1', longText(300)).slice(0, 4)
    const queued = await post('/preload', { agents, background: true })
    await expect.poll(() => received(world.lab).length).toBe(1)
    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    expect(received(world.lab)).toHaveLength(1)
    provider.release()
    const crew = preloadAnswer.parse((await endOf(pick(queued, 'id'))).json)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, succeeded: 4, failed: 0 })
  })

  it('lets the next agent lead where the first one is refused', async () => {
    const agents = agentsOf('openai-chat', 'gpt-4.1', longText(300)).slice(0, 4)
    const broke = { ...agents[0], keep_warm: { plan: 'off', budget_usd_per_day: 0 } }
    const crew = await preload([broke, ...agents.slice(1)])
    expect(crew.agents.map(({ status }) => status)).toEqual(['failed', 'succeeded', 'succeeded', 'succeeded'])
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, why: '1 of 4 agents failed, see their failure' })
    expect(crew.groups[0]?.head?.written_by).toBe(1)
  })
})

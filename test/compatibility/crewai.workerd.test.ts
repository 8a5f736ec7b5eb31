import { describe, expect, test } from 'vitest'
import { billed, get, longText, pick, post, received, useLab } from '../http/support.ts'
import { preloadAnswer } from '../../src/contract/preload.ts'

/** Requests of crewAI's `cache_preload`: the behaviour in its tests, and faults that those do not show. */

const world = useLab()

const text = (value: string) => ({ type: 'text', text: value })
const crewOf = (count: number, rules = longText(400)): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, index) => ({
    provider: 'anthropic',
    keep_warm: { plan: 'off' },
    request: {
      model: 'claude-opus-5',
      max_tokens: 100,
      system: [
        text(rules),
        { ...text(`You are agent ${index}. ${'Do it well. '.repeat(40)}`), cache_control: { type: 'ephemeral' } },
      ],
      messages: [],
    },
  }))
/** Usage of an agent's own request, sent to the provider and not through the product: what is shown for its prefix, and a question. */
async function realRequest(agent: Record<string, unknown>, id: string | null) {
  const shown = id === null ? null : await get(`/prefixes/${id}/request`)
  const text = shown === null ? JSON.stringify(agent['request']) : (pick(shown, 'marked_body') ?? pick(shown, 'body'))
  const body = { ...(JSON.parse(String(text)) as object), messages: [{ role: 'user', content: 'Begin.' }] }
  const answer = await world.lab.fetch(
    new Request('http://lab.test/anthropic/v1/messages', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
      body: JSON.stringify(body),
    }),
  )
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { usage: Record<string, number> }).usage
}

const preload = async (body: Record<string, unknown>) => preloadAnswer.parse((await post('/preload', body)).json)

describe('as crewAI does', () => {
  test('nothing is preloaded unless it is asked for', async () => {
    await post('/warm', crewOf(1)[0])
    expect(received(world.lab)).toHaveLength(1)
  })

  test('a crew of one is left alone', async () => {
    expect(await preload({ agents: crewOf(1) })).toMatchObject({ status: 'skipped', calls: 0 })
    expect(received(world.lab)).toEqual([])
  })

  test('agents with no prompt are passed over, and a crew of nothing else is done at once', async () => {
    const empty = { provider: 'anthropic', model: 'claude-opus-5', system: '' }
    const some = await preload({ agents: [empty, ...crewOf(2)] })
    expect(some.agents.map(({ status }) => status)).toEqual(['skipped', 'succeeded', 'succeeded'])
    expect(await preload({ agents: [empty, empty] })).toMatchObject({ status: 'skipped', calls: 0 })
  })

  test('errors are not thrown: each is its own agent’s, and the rest is warmed', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', times: 1 })
    const crew = await preload({ strategy: 'sequential', agents: crewOf(3) })
    expect(crew.agents.map(({ status }) => status)).toEqual(['failed', 'succeeded', 'succeeded'])
    expect(crew.agents[0]?.failure).toMatchObject({ kind: 'provider_limited' })
  })

  test('the preload is over before the crew begins: every real request reads its own prefix', async () => {
    const agents = crewOf(3)
    const crew = await preload({ agents })
    const calls = received(world.lab).length
    for (const [index, { receipt, prefix_id }] of crew.agents.entries()) {
      const usage = await realRequest(agents[index]!, prefix_id)
      const held = (receipt?.usage.cached_input_tokens ?? 0) + (receipt?.usage.cache_write_input_tokens ?? 0)
      expect(held).toBeGreaterThan(2_000)
      expect(usage).toMatchObject({ cache_read_input_tokens: held, cache_creation_input_tokens: 0 })
    }
    expect(received(world.lab)).toHaveLength(calls + 3)
  })

  test('a real request that was not preloaded reads nothing of its own part', async () => {
    const agents = crewOf(3)
    await preload({ agents: agents.slice(0, 2) })
    // It has no marker at the head's end, but one at its own: the provider looks back from there.
    const usage = await realRequest(agents[2]!, null)
    expect(usage['cache_creation_input_tokens']).toBeGreaterThan(0)
    expect(usage['cache_read_input_tokens']).toBeGreaterThan(2_000)
  })
})

describe('as crewAI should', () => {
  test('the shared part is written once, not once for each agent', async () => {
    const [shared, parallel] = [
      await preload({ agents: crewOf(6) }),
      await preload({ strategy: 'parallel', agents: crewOf(6) }),
    ]
    expect([shared.head_writes, parallel.head_writes]).toEqual([1, 6])
  })

  test('every agent has a receipt that shows what was read and written, and what it cost', async () => {
    const crew = await preload({ agents: crewOf(2) })
    for (const { receipt } of crew.agents) {
      expect(receipt?.usage.cached_input_tokens).toBeGreaterThan(2_000)
      expect(receipt?.usage.cache_write_input_tokens).toBeGreaterThan(0)
      expect(receipt?.cost_usd).toBeGreaterThan(0)
    }
  })

  test('probes are not ordinary usage: no hit and no miss is counted for them', async () => {
    const crew = await preload({ agents: crewOf(2) })
    const shown = await get(`/prefixes/${crew.agents[0]?.prefix_id}`)
    expect(shown.json).toMatchObject({ hits: 0, misses: 0, probes: 1 })
  })

  test('a budget holds for it', async () => {
    const agents = crewOf(2).map((agent) => ({ ...agent, keep_warm: { plan: 'off', budget_usd_per_day: 0 } }))
    const crew = await preload({ agents })
    expect(crew.agents.map(({ failure }) => failure?.kind)).toEqual(['budget_exhausted', 'budget_exhausted'])
    expect(billed(world.lab)).toEqual([])
  })

  test('agents are kept warm by their own plans afterwards', async () => {
    const agents = crewOf(2).map((agent) => ({ ...agent, keep_warm: { plan: 'always' } }))
    const crew = await preload({ agents })
    const shown = await get(`/prefixes/${crew.agents[1]?.prefix_id}`)
    expect(pick(shown, 'plan')).toMatchObject({ plan: 'always', next_probe_at: expect.any(String), stopped: null })
  })

  test('it is one call of an API, for every way of starting a crew', async () => {
    // The same crew again, as `kickoff_for_each` would: the head is not written a second time.
    const agents = crewOf(3)
    expect((await preload({ agents })).head_writes).toBe(1)
    expect(await preload({ agents })).toMatchObject({ head_writes: 0, status: 'succeeded' })
  })
})

import { evictDurableObject } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { AT_ONCE, preloadAnswer } from '../../../src/contract/preload.ts'
import { ACCOUNT, bindings, call, endOf, get, longText, pick, post, received, useLab } from '../support.ts'

const world = useLab()

const text = (value: string) => ({ type: 'text', text: value })

/** Agents that share tools and the first block of their system prompt. */
function crewOf(count: number, more: Record<string, unknown> = {}, rules = longText(400)): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => ({
    provider: 'anthropic',
    name: `agent ${index} of ${rules.slice(0, 50)}`,
    keep_warm: { plan: 'off' },
    request: {
      model: 'claude-opus-5',
      max_tokens: 100,
      tools: [{ name: 'search', input_schema: { type: 'object' } }],
      system: [text(rules), text(`You are agent ${index}. ${'Do your own part well. '.repeat(20)}`)],
      messages: [{ role: 'user', content: 'Begin.' }],
    },
    ...more,
  }))
}

interface Sent {
  usage: { cache_read_input_tokens: number; cache_creation_input_tokens: number }
}
const sent = (): Sent['usage'][] => received(world.lab).map((row) => (row as unknown as Sent).usage)

describe('a crew with a shared head', () => {
  it('writes the head once, releases the others once it can be read, and reports each agent', async () => {
    const answer = await post('/preload', { strategy: 'shared_prefix', agents: crewOf(8) })
    expect(answer.status).toBe(200)
    const crew = preloadAnswer.parse(answer.json)
    expect(crew).toMatchObject({ kind: 'preload', status: 'succeeded', head_writes: 1, calls: 9, failed: 0 })
    expect(crew.groups).toMatchObject([
      { agents: [0, 1, 2, 3, 4, 5, 6, 7], head: { status: 'succeeded', ends_at: 'system[0]' } },
    ])
    const [head, ...tails] = sent()
    expect(head).toMatchObject({ cache_read_input_tokens: 0 })
    expect(tails.every((one) => one.cache_read_input_tokens === head?.cache_creation_input_tokens)).toBe(true)
    expect(crew.agents.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 'succeeded'))
    expect(crew.saved_usd).toBeGreaterThan(0)
    expect(crew.cost_usd! + crew.saved_usd!).toBeCloseTo(crew.without_coordination_usd!, 9)
    // The same agents in parallel: each writes the head, at the cost that was shown for it.
    const { json } = await post('/preload', { strategy: 'parallel', max_parallel: 8, agents: crewOf(8) })
    const apart = preloadAnswer.parse(json)
    expect(apart.head_writes).toBe(8)
    expect(apart.cost_usd! / crew.without_coordination_usd!).toBeCloseTo(1, 1)
    expect(apart.saved_usd).toBe(0)
  })

  it('keeps each agent’s own prefix: a real request reads all of it', async () => {
    const agents = crewOf(2)
    const crew = preloadAnswer.parse((await post('/preload', { agents })).json)
    const id = crew.agents[1]?.prefix_id
    const shown = await get(`/prefixes/${id}/request`)
    expect(pick(shown, 'prefix_ends_at', 'path')).toBe('system[1]')
    expect((await post(`/prefixes/${id}/warm`)).json).toMatchObject({ receipt: { kind: 'full' } })
    expect((await get(`/prefixes/${id}`)).json['advice']).toContainEqual(
      expect.objectContaining({ cause: 'shared_head_marked', at: 'system[0]' }),
    )
  })

  it('shares no head between agents whose headers differ, and sends each its own', async () => {
    const rules = longText(400)
    const beta = { headers: { 'anthropic-beta': 'a-2026-01-01' } }
    const agents = [...crewOf(2, beta, rules), ...crewOf(4, {}, rules).slice(2)]
    const crew = preloadAnswer.parse((await post('/preload', { agents })).json)
    expect(crew.groups.map((group) => group.agents)).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(crew).toMatchObject({ failed: 0, calls: 6 })
    const betas = vi
      .mocked(globalThis.fetch)
      .mock.calls.map(([, init]) => new Headers(init?.headers).get('anthropic-beta'))
    expect(betas.filter((value) => value === 'a-2026-01-01')).toHaveLength(3)
    expect(betas).toHaveLength(6)
  })

  it('does not pay again for a warm head', async () => {
    const rules = longText(400)
    await post('/preload', { agents: crewOf(2, {}, rules) })
    const crew = preloadAnswer.parse((await post('/preload', { agents: crewOf(3, {}, rules) })).json)
    expect(crew).toMatchObject({ head_writes: 0, calls: 3 })
    expect(crew.groups[0]?.head).toMatchObject({ status: 'skipped', why: 'it is warm already' })
    expect(received(world.lab)).toHaveLength(6)
  })

  it('warms every agent although the head fails: one writes it before the others', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', times: 1 })
    const crew = preloadAnswer.parse((await post('/preload', { agents: crewOf(4) })).json)
    expect(crew.groups[0]?.head?.status).toBe('failed')
    expect(crew).toMatchObject({ status: 'succeeded', failed: 0, head_writes: 1 })
    expect(
      sent().filter((one) => one?.cache_read_input_tokens === 0 && one.cache_creation_input_tokens > 0),
    ).toHaveLength(1)
  })

  it('reports failures by agent, and they block no other', async () => {
    const good = crewOf(3)
    const agents = [
      good[0],
      { provider: 'nobody', model: 'm', system: 'x' },
      good[1],
      { provider: 'anthropic', model: 'claude-opus-5', system: 'Too short.' },
      { provider: 'anthropic', model: 'claude-opus-5', system: '' },
      { provider: 'anthropic', modle: 'typo' },
      { ...good[2], credential: 'unknown' },
    ]
    const answer = await post('/preload', { agents })
    const crew = preloadAnswer.parse(answer.json)
    expect(crew.agents.map(({ status, failure }) => failure?.kind ?? status)).toEqual([
      'succeeded',
      'invalid_request',
      'succeeded',
      'prefix_too_short',
      'skipped',
      'invalid_request',
      'invalid_request',
    ])
    expect(crew.agents[5]?.failure?.detail).toMatchObject({ field: 'agents[5].modle' })
    expect(crew).toMatchObject({ status: 'succeeded', failed: 4, head_writes: 1 })
  })

  it('keeps the plan of a head that is registered, and of an agent that equals the head', async () => {
    const rules = longText(400)
    const tools = [{ name: 'search', input_schema: { type: 'object' } }]
    const alone = { model: 'claude-opus-5', max_tokens: 9, tools, system: [text(rules)], messages: [] }
    const kept = await post('/warm', { provider: 'anthropic', request: alone, keep_warm: { plan: 'always' } })
    const crew = preloadAnswer.parse((await post('/preload', { agents: crewOf(2, {}, rules) })).json)
    expect(crew.groups[0]?.head?.prefix_id).toBe(pick(kept, 'id'))
    expect((await get(`/prefixes/${pick(kept, 'id')}`)).json).toMatchObject({ plan: { plan: 'always', stopped: null } })

    const others = longText(400)
    const whole = {
      provider: 'anthropic',
      request: { ...alone, system: [text(others)] },
      keep_warm: { plan: 'always' },
    }
    const second = preloadAnswer.parse((await post('/preload', { agents: [...crewOf(2, {}, others), whole] })).json)
    expect(second).toMatchObject({ status: 'succeeded', head_writes: 1, calls: 3 })
    expect(second.agents[2]?.prefix_id).toBe(second.groups[0]?.head?.prefix_id)
    expect(pick(await get(`/prefixes/${second.agents[2]?.prefix_id}`), 'plan', 'plan')).toBe('always')
  })

  it('refuses one label for two contents', async () => {
    const agents = crewOf(3, { name: 'desk' })
    const crew = preloadAnswer.parse((await post('/preload', { agents })).json)
    expect(crew.agents.map(({ status, failure }) => failure?.detail?.['field'] ?? status)).toEqual([
      'succeeded',
      'agents[1].name',
      'agents[2].name',
    ])
    const [one] = agents
    expect((await post('/preload', { agents: [one, one] })).json).toMatchObject({ status: 'succeeded', failed: 0 })
  })

  it('is not shared across models, and each group has its own', async () => {
    const rules = longText(400)
    const others = crewOf(2, {}, rules).map((agent) => ({
      ...agent,
      name: undefined,
      allow_unpriced: true,
      request: { ...(agent['request'] as object), model: 'claude-sonnet-5-5' },
    }))
    const crew = preloadAnswer.parse((await post('/preload', { agents: [...crewOf(2, {}, rules), ...others] })).json)
    expect(crew.groups.map(({ model, agents }) => [model, agents])).toEqual([
      ['claude-opus-5', [0, 1]],
      ['claude-sonnet-5-5', [2, 3]],
    ])
    expect(crew).toMatchObject({ head_writes: 2, failed: 0 })
  })

  it('shares one call between agents of one content', async () => {
    const [one] = crewOf(1)
    const crew = preloadAnswer.parse((await post('/preload', { agents: [one, one, one] })).json)
    expect(crew).toMatchObject({ status: 'succeeded', calls: 1, head_writes: 1 })
    expect(new Set(crew.agents.map(({ prefix_id }) => prefix_id)).size).toBe(1)
    expect(received(world.lab)).toHaveLength(1)
  })

  it.each([
    ['openai', 'input', 'input_text', 'gpt-5.6-sol'],
    ['openai-chat', 'messages', 'text', 'gpt-5.6-sol'],
    ['openai-chat', 'messages', 'text', 'gpt-4.1'],
  ])('is written once at %s in %s too (%s, %s)', async (provider, list, type, model) => {
    const rules = longText(400)
    const agents = ['writer', 'editor', 'printer'].map((role) => ({
      provider,
      keep_warm: { plan: 'off' },
      request: {
        model,
        [list]: [
          {
            role: 'developer',
            content: [rules, `You are the ${role}. ${'Mind it. '.repeat(200)}`].map((value) => ({ type, text: value })),
          },
        ],
      },
    }))
    const crew = preloadAnswer.parse((await post('/preload', { agents })).json)
    expect(crew).toMatchObject({ status: 'succeeded', head_writes: 1, failed: 0 })
    const reads = crew.agents.map(({ receipt }) => receipt?.usage.cached_input_tokens ?? 0)
    expect(Math.min(...reads)).toBeGreaterThan(1_024)
  })
})

describe('the other strategies', () => {
  it('sequential goes in the order of the agents, one at a time', async () => {
    const agents = crewOf(4)
    const { json } = await post('/preload', { strategy: 'sequential', agents })
    expect(json).toMatchObject({ status: 'succeeded', calls: 4, head_writes: 4, saved_usd: 0 })
    const rows = received(world.lab) as unknown as { body: string; at: number; ended_at?: number }[]
    expect(rows.map(({ body }) => /You are agent (\d)/.exec(body)?.[1])).toEqual(['0', '1', '2', '3'])
  })

  it('parallel sends four at a time without waiting for a head', async () => {
    expect(AT_ONCE).toBe(4)
    const { json } = await post('/preload', { strategy: 'parallel', agents: crewOf(6) })
    expect(json).toMatchObject({ status: 'succeeded', calls: 6, head_writes: 6 })
    expect(pick({ json } as never, 'groups', 0, 'head', 'status')).toBe('skipped')
  })
})

describe('a small or invalid crew', () => {
  it('is sent for fewer than two agents only on request', async () => {
    const one = await post('/preload', { agents: crewOf(1) })
    expect(one.status).toBe(200)
    expect(preloadAnswer.parse(one.json)).toMatchObject({ status: 'skipped', calls: 0, cost_usd: 0 })
    expect(received(world.lab)).toEqual([])
    expect((await post('/preload', { agents: crewOf(1), min_agents: 1 })).json).toMatchObject({ calls: 1 })
    expect((await post('/preload', { agents: [] })).json).toMatchObject({ status: 'skipped', agents: [] })
  })

  it.each([
    [{ agents: 'all' }, 'agents'],
    [{ agents: [], strategy: 'wild' }, 'strategy'],
    [{ agents: [], max_parallel: 0 }, 'max_parallel'],
    [{ agents: Array.from({ length: 65 }, () => ({})) }, 'agents'],
  ])('refuses an invalid crew: %#', async (body, field) => {
    expect((await post('/preload', body)).json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })
})

describe('a crew in the background', () => {
  it('is a job with events to its end, and continues after an eviction', async () => {
    const provider = world.hold()
    const queued = await post('/preload', { agents: crewOf(3), background: true })
    expect(queued.status).toBe(202)
    expect(queued.json).toMatchObject({ status: 'running', finished_at: null })
    const id = String(pick(queued, 'id'))
    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    provider.release()
    const answer = await exports.default.fetch(
      new Request(`http://pilotlight.test/jobs/${id}/events`, { headers: { authorization: `Bearer ${ACCOUNT}` } }),
    )
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const events = (await answer.text()).split('\n\n').flatMap((chunk) => {
      const [, event, , data = ''] = /^event: (\w+)\n(id: .*\n)?data: (.*)$/s.exec(chunk) ?? []
      return event === undefined ? [] : [{ event, data: JSON.parse(data) as Record<string, unknown> }]
    })
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['head', 'agent', 'done']))
    expect(events.at(-1)).toMatchObject({ event: 'done', data: { status: 'succeeded', head_writes: 1 } })
    const ends = events.filter(({ event, data }) => event === 'agent' && data['status'] === 'succeeded')
    expect(ends.map(({ data }) => data['index']).toSorted()).toEqual([0, 1, 2])
    expect((await get(`/jobs/${id}`)).json).toEqual(events.at(-1)?.data)
    // A caller who reconnects gets only the events after its last one.
    const last = /id: (\d+)\ndata: \{"id"/.exec((await get(`/jobs/${id}/events`)).text)?.[1] ?? ''
    const again = await get(`/jobs/${id}/events`, { headers: { 'last-event-id': last } })
    expect(again.text.match(/^event: \w+$/gm)).toEqual(['event: done'])
  })

  it('streams events of a single warm too, and does not find an unknown job', async () => {
    const queued = await post('/warm', { ...crewOf(1)[0], background: true })
    const events = await get(`/jobs/${pick(queued, 'job', 'id')}/events`)
    expect(events.text).toMatch(/event: done\ndata: \{.*"status":"succeeded"/)
    expect((await get('/jobs/job_000000000000000000000000/events')).json).toMatchObject({
      error: { kind: 'not_found' },
    })
  })

  it('ends although one of its prefixes is deleted on the way', async () => {
    const provider = world.hold()
    const queued = await post('/preload', { agents: crewOf(2), background: true })
    const gone = preloadAnswer.parse(queued.json).agents[0]?.prefix_id
    await expect.poll(() => received(world.lab).length).toBe(1)
    await call('DELETE', `/prefixes/${gone}`)
    provider.release()
    const { agents, status } = preloadAnswer.parse((await endOf(pick(queued, 'id'))).json)
    expect(status).toBe('succeeded')
    expect(agents.map(({ failure }) => failure?.kind ?? null)).toEqual(['not_found', null])
  })
})

import { Webhook } from 'standardwebhooks'
import { describe, expect, it, vi } from 'vitest'
import { toolServices } from '../../../src/calls/tool-service.ts'
import type { Vars } from '../../../src/runtime/env.ts'
import { anthropic, begin, hear, say } from './support.ts'
import { bindings, get, pick, post, received, useLab } from '../support.ts'

const world = useLab()
const tool = (more: object = {}): Record<string, unknown> => ({
  name: 'stock',
  description: 'How many are left of an item.',
  service: 'STOCK_SERVICE',
  ...more,
})

/** What the model was told about the one call of its tool. */
async function told(more: object): Promise<string> {
  const id = await begin({ ...anthropic, tools: [tool(more)] })
  const { heard } = await hear(id)
  await say(id, 'How many?\nlab: call stock {"item":"tent"}')
  await vi.waitFor(() => expect(heard.map(({ type }) => type)).toEqual(['tool', 'message']), 60_000)
  return resultIn(received(world.lab).at(-1)?.body ?? '')
}

/** The result of a tool in an Anthropic body. */
function resultIn(body: string): string {
  const { messages } = JSON.parse(body) as { messages: { content: { type: string; content?: unknown }[] }[] }
  const result = messages.flatMap(({ content }) => content).find(({ type }) => type === 'tool_result')
  return typeof result?.content === 'string' ? result.content : JSON.stringify(result?.content)
}

describe('a tool behind a service binding', () => {
  it('is called in the other Worker, signed as over HTTP, and answers the model', async () => {
    const id = await begin({ ...anthropic, tools: [tool({ path: '/items?sort=asc' })] })
    const { heard } = await hear(id)
    const turn = await say(id, 'How many?\nlab: call stock {"item":"tent"}')
    await vi.waitFor(() => expect(heard.map(({ type }) => type)).toEqual(['tool', 'message']), 60_000)
    const echoed = JSON.parse(resultIn(received(world.lab).at(-1)?.body ?? '')) as {
      url: string
      method: string
      headers: Record<string, string>
      body: string
    }
    expect([echoed.method, echoed.url]).toEqual(['POST', 'https://tools.pilotlight.internal/items?sort=asc'])
    const secret = pick(await get('/bots/tool-secret'), 'secret') as string
    const verified = new Webhook(secret).verify(echoed.body, echoed.headers)
    expect(verified).toEqual({
      bot_id: id,
      turn_id: turn,
      call_id: echoed.headers['webhook-id'],
      tool: 'stock',
      arguments: { item: 'tent' },
    })
    expect(echoed.headers['idempotency-key']).toBe(echoed.headers['webhook-id'])
    // Nothing of it went over the network.
    expect(received(world.lab)).toHaveLength(2)
  })

  it('is signed at the real time where the clock of the product is ahead', async () => {
    const vars = bindings as { CLOCK_VIRTUAL_ANCHOR_AT?: string }
    const before = vars.CLOCK_VIRTUAL_ANCHOR_AT
    try {
      vars.CLOCK_VIRTUAL_ANCHOR_AT = String(2 * 24 * 3_600_000)
      const echoed = JSON.parse(await told({ path: '/items' })) as { headers: Record<string, string>; body: string }
      const secret = pick(await get('/bots/tool-secret'), 'secret') as string
      expect(new Webhook(secret).verify(echoed.body, echoed.headers)).toMatchObject({ tool: 'stock' })
    } finally {
      vars.CLOCK_VIRTUAL_ANCHOR_AT = before!
    }
  })

  it.each([
    ['answers with an error', { path: '/broken' }, 'It answered 503. out of order'],
    ['answers too much', { path: '/large' }, 'larger than 65536 bytes'],
    ['redirects', { path: '/moved' }, 'It redirects, which a service may not.'],
    ['does not answer in time', { path: '/silent', timeout: 1 }, 'It did not answer in time.'],
    ['breaks', { path: '/throws' }, 'It could not be reached.'],
  ])('that %s is a failure that the model is told', async (_how, more, sentence) => {
    expect(await told(more)).toContain(`The tool failed. `)
    expect(resultIn(received(world.lab).at(-1)?.body ?? '')).toContain(sentence)
  })

  it('that the administrator has taken off the list is not called', async () => {
    const id = await begin({ ...anthropic, tools: [tool()] })
    const { heard } = await hear(id)
    const vars = bindings as { TOOL_SERVICES?: string }
    const before = vars.TOOL_SERVICES
    try {
      vars.TOOL_SERVICES = ''
      await say(id, 'How many?\nlab: call stock {"item":"tent"}')
    } finally {
      vars.TOOL_SERVICES = before!
    }
    await vi.waitFor(() => expect(heard.map(({ type }) => type)).toEqual(['tool', 'message']), 60_000)
    expect(resultIn(received(world.lab).at(-1)?.body ?? '')).toContain('not allowed here any more')
  })

  it.each([
    ['an unknown service', { service: 'BILLING' }, 'tools[0].service', 400],
    ['a service that is bound and not listed', { service: 'UNLISTED_SERVICE' }, 'tools[0].service', 400],
    ['a binding of Pilotlight itself', { service: 'REGISTRY' }, 'tools[0].service', 400],
    ['a listed service that is not bound', { service: 'UNBOUND_SERVICE' }, 'tools[0].service', 503],
    ['a name that is none', { service: 'a-b' }, 'tools[0].service', 400],
    ['a service beside a url', { url: 'https://tools.example/' }, 'tools[0].service', 400],
    ['neither', { service: undefined }, 'tools[0].url', 400],
    ['a path that is none', { path: 'items' }, 'tools[0].path', 400],
    ['a path without a service', { service: undefined, url: 'https://a.example', path: '/x' }, 'tools[0].path', 400],
  ])('as %s is refused before anything is stored', async (_what, more, field, status) => {
    const answer = await post('/bots', { ...anthropic, tools: [tool(more)] })
    expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([status, field])
  })

  it('names in the refusal what is allowed', async () => {
    const answer = await post('/bots', { ...anthropic, tools: [tool({ service: 'BILLING' })] })
    expect(pick(answer, 'error', 'message')).toMatch(/TOOL_SERVICES lists STOCK_SERVICE, UNBOUND_SERVICE/)
  })

  it('is listed by name, with spaces and repetitions ignored; without a list there is none', () => {
    expect(toolServices({ TOOL_SERVICES: ' A, B ,,A' } as Vars)).toEqual(['A', 'B'])
    expect(toolServices({} as Vars)).toEqual([])
  })
})

import { describe, expect, it } from 'vitest'
import { get, longText, pick, post, received, useLab } from '../support.ts'
import type { Answer } from '../support.ts'
import { preloadAnswer } from '../../../src/contract/preload.ts'

const world = useLab()
function crewOf(count: number, rules: string, name = (index: number): string => `agent ${index}`) {
  return Array.from({ length: count }, (_, index) => ({
    provider: 'anthropic',
    name: name(index),
    keep_warm: { plan: 'off' },
    request: {
      model: 'claude-opus-5',
      max_tokens: 100,
      system: [
        { type: 'text', text: rules },
        { type: 'text', text: `You are agent ${index}. ${'Do your own part well. '.repeat(20)}` },
      ],
      messages: [{ role: 'user', content: 'Begin.' }],
    },
  }))
}

const preload = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  post('/preload', body, { headers })

describe('a crew with an idempotency key', () => {
  it('sends 16 agents once for two calls', async () => {
    const body = { agents: crewOf(16, longText(400)), max_parallel: 16 }
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const first = await preload(body, headers)
    expect(first.status).toBe(200)
    expect(preloadAnswer.parse(first.json)).toMatchObject({ failed: 0, calls: 17 })
    const calls = received(world.lab).length
    const again = await preload(body, headers)
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(received(world.lab).length).toBe(calls)
    expect(again.json['id']).toBe(first.json['id'])
  })

  it('is sent once for two calls at the same time', async () => {
    const body = { agents: crewOf(4, longText(400)) }
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const answers = await Promise.all([preload(body, headers), preload(body, headers)])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 429])
    expect(received(world.lab)).toHaveLength(5)
  })

  it('conflicts with another body, and sends nothing', async () => {
    const headers = { 'idempotency-key': crypto.randomUUID() }
    await preload({ agents: crewOf(2, longText(400)) }, headers)
    const calls = received(world.lab).length
    const other = await preload({ agents: crewOf(2, longText(400)) }, headers)
    expect(other.status).toBe(409)
    expect(received(world.lab)).toHaveLength(calls)
  })

  it('is not stored where there was nothing to warm', async () => {
    const headers = { 'idempotency-key': crypto.randomUUID() }
    const answer = await preload({ agents: [] }, headers)
    expect([answer.status, answer.json['status']]).toEqual([200, 'skipped'])
  })
})

it('only one of two agents with different contents gets their label', async () => {
  const label = crypto.randomUUID()
  const { json } = await preload({ agents: crewOf(8, longText(400), () => label) })
  const crew = preloadAnswer.parse(json)
  expect(crew.agents.map(({ failure }) => failure?.kind ?? null)).toEqual([
    null,
    ...Array.from({ length: 7 }, () => 'invalid_request'),
  ])
})

it('a crew of 64 agents in the largest body is answered, and the account survives', async () => {
  const rules = longText(1)
  const big = 'x'.repeat(56_000)
  const agents = crewOf(64, rules).map((agent, index) => ({
    ...agent,
    request: { ...agent.request, system: [{ type: 'text', text: `${rules} ${index} ${big}` }] },
  }))
  const crew = { background: true, agents, note: '' }
  const most = 4 * 1024 * 1024
  const filled = (bytes: number) => ({ ...crew, note: 'n'.repeat(bytes - JSON.stringify(crew).length) })
  const more = await preload(filled(most + 1))
  expect(more).toMatchObject({
    status: 413,
    json: { error: { kind: 'payload_too_large', detail: { field: 'agents', limit_bytes: most } } },
  })
  // One byte less is read to its end: what is wrong is the member that fills it.
  expect(await preload(filled(most))).toMatchObject({ status: 400, json: { error: { detail: { field: 'note' } } } })
  const answer = await preload({ agents, background: true })
  expect(answer.status).toBe(202)
  expect((await get('/prefixes')).status).toBe(200)
  const job = `/jobs/${pick(answer, 'id')}`
  await expect.poll(async () => (await get(job)).json['status'], { timeout: 50_000 }).toBe('succeeded')
}, 60_000)

import { describe, expect, it } from 'vitest'
import { anthropicBody, get, longText, pick, post, received, useLab, warm } from '../support.ts'

const world = useLab()
const marked = (text: string, marker: object) => ({
  ...anthropicBody(text),
  system: [{ type: 'text', text, cache_control: marker }],
})

describe('a body that the provider is known to refuse', () => {
  it('is answered with place and cause, and nothing is stored or sent', async () => {
    const text = longText()
    const bad = await warm(marked(text, { type: 'Ephemeral' }))
    expect([bad.status, pick(bad, 'error', 'detail', 'cause')]).toEqual([400, 'marker_type'])
    expect(pick(bad, 'error', 'message')).toContain('request.system[0].cache_control.type: must be "ephemeral"')
    expect(received(world.lab)).toHaveLength(0)
    const good = await warm(marked(text, { type: 'ephemeral' }))
    expect(good.json).toMatchObject({ created: true, receipt: { kind: 'written' } })
  })

  it('is shown by POST /render, which refuses nothing', async () => {
    const rendered = await post('/render', {
      provider: 'anthropic',
      request: marked(longText(), { type: 'ephemeral', ttl: 3600 }),
    })
    expect(rendered.status).toBe(200)
    expect(pick(rendered, 'advice')).toContainEqual(
      expect.objectContaining({ cause: 'marker_ttl', at: '/request/system/0/cache_control/ttl', severity: 'warning' }),
    )
  })
})

describe('a body that the provider refuses unforeseen', () => {
  it('gives way to the next one of the same content, under the same id', async () => {
    const text = longText()
    const body = (metadata: object) => ({ ...anthropicBody(text), metadata })
    world.lab.faults.add({ kind: 'server_error', status: 400, times: 1 })
    const bad = await warm(body({ user_id: 'a' }))
    expect([bad.status, pick(bad, 'error', 'kind')]).toEqual([502, 'provider_rejected'])
    const good = await warm(body({ user_id: 'b' }))
    expect(good.json).toMatchObject({ created: false, receipt: { kind: 'written' } })
    const shown = await get(`/prefixes/${pick(good, 'id')}/request`)
    expect(pick(shown, 'body')).toContain('"user_id":"b"')
    expect((await post(`/prefixes/${pick(good, 'id')}/warm`)).json).toMatchObject({ receipt: { kind: 'full' } })
  })
})

describe('a budget for thinking', () => {
  const body = (text: string, more: object) => ({
    model: 'claude-sonnet-4-5',
    max_tokens: 20_000,
    system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
    messages: [],
    ...more,
  })
  const thinking = { thinking: { type: 'enabled', budget_tokens: 4_000 } }

  it('costs a probe nothing where the prefix ends in front of the messages', async () => {
    const text = longText()
    const [plain, thoughtful] = await Promise.all(
      [{}, thinking].map((more) => warm(body(text, more), { dry_run: true, keep_warm: { plan: 'auto' } })),
    )
    expect(pick(thoughtful!, 'primitives')).toEqual(['zero_output', 'one_token'])
    expect(pick(thoughtful!, 'plan', 'probe_cost_usd')).toBe(pick(plain!, 'plan', 'probe_cost_usd'))
    const causes = (pick(thoughtful!, 'advice') as { cause: string }[]).map(({ cause }) => cause)
    expect(causes).toContain('probe_without_thinking')
    expect(causes).not.toContain('breaking_parameter')
  })

  it('is left out of the probe, which writes what the real request reads', async () => {
    const text = longText()
    const warmed = await warm(body(text, thinking))
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written', primitive: 'zero_output' } })
    const real = { ...body(text, thinking), messages: [{ role: 'user', content: 'Which tent?' }] }
    const answer = await world.lab.fetch(
      new Request('http://lab.test/anthropic/v1/messages', {
        method: 'POST',
        body: JSON.stringify(real),
        headers: { 'content-type': 'application/json', 'x-api-key': 'lab', 'anthropic-version': '2023-06-01' },
      }),
    )
    const { usage } = (await answer.json()) as { usage: { cache_read_input_tokens: number } }
    expect(usage.cache_read_input_tokens).toBe(pick(warmed, 'receipt', 'usage', 'cache_write_input_tokens'))
  })
})

it('sampling does not travel with probes', async () => {
  const warmed = await warm({ ...anthropicBody(), temperature: 0.2, top_p: 0.9, top_k: 5 })
  expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
  const [call] = received(world.lab)
  expect(JSON.stringify(call)).not.toMatch(/temperature|top_[pk]/)
})

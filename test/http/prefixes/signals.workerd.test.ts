import { describe, expect, it } from 'vitest'
import { prefixAnswer, warmthAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, call, get, newAccount, pick, post, useLab, warm } from '../support.ts'
import type { Answer } from '../support.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'

useLab()

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString()

async function warmed(plan: unknown = 'auto', more: Record<string, unknown> = {}): Promise<string> {
  const answer = await warm(anthropicBody(), { keep_warm: { plan, ...more } })
  expect(answer.status).toBe(200)
  return String(pick(answer, 'id'))
}

const field = (answer: Answer): unknown => pick(answer, 'error', 'detail', 'field')

describe('POST /prefixes/{id}/signals', () => {
  it('"end" stops the keep-alives of auto, in the prefix, the list and the history', async () => {
    const id = await warmed()
    const ended = await post(`/prefixes/${id}/signals`, { kind: 'end' })
    expect(ended.status).toBe(200)
    expect(prefixAnswer.parse(ended.json)).toMatchObject({
      signal: { kind: 'end', until: null },
      plan: { next_probe_at: null, stopped: { reason: 'session_over' } },
    })
    expect((await get('/prefixes?stopped=true')).text).toContain(id)
    const history = await get(`/prefixes/${id}/history?type=decision`)
    expect(history.text).toContain('"signal:end"')
    expect(history.text).toContain('"stop:session_over"')
  })

  it('"pending" holds for an hour by default, and withdraws the end of the session', async () => {
    const id = await warmed()
    await post(`/prefixes/${id}/signals`, { kind: 'end' })
    const answer = await post(`/prefixes/${id}/signals`, { kind: 'pending' })
    expect(prefixAnswer.parse(answer.json)).toMatchObject({ signal: { kind: 'pending' }, plan: { stopped: null } })
    const { at, until } = prefixAnswer.parse(answer.json).signal ?? {}
    expect(Date.parse(until ?? '') - Date.parse(at ?? '')).toBe(HOUR_MS)
    expect(pick(answer, 'plan', 'next_probe_at')).not.toBeNull()
  })

  it('ends with the next real request', async () => {
    const id = await warmed()
    await post(`/prefixes/${id}/signals`, { kind: 'end' })
    const usage = { cache_read_input_tokens: 2_000, cache_creation_input_tokens: 0, input_tokens: 5, output_tokens: 5 }
    await post('/observations', [{ prefix_id: id, usage, started_at: inMs(60_000) }])
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ signal: null, plan: { stopped: null } })
  })

  it('refuses an impossible signal and names the field', async () => {
    const id = await warmed('off')
    const refused = (body: unknown) => post(`/prefixes/${id}/signals`, body)
    for (const [body, name] of [
      [{ kind: 'over' }, 'kind'],
      [{}, 'kind'],
      [{ kind: 'end', until: inMs(HOUR_MS) }, 'until'],
      [{ kind: 'pending', until: inMs(-1_000) }, 'until'],
      [{ kind: 'pending', until: inMs(25 * HOUR_MS) }, 'until'],
      [{ kind: 'pending', until: 'soon' }, 'until'],
    ] as const) {
      const answer = await refused(body)
      expect([answer.status, field(answer)]).toEqual([400, name])
    }
  })
})

describe('POST /prefixes/{id}/announce', () => {
  it('schedules a write before the traffic, even where the plan is off', async () => {
    const id = await warmed('off')
    const at = inMs(2 * HOUR_MS)
    const answer = await post(`/prefixes/${id}/announce`, { at, expected_requests: 20 })
    expect(answer.status).toBe(200)
    expect(prefixAnswer.parse(answer.json)).toMatchObject({
      announcements: [{ at, expected_requests: 20 }],
      plan: { next_probe_at: new Date(Date.parse(at) - 90_000).toISOString(), stopped: { reason: 'plan_off' } },
    })
    expect(pick(answer, 'plan', 'why')).toContain('20 requests')
    const off = await call('PATCH', `/prefixes/${id}`, { keep_warm: { plan: 'off' } })
    expect(off.json).toMatchObject({ announcements: [], plan: { next_probe_at: null } })
  })

  it('refuses the past, the far future and invalid counts', async () => {
    const id = await warmed('off')
    for (const [body, name] of [
      [{ at: inMs(-1_000), expected_requests: 1 }, 'at'],
      [{ at: inMs(32 * 24 * HOUR_MS), expected_requests: 1 }, 'at'],
      [{ expected_requests: 1 }, 'at'],
      [{ at: inMs(HOUR_MS), expected_requests: 0 }, 'expected_requests'],
      [{ at: inMs(HOUR_MS), expected_requests: 1.5 }, 'expected_requests'],
    ] as const) {
      const answer = await post(`/prefixes/${id}/announce`, body)
      expect([answer.status, field(answer)]).toEqual([400, name])
    }
  })

  it('takes a bounded number of announcements, and names the bound', async () => {
    const id = await warmed('off')
    const first = Date.now() + HOUR_MS
    for (let n = 0; n < 64; n++)
      expect((await post(`/prefixes/${id}/announce`, { at: new Date(first + n).toISOString() })).status).toBe(200)
    const answer = await post(`/prefixes/${id}/announce`, { at: inMs(3 * HOUR_MS) })
    expect(answer.json).toMatchObject({ error: { kind: 'conflict', message: expect.stringContaining('64') } })
  })
})

describe('DELETE /prefixes/{id}/announce', () => {
  const gone = async (id: unknown, query = '') => call('DELETE', `/prefixes/${id}/announce${query}`)

  it('withdraws one instant, then all, and nothing is written for them', async () => {
    const id = await warmed('off')
    const [first, second] = [inMs(2 * HOUR_MS), inMs(3 * HOUR_MS)]
    for (const at of [first, second]) await post(`/prefixes/${id}/announce`, { at })
    const one = prefixAnswer.parse((await gone(id, `?at=${first}`)).json)
    expect(one.announcements).toEqual([{ at: second, expected_requests: 1 }])
    expect(one.plan.next_probe_at).toBe(new Date(Date.parse(second) - 90_000).toISOString())
    const none = prefixAnswer.parse((await gone(id)).json)
    expect([none.announcements, none.plan.next_probe_at]).toEqual([[], null])
    const history = await get(`/prefixes/${id}/history`)
    expect(history.text).toContain(`no longer expects the requests that were announced for ${first}`)
    for (const query of ['', `?at=${second}`]) expect((await gone(id, query)).status).toBe(404)
  })

  it('refuses what is no instant, and keeps the announcements', async () => {
    const id = await warmed('off')
    await post(`/prefixes/${id}/announce`, { at: inMs(2 * HOUR_MS) })
    for (const query of ['?at=soon', '?when=now']) expect((await gone(id, query)).status).toBe(400)
    const { key } = await newAccount()
    expect((await call('DELETE', `/prefixes/${id}/announce`, undefined, { key })).status).toBe(404)
    expect(pick(await get(`/prefixes/${id}`), 'announcements')).toHaveLength(1)
  })
})

it('a signal for a prefix of another account is not found', async () => {
  const id = await warmed('off')
  const { key } = await newAccount()
  expect((await post(`/prefixes/${id}/signals`, { kind: 'end' }, { key })).status).toBe(404)
  expect((await post(`/prefixes/${id}/announce`, { at: inMs(HOUR_MS) }, { key })).status).toBe(404)
})

it('a latency value is stored, shown, and keeps a prefix warm for longer', async () => {
  const id = await warmed('auto', { latency_value_usd: 0.25 })
  const { json } = await get(`/prefixes/${id}`)
  expect(json).toMatchObject({ keep_warm: { latency_value_usd: 0.25 } })
  expect(JSON.stringify(json['plan'])).toContain('$0.250 for an avoided cold start')
})

describe('the lifetime of a session', () => {
  it('told at registration: the short retention and no keep-alive, until told otherwise', async () => {
    const body = { ...anthropicBody(), system: [{ type: 'text', text: 'A job of the build. '.repeat(2_000) }] }
    const told = (lifetime: string) => post('/warm', { provider: 'anthropic', request: body, lifetime })
    const first = await told('one_shot')
    expect(first.status).toBe(200)
    expect(first.json).toMatchObject({
      plan: { retention: '5m', next_probe_at: null, stopped: { reason: 'one_shot' } },
    })
    const id = String(pick(first, 'id'))
    expect(prefixAnswer.parse((await get(`/prefixes/${id}`)).json).lifetime).toBe('one_shot')
    const again = await told('interactive')
    expect(again.json).toMatchObject({ plan: { stopped: null } })
    expect(pick(again, 'plan', 'next_probe_at')).not.toBeNull()
  })

  it('told by a request: it stops auto, and one interactive request starts it again', async () => {
    const id = await warmed()
    const usage = { cache_read_input_tokens: 2_000, cache_creation_input_tokens: 0, input_tokens: 5, output_tokens: 5 }
    const observed = (ms: number, lifetime: string) =>
      post('/observations', [{ prefix_id: id, usage, started_at: inMs(ms), lifetime }])
    await observed(0, 'one_shot')
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({
      lifetime: 'one_shot',
      plan: { stopped: { reason: 'one_shot' } },
    })
    await observed(1, 'interactive')
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ lifetime: 'interactive', plan: { stopped: null } })
  })

  it('is refused in other words, with the field', async () => {
    const refused = await warm(anthropicBody(), { lifetime: 'long' })
    expect([refused.status, field(refused)]).toEqual([400, 'lifetime'])
    const usage = { cache_read_input_tokens: 1 }
    const one = await post('/observations', [{ prefix_id: 'x', usage, started_at: inMs(0), lifetime: 1 }])
    expect([one.status, field(one)]).toEqual([400, '[0].lifetime'])
  })
})

it('GET /prefixes/{id}/warmth says what the next request and a change of it cost', async () => {
  const id = await warmed()
  const warm = warmthAnswer.parse((await get(`/prefixes/${id}/warmth`)).json)
  const { if_warm_usd: read = 0, if_cold_usd: write = 0, rewrite_usd: change = 0 } = numbers(warm.next_request)
  expect(warm.next_request?.tokens_counted).toBe(true)
  expect(write).toBeGreaterThan(10 * read)
  expect(change).toBeGreaterThan(0.9 * (write - read))
})

function numbers(given: object | null): Record<string, number> {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => typeof value === 'number'))
}

import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import { snapshot as snapshotAnswer, botAnswer } from '../../../src/contract/bot.ts'
import { BotCallLog } from '../../../src/durable/bot/tables/calls.ts'
import { durableSql } from '../../../src/durable/sql.ts'
import { anthropic, begin, ended, hear, objectOf, openai, say } from './support.ts'
import { ADMIN, bindings, call, get, newAccount, pick, post, received, useLab } from '../support.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'

const world = useLab()
const modelCalls = () => received(world.lab).length

describe.each([
  { name: 'Anthropic Messages', body: anthropic },
  { name: 'OpenAI Responses', body: openai },
])('a bot on $name', ({ body }) => {
  it('answers each message, keeps the conversation, and reads its head from the cache', async () => {
    const id = await begin(body)
    const { heard } = await hear(id)
    for (const text of ['Which tent for two?', 'And which stove?', 'And in winter?']) await say(id, text)
    await vi.waitFor(() => expect(heard).toHaveLength(3), 60_000)
    expect(heard.map(({ type }) => type)).toEqual(['message', 'message', 'message'])
    expect(heard[0]).toMatchObject({ complete: true, text: expect.stringMatching(/\S/) })
    expect(heard[1]?.['usage']).toMatchObject({ cached_input_tokens: expect.any(Number) })
    const { cached_input_tokens: cached, input_tokens: input } = (heard[2]?.['usage'] ?? {}) as Record<string, number>
    expect((cached ?? 0) / (input ?? 1)).toBeGreaterThan(0.85)

    const seen = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(seen.usage.turns).toBe(3)
    expect(seen.calls.map(({ outcome }) => outcome)).toEqual(['answered', 'answered', 'answered'])
    expect(seen.spent_usd).toBeCloseTo(
      heard.reduce((sum, { cost_usd }) => sum + Number(cost_usd), 0),
      9,
    )
    expect(seen.spent_usd).toBeGreaterThan(0)
    expect(seen.last_response?.text).toBe(heard[2]?.['text'])
  })

  it('puts the time behind all that is cached, and keeps it out of the conversation', async () => {
    const id = await begin(body)
    await say(id, 'What time is it?')
    await say(id, 'And now?')
    const bodies = vi.mocked(globalThis.fetch).mock.calls.map(([, init]) => String(init?.body))
    expect(bodies).toHaveLength(2)
    for (const sent of bodies) expect(sent.match(/Current time: /g)).toHaveLength(1)
    const [first = '', second = ''] = bodies
    const before = (text: string): string => text.slice(0, text.indexOf('What time is it?'))
    expect(before(second)).toBe(before(first))
    expect(second.indexOf('Current time: ')).toBeGreaterThan(second.lastIndexOf('"And now?"'))
  })
})

describe('a failed turn', () => {
  it('is reported when the provider refuses it, and leaves the conversation unchanged', async () => {
    const id = await begin({ ...anthropic, model: 'claude-of-nobody', allow_unpriced: true })
    const { heard } = await hear(id)
    await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'failed', billed: false, failure: { kind: 'provider_rejected' } })
    expect((await get(`/bots/${id}`)).json).toMatchObject({ usage: { turns: 0 }, last_response: null, spent_usd: 0 })
  })

  it('is not sent again after it was cut off, and reports that it may have been billed', async () => {
    const id = await begin()
    const { heard } = await hear(id)
    // The tables as an eviction leaves them: the message waits, and its call was begun and has no known end.
    const stub = objectOf(id)
    const turn = 'evt_cut_off'
    await runInDurableObject(stub, (_, state) => new BotCallLog(durableSql(state.storage)).begin(turn, 1))
    await evictDurableObject(stub)
    await stub.emit({ type: 'message', data: { text: 'Which tent for two?' }, id: turn })
    await ended(id, turn)
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'failed', turn_id: turn, billed: null })
    expect(modelCalls()).toBe(0)
    expect(pick(await get(`/bots/${id}`), 'calls', 0)).toMatchObject({ outcome: 'failed', billed: null })
  })

  it('is not sent again when the connection broke: the provider may have taken it', async () => {
    const id = await begin()
    const { heard } = await hear(id)
    vi.mocked(globalThis.fetch).mockRejectedValueOnce(new TypeError('the connection was reset'))
    const turn = await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'failed', turn_id: turn, billed: null })
    expect(vi.mocked(globalThis.fetch).mock.calls).toHaveLength(1)
  })

  it('is sent again when the provider was too busy to take it, and answered once', async () => {
    const id = await begin()
    const { heard } = await hear(id)
    world.lab.faults.add({ kind: 'overloaded', provider: 'anthropic', times: 1 })
    const turn = await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'message', turn_id: turn })
    expect(modelCalls()).toBe(2)
    expect(pick(await get(`/bots/${id}`), 'usage', 'turns')).toBe(1)
  })

  it.each([
    { end: 'is not known', outcome: null, booked: { outcome: 'unknown', cost_usd: 0.0025 } },
    {
      end: 'was stored and not reported',
      outcome: { kind: 'failed', failure: { kind: 'unreadable_answer', message: '' }, billed: true, nanos: 7_000 },
      booked: { outcome: 'failed', cost_usd: 0.000_007 },
    },
  ] as const)('is in the ledger at once where its end $end, and an earlier attempt was cut off', async (given) => {
    const id = await begin()
    const stub = objectOf(id)
    const turn = `evt_${id}`
    const worstNanos = 2_500_000
    await bindings.REGISTRY.getByName('dev').beginBotCall({ bot: id, call: turn, worstNanos }, 'default')
    await runInDurableObject(stub, (_, state) => {
      const calls = new BotCallLog(durableSql(state.storage))
      calls.begin(turn, Date.now(), worstNanos)
      if (given.outcome !== null) calls.end(turn, given.outcome, Date.now())
    })
    await stub.emit({ type: 'message', data: { text: 'Which tent for two?' }, id: turn })
    await ended(id, turn)
    const entries = (await get('/ledger?limit=1000')).json['data'] as { turn_id?: string }[]
    expect(entries.filter((entry) => entry.turn_id === turn)).toEqual([expect.objectContaining(given.booked)])
    expect(modelCalls()).toBe(0)
  })

  it('uses the answer of an earlier attempt, and counts it once', async () => {
    const id = await begin()
    const stub = objectOf(id)
    const usage = { inputTokens: 9, uncachedTokens: 9, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 3 }
    const full = { ...usage, cacheWriteByRetention: {}, reasoningTokens: null }
    await runInDurableObject(stub, (_, state) => {
      const calls = new BotCallLog(durableSql(state.storage))
      calls.begin('evt_known', 1)
      calls.end('evt_known', { kind: 'answered', text: 'The small one.', complete: true, usage: full, nanos: 7 }, 2)
    })
    await stub.emit({ type: 'message', data: { text: 'Which tent?' }, id: 'evt_known' })
    await ended(id, 'evt_known')
    expect((await get(`/bots/${id}`)).json).toMatchObject({
      last_response: { text: 'The small one.' },
      spent_usd: 7e-9,
      usage: { turns: 1 },
    })
    expect(modelCalls()).toBe(0)
  })

  it('sends nothing while the kill switch is on', async () => {
    const own = await newAccount()
    await call('PATCH', `/accounts/${own.id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
    const made = await post('/bots', anthropic, { key: own.key })
    const id = pick(made, 'id') as string
    await call('PATCH', `/accounts/${own.id}`, { kill_switch: true }, { key: ADMIN })
    const { heard } = await hear(id, own.key)
    await post(`/bots/${id}/messages`, { text: 'Which tent?' }, { key: own.key })
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'failed', billed: false, failure: { kind: 'forbidden' } })
    expect(modelCalls()).toBe(0)
  })
})

it('a conversation that cannot be stored is not paid for', async () => {
  const id = await begin()
  const { heard } = await hear(id)
  await say(id, `Which tent${' '.repeat(950_000)}for two?`) // few tokens, many bytes
  await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
  expect(heard[0]).toMatchObject({ type: 'failed', billed: false, failure: { kind: 'payload_too_large' } })
  expect(modelCalls()).toBe(0)
})

describe('the life of a bot', () => {
  it('survives an eviction with its conversation and its socket', async () => {
    const id = await begin()
    const { heard } = await hear(id)
    await say(id, 'Which tent for two?')
    await evictDurableObject(objectOf(id))
    await say(id, 'And which stove?')
    await vi.waitFor(() => expect(heard).toHaveLength(2), 60_000)
    expect(pick(await get(`/bots/${id}`), 'usage', 'turns')).toBe(2)
  })

  it('ends on request, tells its listeners, and refuses messages with the reason', async () => {
    const id = await begin()
    const { heard } = await hear(id)
    expect((await call('DELETE', `/bots/${id}`)).json).toMatchObject({ id, status: 'shutdown' })
    await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
    expect(heard[0]).toMatchObject({ type: 'ended', reason: 'shutdown' })
    const refused = await post(`/bots/${id}/messages`, { text: 'Still there?' })
    expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([409, 'conflict'])
    expect(pick(refused, 'error', 'detail', 'reason')).toBe('shutdown')
  })

  it('ends when its budget is spent', async () => {
    const id = await begin({ ...anthropic, cost_budget_usd: 0.000001 })
    await say(id, 'Which tent for two?')
    await vi.waitFor(async () => expect(pick(await get(`/bots/${id}`), 'status')).toBe('cost_budget_exceeded'), 60_000)
    expect((await post(`/bots/${id}/messages`, { text: 'More?' })).status).toBe(409)
  })

  it('ends after its idle timeout, and has one alarm until then', async () => {
    const id = await begin({ ...anthropic, idle_timeout: '1h' })
    const stub = objectOf(id)
    const due = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    expect(due).toBe((await stub.view()).activeAt + HOUR_MS)
    const rests = objectOf(await begin())
    expect(await runInDurableObject(rests, (_, state) => state.storage.getAlarm())).toBeNull()
    expect(await runDurableObjectAlarm(rests)).toBe(false)
  })

  it('continues from a snapshot, and refuses a changed one and one of another account', async () => {
    const id = await begin()
    await say(id, 'Which tent for two?')
    const { json } = await get(`/bots/${id}/snapshot`)
    const snapshot = snapshotAnswer.parse(json)
    const again = await begin({ snapshot })
    expect((await get(`/bots/${again}`)).json).toMatchObject({ usage: { turns: 1 }, status: 'running' })
    await say(again, 'And which stove?')
    expect(pick(await get(`/bots/${again}`), 'usage', 'turns')).toBe(2)

    const forged = { ...snapshot, payload: snapshot.payload.replace('tents', 'boats') }
    const registry = bindings.REGISTRY.getByName('dev')
    const before = await registry.bots()
    expect((await post('/bots', { snapshot: forged })).status).toBe(400)
    expect(await registry.bots()).toEqual(before)
    const other = await newAccount()
    expect((await post('/bots', { snapshot }, { key: other.key })).status).toBe(400)
    const newer = await post('/bots', { snapshot, model: 'claude-opus-5' })
    expect(pick(newer, 'error', 'detail', 'field')).toBe('model')
  })

  it('leaves nothing when it is erased, or when its account is deleted', async () => {
    const tables = (account: string, id: string) =>
      runInDurableObject(objectOf(id, account), (_, state) => [
        ...state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'"),
      ])
    const id = await begin()
    await say(id, 'Which tent for two?')
    expect(await tables('dev', id)).not.toEqual([])
    expect((await call('DELETE', `/bots/${id}?erase=true`)).json).toEqual({ id, deleted: true })
    expect(await tables('dev', id)).toEqual([])
    expect((await get(`/bots/${id}`)).status).toBe(404)

    const own = await newAccount()
    await call('PATCH', `/accounts/${own.id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
    const theirs = pick(await post('/bots', anthropic, { key: own.key }), 'id') as string
    expect(await tables(own.id, theirs)).not.toEqual([])
    await call('DELETE', `/accounts/${own.id}`, undefined, { key: ADMIN })
    expect(await tables(own.id, theirs)).toEqual([])
  })
})

describe('a refusal of a bot', () => {
  it('meets another account, and an unknown bot, which stores nothing', async () => {
    const id = await begin()
    const other = await newAccount()
    const key = { key: other.key }
    const unknown = `bot_${'0'.repeat(24)}`
    for (const answer of [
      await get(`/bots/${id}`, key),
      await get(`/bots/${id}/snapshot`, key),
      await get(`/bots/${id}/responses`, key),
      await post(`/bots/${id}/messages`, { text: 'Hello' }, key),
      await call('DELETE', `/bots/${id}`, undefined, key),
      await get(`/bots/${unknown}`),
      await post(`/bots/${unknown}/messages`, { text: 'Hello' }),
      await get('/bots/what'),
    ])
      expect([answer.status, pick(answer, 'error', 'kind')]).toEqual([404, 'not_found'])
    const stored = await runInDurableObject(objectOf(unknown), (_, state) => [
      ...state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'"),
    ])
    expect(stored).toEqual([])
    expect((await get(`/bots/${id}`)).status).toBe(200)
  })

  it.each([
    ['model', { provider: 'anthropic' }, 400],
    ['provider', { model: 'claude-opus-5' }, 400],
    ['provider', { provider: 'nobody', model: 'm' }, 400],
    ['max_iterations', { ...anthropic, max_iterations: 0 }, 400],
    ['summarize', { ...anthropic, summarize: 'yes' }, 400],
    ['history_tokens', { ...anthropic, history_tokens: 3 }, 400],
    ['system_prompt', { ...anthropic, history_tokens: 256 }, 400],
    ['cost_budget_usd', { ...anthropic, model: 'claude-of-nobody', cost_budget_usd: 1 }, 422],
    ['cache.strategy.explicit', { ...anthropic, cache: { strategy: { explicit: [] } } }, 400],
    ['cache.retention', { ...anthropic, cache: { retention: '7w' } }, 400],
    ['idle_timeout', { ...anthropic, idle_timeout: 'soon' }, 400],
    ['credential', { ...anthropic, credential: 'of-nobody' }, 400],
  ])('names a wrong %s', async (field, body, status) => {
    const refused = await post('/bots', body)
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([status, field])
  })

  it('meets a message of 5 MB, an empty one, and one longer than the history', async () => {
    const id = await begin()
    expect((await post(`/bots/${id}/messages`, { text: 'x '.repeat(2_500_000) })).status).toBe(413)
    expect((await post(`/bots/${id}/messages`, { text: '  ' })).status).toBe(400)
    expect((await post(`/bots/${id}/messages`, { text: 'tent '.repeat(10_000) })).status).toBe(413)
    expect((await get(`/bots/${id}/responses`)).status).toBe(400)
    expect(modelCalls()).toBe(0)
  })
})

import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { botResponse } from '../../src/contract/bot-responses.ts'
import { snapshot as snapshotForm, botAnswer } from '../../src/contract/bot.ts'
import { MAX_ITERATIONS } from '../../src/durable/registry/records/bot.ts'
import type { BotState } from '../../src/durable/registry/records/bot.ts'
import { signSnapshot } from '../../src/runtime/snapshot.ts'
import { anthropic, begin, ended, hear, objectOf, openai, say } from '../http/bots/support.ts'
import { ADMIN, bindings, call, get, pick, post, received, useLab } from '../http/support.ts'
import { DAY_MS } from '../../src/core/time/time.ts'

/** Blazen's documentation of live workflows and its Bot, line by line, on the real object. Parts without one: blazen-bots.test.ts. */

const world = useLab()
const bodies = (): string[] => received(world.lab).map(({ body }) => body)
const view = async (id: string) => botAnswer.parse((await get(`/bots/${id}`)).json)
const configOf = (id: string) =>
  runInDurableObject(objectOf(id), (bot) => (bot as unknown as { look(): { state: BotState } }).look().state.config)

afterEach(() => {
  vi.restoreAllMocks()
})

/** Lets the provider accept calls and delay their answers until the gate opens. */
function holdProvider(): { isHeld: () => boolean; letGo: () => void } {
  const { lab } = world
  const gate = { held: false, open: false }
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    gate.held = true
    await vi.waitFor(() => expect(gate.open).toBe(true), 20_000)
    return lab.fetch(new Request(input, init))
  })
  return { isHeld: () => gate.held, letGo: () => void (gate.open = true) }
}

describe('a live workflow', () => {
  test('.live(): an event without a handler, also the start event, is dropped with a warning', async () => {
    const warned = vi.spyOn(console, 'warn')
    const id = await begin()
    for (const type of ['StartEvent', 'nobody.handles.this']) {
      await ended(id, pick(await post(`/bots/${id}/events`, { type }), 'event_id') as string)
    }
    await say(id, 'Which tent for two?')
    const { status, usage, history } = await view(id)
    expect([status, usage.turns]).toEqual(['running', 1])
    expect(history.filter(({ what }) => what === 'dropped').map(({ type }) => type)).toEqual([
      'StartEvent',
      'nobody.handles.this',
    ])
    expect(warned).toHaveBeenCalledTimes(2)
  })

  test('.max_history(n) keeps the newest rows', async () => {
    const id = await begin({ ...anthropic, max_history: 3 })
    const turns = [await say(id, 'One'), await say(id, 'Two'), await say(id, 'Three'), await say(id, 'Four')]
    expect((await view(id)).history.map(({ event }) => event)).toEqual(turns.slice(1))
  })

  test('.cost_budget_usd(x): the turn that exceeds it is finished, and the bot stops with a reason', async () => {
    const id = await begin({ ...anthropic, cost_budget_usd: 0.000001 })
    const { heard } = await hear(id)
    await say(id, 'Which tent for two?')
    await vi.waitFor(() => expect(heard.map(({ type }) => type)).toEqual(['message', 'ended']), 20_000)
    const { status, spent_usd, cost_budget_usd } = await view(id)
    expect([status, spent_usd > Number(cost_budget_usd)]).toEqual(['cost_budget_exceeded', true])
  })

  test('.idle_timeout(d) ends it by its alarm, also when it was evicted meanwhile', async () => {
    const id = await begin({ ...anthropic, idle_timeout: 300 })
    const stub = objectOf(id)
    await evictDurableObject(stub)
    await runInDurableObject(stub, async (bot, state) => {
      const due = await state.storage.getAlarm()
      const live = bot as unknown as { clock: { now(): number }; alarm(): Promise<void> }
      live.clock = { ...live.clock, now: () => Number(due) }
      await live.alarm()
    })
    expect((await view(id)).status).toBe('idle_timeout')
    const refused = await post(`/bots/${id}/messages`, { text: 'Still there?' })
    expect([refused.status, pick(refused, 'error', 'detail', 'reason')]).toEqual([409, 'idle_timeout'])
  })

  test('emit puts events into the running loop, which takes them one by one in their order', async () => {
    const id = await begin()
    const provider = holdProvider()
    const taken = [await post(`/bots/${id}/messages`, { text: 'Message 0' })]
    await vi.waitFor(() => expect(provider.isHeld()).toBe(true), 20_000)
    for (const n of [1, 2]) taken.push(await post(`/bots/${id}/messages`, { text: `Message ${n}` }))
    const turns = taken.map((answer) => pick(answer, 'turn_id') as string)
    expect((await view(id)).waiting).toBe(3)
    provider.letGo()
    await ended(id, turns[2] ?? '')
    const { history } = await view(id)
    expect(history.filter(({ what }) => what === 'handled').map(({ event }) => event)).toEqual(turns)
    expect(bodies().map((body) => (body.match(/Message \d/g) ?? []).length)).toEqual([1, 2, 3])
  })

  test('pause() keeps the bot and its messages, also through an eviction; resume answers them', async () => {
    const id = await begin({ ...anthropic, idle_timeout: 300 })
    expect(pick(await post(`/bots/${id}/pause`), 'status')).toBe('paused')
    const taken = await post(`/bots/${id}/messages`, { text: 'Which tent for two?' })
    expect(taken.status).toBe(202)
    await evictDurableObject(objectOf(id))
    await runInDurableObject(objectOf(id), async (bot, state) => {
      expect(await state.storage.getAlarm()).toBeNull()
      const live = bot as unknown as { clock: { now(): number }; alarm(): Promise<void> }
      const { clock } = live
      live.clock = { ...clock, now: () => clock.now() + DAY_MS }
      await live.alarm()
      live.clock = clock
    })
    expect(await view(id)).toMatchObject({ status: 'paused', waiting: 1, ended_at: null, usage: { turns: 0 } })
    expect(bodies()).toEqual([])
    expect(pick(await post(`/bots/${id}/pause`), 'status')).toBe('paused')
    expect(pick(await post(`/bots/${id}/resume`), 'status')).toBe('running')
    await ended(id, pick(taken, 'turn_id') as string)
    const { usage, history } = await view(id)
    expect(usage.turns).toBe(1)
    expect(history.map(({ what }) => what)).toEqual(['started', 'paused', 'resumed', 'handled'])
  })

  test('pause() lets a turn that has begun finish, and begins no other', async () => {
    const id = await begin()
    const provider = holdProvider()
    const taken = await post(`/bots/${id}/messages`, { text: 'Message 0' })
    await vi.waitFor(() => expect(provider.isHeld()).toBe(true), 20_000)
    await post(`/bots/${id}/messages`, { text: 'Message 1' })
    await post(`/bots/${id}/pause`)
    provider.letGo()
    await ended(id, pick(taken, 'turn_id') as string)
    await runInDurableObject(objectOf(id), async (_, state) => {
      await vi.waitFor(async () => expect(await state.storage.getAlarm()).toBeNull(), 20_000)
    })
    expect(await view(id)).toMatchObject({ status: 'paused', waiting: 1, usage: { turns: 1 } })
  })

  test('a snapshot of a paused one goes on; after the end nothing is paused or resumed', async () => {
    const id = await begin()
    await post(`/bots/${id}/pause`)
    const again = await begin({ snapshot: (await get(`/bots/${id}/snapshot`)).json })
    expect([(await view(id)).status, (await view(again)).status]).toEqual(['paused', 'running'])
    await call('DELETE', `/bots/${id}`)
    for (const what of ['pause', 'resume']) {
      const refused = await post(`/bots/${id}/${what}`)
      expect([refused.status, pick(refused, 'error', 'detail', 'reason')]).toEqual([409, 'shutdown'])
    }
  })

  test('emit wakes nothing that has ended: only a snapshot goes on', async () => {
    const id = await begin()
    await call('DELETE', `/bots/${id}`)
    expect((await post(`/bots/${id}/events`, { type: 'message', data: { text: 'Hello' } })).status).toBe(409)
    const again = await begin({ snapshot: (await get(`/bots/${id}/snapshot`)).json })
    await say(again, 'Hello')
    expect((await view(again)).usage.turns).toBe(1)
  })

  test('result(), usage_total() and cost_total_usd() are there while it runs and after its end', async () => {
    const id = await begin()
    await say(id, 'Which tent for two?')
    const before = await view(id)
    expect(before.usage.input_tokens).toBeGreaterThan(0)
    expect(before.spent_usd).toBeGreaterThan(0)
    await call('DELETE', `/bots/${id}`)
    const after = await view(id)
    expect([after.status, after.usage, after.spent_usd, after.last_response]).toEqual([
      'shutdown',
      before.usage,
      before.spent_usd,
      before.last_response,
    ])
  })

  test('abort() is a shutdown: waiting events never start; a running one ends, as it is billed', async () => {
    const id = await begin()
    const provider = holdProvider()
    const taken = await post(`/bots/${id}/messages`, { text: 'Message 0' })
    await vi.waitFor(() => expect(provider.isHeld()).toBe(true), 20_000)
    await post(`/bots/${id}/messages`, { text: 'Message 1' })
    expect(pick(await call('DELETE', `/bots/${id}`), 'status')).toBe('shutdown')
    provider.letGo()
    await ended(id, pick(taken, 'turn_id') as string)
    await runInDurableObject(objectOf(id), async (_, state) => {
      await vi.waitFor(async () => expect(await state.storage.getAlarm()).toBeNull(), 20_000)
    })
    const { status, waiting, usage, spent_usd } = await view(id)
    expect([status, waiting, usage.turns, spent_usd > 0]).toEqual(['shutdown', 1, 1, true])
    expect(bodies()).toHaveLength(1)
  })

  test('a snapshot is signed, versioned JSON; a changed one and a newer one are refused', async () => {
    const id = await begin()
    const { signature, ...snapshot } = snapshotForm.parse((await get(`/bots/${id}/snapshot`)).json)
    expect(JSON.parse(snapshot.payload)).toMatchObject({
      mailbox: [],
      history: expect.any(Array),
      state: expect.any(Object),
    })
    const changed = await post('/bots', { snapshot: { ...snapshot, version: snapshot.version + 1, signature } })
    expect([changed.status, pick(changed, 'error', 'kind')]).toEqual([400, 'invalid_request'])
    const newer = signSnapshot({ ...snapshot, version: snapshot.version + 1 }, bindings.KEY_ENCRYPTION_SECRET ?? '')
    const refused = await post('/bots', { snapshot: newer })
    expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([422, 'unsupported'])
  })
})

describe('Bot', () => {
  test('has the builder’s defaults: 8192 tokens, ten iterations, time on, summaries off', async () => {
    const config = await configOf(await begin({ provider: 'anthropic', model: 'claude-opus-5' }))
    expect(config).toMatchObject({ historyTokens: 8_192, injectTime: true })
    expect([config?.maxIterations ?? MAX_ITERATIONS, config?.summarize ?? false, config?.tools ?? []]).toEqual([
      10,
      false,
      [],
    ])
  })

  test('send does not wait for the answer', async () => {
    const id = await begin()
    const provider = holdProvider()
    const taken = await post(`/bots/${id}/messages`, { text: 'Which tent for two?' })
    expect(taken.status).toBe(202)
    expect((await view(id)).usage.turns).toBe(0)
    provider.letGo()
    await ended(id, pick(taken, 'turn_id') as string)
  })

  test('responses() begins now, and repeats nothing', async () => {
    const id = await begin()
    await say(id, 'Which tent for two?')
    const { heard } = await hear(id)
    const turn = await say(id, 'And which stove?')
    await vi.waitFor(() => expect(heard).toHaveLength(1), 20_000)
    expect(heard[0]).toMatchObject({ type: 'message', turn_id: turn })
  })

  test('snapshot() holds the conversation and stops nothing; what is resumed goes on with it', async () => {
    const id = await begin()
    await say(id, 'Which tent for two?')
    const { json } = await get(`/bots/${id}/snapshot`)
    expect((await view(id)).status).toBe('running')
    const again = await begin({ snapshot: json })
    await say(again, 'And which stove?')
    expect(bodies().at(-1)).toContain('Which tent for two?')
    await say(id, 'And which mat?')
    expect(bodies().at(-1)).not.toContain('And which stove?')
  })

  test('inject_time lists a tool that tells the time, and false neither tells it nor lists it', async () => {
    for (const inject_time of [true, false]) {
      const id = await begin({ ...anthropic, inject_time })
      await say(id, 'What time is it?\nlab: call current_time {}')
      const seen = await view(id)
      expect(seen.tool_calls.map(({ tool, outcome }) => [tool, outcome])).toEqual(
        inject_time ? [['current_time', 'answered']] : [],
      )
      expect(/Current time: \d/.test(bodies().at(-1) ?? '')).toBe(inject_time)
    }
  })

  test.each([
    ['Anthropic', anthropic],
    ['OpenAI', openai],
  ])('ToolCalled, ToolResult and IterationComplete are heard, each in its place, on %s', async (_, body) => {
    const id = await begin(body)
    const { all } = await hear(id)
    const turn = await say(id, 'What time is it?\nlab: call current_time {}\nlab: call current_time {}')
    const round = ['tool_called', 'tool', 'iteration']
    await vi.waitFor(() => expect(all.map(({ type }) => type)).toEqual([...round, ...round, 'message']), 20_000)
    for (const said of all) expect(botResponse.parse(said)).toMatchObject({ turn_id: turn })
    expect(all.filter(({ type }) => type === 'iteration').map(({ iteration }) => iteration)).toEqual([1, 2])
    expect(all[0]?.['call_id']).toBe(all[1]?.['call_id'])
  })

  test.each([
    ['Anthropic', anthropic],
    ['OpenAI', openai],
    ['Gemini', { provider: 'gemini', model: 'gemini-3.8-flash', system_prompt: 'You sell tents.' }],
  ])('exit_tool lets the model end its turn with a result, which the conversation keeps, on %s', async (_, body) => {
    const id = await begin({ ...body, exit_tool: true })
    const { heard } = await hear(id)
    const result = 'The tent for two is the green one.'
    const turn = await say(id, `Which?\nlab: call current_time {}\nlab: call finish {"result":"${result}"}`)
    const closing = () => heard.find(({ type }) => type === 'message')
    await vi.waitFor(() => expect(closing()).toBeDefined(), 20_000)
    expect(botResponse.parse(closing())).toMatchObject({ turn_id: turn, text: result, finished: true, calls: 2 })
    expect(bodies()).toHaveLength(2)
    await say(id, 'And which stove?')
    const seen = await view(id)
    expect([seen.usage.turns, seen.last_response?.text === result]).toEqual([2, false])
    expect(heard.findLast(({ type }) => type === 'message')).toMatchObject({ finished: false })
    const tools = bodies().map((text) => JSON.stringify((JSON.parse(text) as Record<string, unknown>)['tools']))
    expect(tools[0]).toContain('"finish"')
    expect(new Set(tools).size).toBe(1)
    expect(bodies().at(-1)).toContain(result)
    expect(
      bodies()
        .at(-1)
        ?.match(/"finish"/g),
    ).toHaveLength(1)
  })

  test('a result that is missing or empty goes back to the model, and ends nothing', async () => {
    const id = await begin({ ...anthropic, exit_tool: true })
    await say(id, 'Which?\nlab: call finish {}\nlab: call finish {"result":" "}')
    const { usage, tool_calls, last_response } = await view(id)
    expect([usage.turns, bodies().length]).toEqual([1, 3])
    expect(tool_calls.map(({ tool, outcome }) => [tool, outcome])).toEqual([
      ['finish', 'failed'],
      ['finish', 'failed'],
    ])
    expect(bodies().at(-1)).toContain('The result is empty.')
    expect(last_response?.text.trim()).not.toBe('')
  })

  test('without exit_tool there is no such tool; its name is taken only where it is offered', async () => {
    const finish = { name: 'finish', description: 'Ends a hike.', url: 'https://tools.example/finish' }
    const taken = await post('/bots', { ...anthropic, exit_tool: true, tools: [finish] })
    expect([taken.status, pick(taken, 'error', 'detail', 'field')]).toEqual([400, 'tools[0].name'])
    await begin({ ...anthropic, tools: [finish] })
    const secret = { provider: 'perplexity', secret: 'pplx-of-a-test' }
    const stored = await call('PUT', '/accounts/dev/credentials/pplx', secret, { key: ADMIN })
    expect(stored.status).toBe(201)
    const sonar = { provider: 'perplexity', model: 'sonar-pro', credential: 'pplx', allow_unpriced: true }
    const none = await post('/bots', { ...sonar, exit_tool: true })
    expect([none.status, pick(none, 'error', 'detail', 'field')]).toEqual([422, 'exit_tool'])
    await say(await begin(), 'Which?\nlab: call finish {"result":"This one."}')
    expect(bodies().at(-1)).not.toContain('"finish"')
  })

  test('a turn folds the usage and the cost of all its calls in, once', async () => {
    const id = await begin()
    await say(id, 'What time is it?\nlab: call current_time {}\nlab: call current_time {}')
    const { usage, calls, spent_usd } = await view(id)
    expect([usage.turns, calls.length]).toEqual([1, 3])
    expect(spent_usd).toBeCloseTo(
      calls.reduce((sum, { cost_usd }) => sum + (cost_usd ?? 0), 0),
      9,
    )
  })
})

describe('what is mended', () => {
  test.each([
    ['Anthropic', anthropic],
    ['OpenAI', openai],
  ])(
    'a conversation of 40 turns, longer than its history, with the time and with tools, is read from the cache on %s',
    async (_, body) => {
      const id = await begin({ ...body, system_prompt: body.system_prompt.slice(0, 9_000) })
      for (let turn = 0; turn < 40; turn += 1) {
        const calls = turn % 5 === 4 ? '\nlab: call current_time {}' : ''
        await say(
          id,
          `${turn}. ${'It rains in the mountains, and the wind is strong. '.repeat(6)}\nlab: say 200${calls}`,
        )
      }
      const { usage, token_count } = await view(id)
      expect(usage.turns).toBe(40)
      expect(bodies().at(-1)).not.toContain('"0. It rains')
      expect(bodies()[1]).toContain('"0. It rains')
      expect(usage.cached_input_tokens / usage.input_tokens).toBeGreaterThanOrEqual(0.85)
      expect(token_count).toBeLessThanOrEqual(8_192)
    },
  )

  test('the window counts tokens with the vocabulary of the model', async () => {
    const id = await begin({ ...anthropic, inject_time: false })
    for (let turn = 0; turn < 6; turn += 1)
      await say(id, `${turn}. 今天下午三点我们讨论新产品的发布计划。Which tent for two? 🎉`)
    const { token_count, usage } = await view(id)
    const config = await configOf(id)
    expect(config?.historyTokens).toBeGreaterThan(token_count)
    const last = usage.input_tokens / 6
    expect(Math.abs(token_count / last - 1)).toBeLessThan(0.1)
  })

  test('the cache key is the same for all its life', async () => {
    const id = await begin(openai)
    for (const text of ['One', 'Two', 'Three']) await say(id, text)
    await evictDurableObject(objectOf(id))
    await say(id, 'Four')
    const keys = bodies().map((body) => (JSON.parse(body) as Record<string, unknown>)['prompt_cache_key'])
    expect(keys).toEqual([id, id, id, id])
  })
})

import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  ADMIN,
  anthropicBody,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warmOf,
} from '../http/support.ts'

/**
 * msgflux's warming of a system prompt, line by line, and features that it lacks. Model pools are in msgflux-gateway.test.ts.
 */

const world = useLab()
const MODEL = 'claude-opus-5'
/** Plan without probes, for tests that are not about them. */
const once = { keep_warm: { plan: 'off' } }
const json = (index = 0): Record<string, unknown> =>
  JSON.parse(received(world.lab)[index]?.body ?? 'null') as Record<string, unknown>
const neutral = (more: Record<string, unknown> = {}) => ({
  provider: 'anthropic',
  model: MODEL,
  system: `You serve {{ tenant }}. ${longText()}`,
  vars: { tenant: 'acme' },
  ...once,
  ...more,
})
const responses = (more: Record<string, unknown> = {}) => ({
  provider: 'openai',
  ...once,
  request: { model: 'gpt-5.4', instructions: longText(), input: [{ role: 'user', content: 'Hi' }], ...more },
})
const chat = (more: Record<string, unknown> = {}) => ({
  provider: 'openai-chat',
  ...once,
  request: {
    model: 'gpt-5.4',
    messages: [
      { role: 'developer', content: longText() },
      { role: 'user', content: 'Hi' },
    ],
    ...more,
  },
})

afterEach(async () => {
  await call('DELETE', '/providers/openai', undefined, { key: ADMIN })
})

describe('the call', () => {
  it('renders vars into the system prompt', async () => {
    await post('/warm', neutral())
    expect(JSON.stringify(json()['system'])).toContain('You serve acme. ')
  })

  it('filters tools, and another filter is another prefix', async () => {
    const tools = ['book', 'find'].map((name) => ({ name }))
    const form = neutral({ tools })
    const all = await post('/warm', form)
    const one = await post('/warm', { ...form, tool_filter: { allow: ['find'] } })
    expect(json(1)['tools']).toMatchObject([{ name: 'find' }])
    expect(one.json['fingerprint']).not.toBe(all.json['fingerprint'])
  })

  it('takes vars, a filter and the settings of the agent together, and shows the body', async () => {
    const agent = {
      ...neutral({ model: 'claude-opus-4-8', tools: ['book', 'find'].map((name) => ({ name })) }),
      tool_filter: { deny: ['book'] },
      tool_choice: 'auto',
      parallel_tool_calls: false,
      effort: 'medium',
      thinking: 'adaptive',
      response_schema: { type: 'object', properties: {}, additionalProperties: false },
      stop: ['END'],
      temperature: 0.2,
    }
    const warmed = await post('/warm', agent)
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' }, warmth: { state: 'warm' } })
    const settings = {
      tools: [{ name: 'find' }],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      output_config: { effort: 'medium', format: { type: 'json_schema' } },
      thinking: { type: 'adaptive' },
    }
    expect(json()).toMatchObject(settings)
    expect(json()).not.toHaveProperty('stop_sequences')
    const shown = await get(`/prefixes/${pick(warmed, 'id')}/request`)
    expect(pick(shown, 'request')).toMatchObject({ ...settings, stop_sequences: ['END'] })
    expect(pick(shown, 'request')).not.toHaveProperty('temperature')
    expect(shown.json['advice']).toContainEqual(
      expect.objectContaining({ cause: 'sampling_left_out', at: 'temperature' }),
    )
  })

  it('fills a native body, and keeps its other bytes', async () => {
    const kept = `"system":"You serve caf\\u00e9 {{ tenant }}. ${longText()}", "tools":[ {"name":"find", "input_schema":{"type":"object","maximum":1e400}}`
    const request = `{ "model":"${MODEL}",${kept}, {"name":"book","input_schema":{"type":"object"}} ],"messages":[],"max_tokens":9}`
    const body = `{"provider":"anthropic","vars":{"tenant":"acme"},"tool_filter":{"allow":["find"]},"keep_warm":{"plan":"off"},"request":${request}}`
    const warmed = await post('/warm', body)
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const shown = await get(`/prefixes/${pick(warmed, 'id')}/request`)
    expect(shown.json['body']).toBe(
      `{ "model":"${MODEL}",${kept.replace('{{ tenant }}', 'acme')} ],"messages":[],"max_tokens":9}`,
    )
    const unknown = await post('/warm', body.replace('"find"]', '"lose"]'))
    expect(unknown.json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: 'tool_filter.allow[0]' } },
    })
  })

  it('returns the provider’s own answer in the foreground, usage and all', async () => {
    const [claude, gpt] = [await post('/warm', warmOf(anthropicBody())), await post('/warm', chat())]
    expect(pick(claude, 'receipt', 'provider_response', 'usage')).toMatchObject({
      cache_creation_input_tokens: expect.any(Number),
      cache_creation: { ephemeral_5m_input_tokens: expect.any(Number) },
    })
    expect(pick(gpt, 'receipt', 'provider_response')).toMatchObject({
      object: 'chat.completion',
      usage: { prompt_tokens_details: { cached_tokens: 0 } },
    })
  })

  it('can be asked for by many at once: one call, one receipt for all', async () => {
    const body = warmOf(anthropicBody())
    const all = await Promise.all(Array.from({ length: 5 }, () => post('/warm', body)))
    expect(all.map((one) => pick(one, 'receipt', 'kind'))).toEqual(Array.from({ length: 5 }, () => 'written'))
    expect(received(world.lab)).toHaveLength(1)
  })

  it('runs in the background, where it can be waited for and inspected', async () => {
    const queued = await post('/warm', warmOf(anthropicBody(), { background: true }))
    expect([queued.status, pick(queued, 'job', 'status')]).toEqual([202, 'queued'])
    const ended = await get(`/jobs/${pick(queued, 'job', 'id')}?wait=30s`)
    expect(ended.json).toMatchObject({ status: 'succeeded', receipt: { kind: 'written' }, failure: null })
  })

  it('says why a job in the background failed, and never how the key or the prompt reads', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', provider: 'openai', times: 9 })
    const queued = await post('/warm', { ...responses(), background: true })
    const ended = await get(`/jobs/${pick(queued, 'job', 'id')}?wait=30s`)
    expect(ended.json).toMatchObject({ status: 'failed', receipt: null, failure: { kind: 'provider_limited' } })
    expect(String(pick(ended, 'failure', 'message')).length).toBeGreaterThan(20)
    expect(ended.text).not.toContain('tents')
  })

  it('refuses a wait that is too long, and a job that does not exist', async () => {
    expect((await get('/jobs/job_000000000000000000000000?wait=2h')).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: 'wait' } },
    })
    expect((await get('/jobs/job_000000000000000000000000?wait=1s')).status).toBe(404)
  })

  it('answers unsupported where a model cannot be warmed', async () => {
    const nothing = await post('/warm', { provider: 'perplexity', model: 'sonar', system: longText() })
    expect([nothing.status, pick(nothing, 'error', 'kind')]).toEqual([422, 'unsupported'])
    const chained = await post('/warm', responses({ previous_response_id: 'resp_1' }))
    expect(chained.json).toMatchObject({
      error: { kind: 'unsupported', detail: { field: 'request.previous_response_id' } },
    })
    expect(received(world.lab)).toEqual([])
  })
})

describe('the output floor', () => {
  it('is the model’s: nothing for Claude, one token for Chat, sixteen for Responses', async () => {
    await post('/warm', warmOf(anthropicBody()))
    await post('/warm', chat())
    await post('/warm', responses())
    expect(json(0)['max_tokens']).toBe(0)
    expect(json(1)['max_completion_tokens']).toBe(1)
    expect(json(2)['max_output_tokens']).toBe(16)
  })

  it('can be raised for one call, and for a model', async () => {
    await post('/warm', { ...responses(), max_output_tokens: 40 })
    const models = [{ models: ['gpt-5.4'], output_floor_tokens: 64 }]
    await call('PATCH', '/providers/openai', { models }, { key: ADMIN })
    await post('/warm', responses())
    await post('/warm', { ...responses(), max_output_tokens: 20 })
    expect([0, 1, 2].map((index) => json(index)['max_output_tokens'])).toEqual([40, 64, 20])
  })

  it('rises by itself where the smaller one is refused', async () => {
    const error = { type: 'invalid_request_error', message: 'max_tokens: must be greater than or equal to 1' }
    vi.mocked(globalThis.fetch).mockImplementationOnce(async () =>
      Response.json({ type: 'error', error }, { status: 400 }),
    )
    const warmed = await post('/warm', warmOf(anthropicBody()))
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written', primitive: 'one_token' } })
    expect(json()['max_tokens']).toBe(1)
  })

  it('is never nothing where the provider refuses nothing: beside a forced tool', async () => {
    const tools = [{ name: 'find', input_schema: { type: 'object' } }]
    await post('/warm', warmOf({ ...anthropicBody(), tools, tool_choice: { type: 'tool', name: 'find' } }))
    expect(json()['max_tokens']).toBe(1)
  })
})

describe('what is sent', () => {
  it('is the real call’s system prompt, tools and every parameter that a cache may compare', async () => {
    const parameters = {
      reasoning_effort: 'low',
      tool_choice: 'auto',
      parallel_tool_calls: false,
    }
    const tools = [{ type: 'function', function: { name: 'find', parameters: { type: 'object', properties: {} } } }]
    const response_format = { type: 'json_object' }
    await post('/warm', chat({ temperature: 0.2, top_p: 0.9, ...parameters, tools, response_format }))
    // The response format is sent too, because this real call has one. Sampling changes no entry.
    expect(json()).toMatchObject({ ...parameters, tools, response_format })
    expect([json()['temperature'], json()['top_p']]).toEqual([undefined, undefined])
    await post('/warm', chat(parameters))
    expect(json(1)).not.toHaveProperty('response_format')
    expect(json(1)).not.toHaveProperty('tools')
  })

  it('is not the task and not what was said last', async () => {
    const system = longText()
    const task = 'Translate this very letter'
    await post('/warm', {
      provider: 'openai-chat',
      ...once,
      request: {
        model: 'gpt-5.4',
        messages: [
          { role: 'developer', content: system },
          { role: 'user', content: task },
        ],
      },
    })
    await post('/warm', warmOf({ ...anthropicBody(), messages: [{ role: 'user', content: task }] }))
    for (const { body } of received(world.lab)) expect(body).not.toContain(task)
    expect(json(0)['messages']).toMatchObject([{ role: 'developer', content: system }, { role: 'user' }])
  })

  it('is shown beforehand, byte for byte', async () => {
    const form = neutral()
    const shown = await post('/render', form)
    expect(received(world.lab)).toEqual([])
    await post('/warm', form)
    expect(received(world.lab)[0]?.body).toBe(pick(shown, 'probe', 'body'))
  })

  it('keeps what hooks of the caller did: what is registered is what is sent, to the byte', async () => {
    const odd = `{ "model":"${MODEL}", "max_tokens": 7,\n "system":[{"text":"${longText()}\\u00e9","type":"text","cache_control":{"type":"ephemeral"}}],\n "temperature": 1.0, "messages":[]}`
    await post('/warm', `{"provider":"anthropic","keep_warm":{"plan":"off"},"request":${odd}}`)
    const span = odd.slice(odd.indexOf('{"text"'), odd.indexOf(',"cache_control"'))
    expect(received(world.lab)[0]?.body).toContain(span)
    expect(received(world.lab)[0]?.body).not.toContain('temperature')
  })

  it('leaves no conversation at the provider', async () => {
    await post('/warm', responses({ store: true }))
    expect(json()['store']).toBe(false)
  })

  it('is never answered from a store of answers: each warm asks the provider', async () => {
    const body = warmOf(anthropicBody())
    const kinds = [await post('/warm', body), await post('/warm', body)].map((one) => pick(one, 'receipt', 'kind'))
    expect([kinds, received(world.lab).length]).toEqual([['written', 'full'], 2])
  })

  it('is no real request: it counts as a probe, with its cost, and as no hit', async () => {
    const warmed = await post('/warm', warmOf(anthropicBody()))
    const prefix = await get(`/prefixes/${pick(warmed, 'id')}`)
    expect(prefix.json).toMatchObject({ probes: 1, hits: 0, misses: 0, cost_usd: expect.any(Number) })
    expect(Number(pick(prefix, 'cost_usd'))).toBeGreaterThan(0)
  })
})

describe('what msgflux leaves open', () => {
  it('sends Claude a user turn that is not empty, and a marker at the end of the prefix', async () => {
    await post('/warm', neutral())
    const { messages, system } = json() as {
      messages: { role: string; content: string }[]
      system: { cache_control?: unknown }[]
    }
    expect(messages).toMatchObject([{ role: 'user', content: expect.stringMatching(/\S/) }])
    expect(system.at(-1)?.cache_control).toEqual({ type: 'ephemeral' })
  })

  it('reads usage of Chat and of Responses alike', async () => {
    for (const body of [chat({ model: 'gpt-4.1' }), responses({ model: 'gpt-4.1' })]) {
      const [first, second] = [await post('/warm', body), await post('/warm', body)]
      expect(pick(first, 'receipt', 'usage', 'cached_input_tokens')).toBe(0)
      expect(Number(pick(second, 'receipt', 'usage', 'cached_input_tokens'))).toBeGreaterThan(1_000)
    }
  })

  it('keeps it warm: a time to live, a next probe, a budget', async () => {
    const warmed = await post(
      '/warm',
      warmOf(anthropicBody(), { keep_warm: { plan: 'always', budget_usd_per_day: 0.5 } }),
    )
    expect(warmed.json).toMatchObject({
      warmth: { state: 'warm', warm_until: expect.any(String) },
      plan: { retention: '5m', next_probe_at: expect.any(String) },
    })
    const prefix = await get(`/prefixes/${pick(warmed, 'id')}`)
    expect(pick(prefix, 'keep_warm', 'budget_usd_per_day')).toBe(0.5)
  })

  it('takes a key, a retention and a breakpoint', async () => {
    await post('/warm', { ...responses(), cache: { key: 'workspace:acme' } })
    await post('/warm', warmOf(anthropicBody(), { cache: { retention: '1h' } }))
    expect(json(0)['prompt_cache_key']).toBe('workspace:acme')
    expect(received(world.lab)[1]?.body).toContain('"cache_control":{"type":"ephemeral","ttl":"1h"}')
  })

  it('recognises the same content in every registration', async () => {
    const form = neutral()
    const [first, second] = [await post('/warm', form), await post('/warm', { ...form, name: 'other' })]
    expect(second.json).toMatchObject({ id: first.json['id'], created: false })
  })

  it('verifies that a later request hits, by what that request says', async () => {
    const { key } = await newAccount()
    const warmed = await post('/warm', warmOf(anthropicBody()), { key })
    const [id, read] = [pick(warmed, 'id'), pick(warmed, 'receipt', 'usage', 'cache_write_input_tokens')]
    const usage = { input_tokens: 9, cache_read_input_tokens: read, cache_creation_input_tokens: 0, output_tokens: 3 }
    await post('/observations', [{ prefix_id: id, usage, started_at: new Date().toISOString() }], { key })
    await expect
      .poll(async () => (await get(`/prefixes/${id}`, { key })).json, { timeout: 10_000 })
      .toMatchObject({ hits: 1 })
  })

  it('says that a prefix is too small to be cached, before it is paid for', async () => {
    const small = await post('/warm', { provider: 'anthropic', model: MODEL, system: 'Be kind.' })
    expect(small.json).toMatchObject({ error: { kind: 'prefix_too_short', detail: { minimum_tokens: 512 } } })
    expect(received(world.lab)).toEqual([])
  })

  it('advises to put what changes behind what does not', async () => {
    const warmed = await post('/warm', neutral({ system: `It is now 10:32.\n${longText()}`, vars: undefined }))
    const found = (warmed.json['advice'] as { cause: string }[]).map(({ cause }) => cause)
    expect(found).toEqual(expect.arrayContaining(['timestamp', 'volatile_before_stable']))
  })
})

import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, test, vi } from 'vitest'
import { ADMIN, bindings, call, get, longText, newAccount, pick, post, received, useLab } from '../http/support.ts'
import { gatewayAnswer, poolWarmAnswer } from '../../src/contract/model-pool.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

/** Warming through msgflux's ModelGateway, line by line, with its faults mended. */

const world = useLab()
let counter = 0

interface Given {
  fallback?: boolean
  description?: string
  models: Record<string, unknown>[]
}

const fast = { name: 'fast', provider: 'anthropic', model: 'claude-opus-5' }
const slow = { name: 'slow', model: 'openai-chat/gpt-5.6-sol', description: 'For hard questions.' }
const third = { name: 'third', provider: 'anthropic', model: 'claude-opus-5-5' }

async function pool(given: Given = { models: [fast, slow, third] }): Promise<string> {
  counter += 1
  const name = `pool-${counter}`
  const { status, text } = await call('PUT', `/gateways/${name}`, given)
  expect([status, text]).toEqual([201, text])
  return name
}

const body = (gateway: string, more: Record<string, unknown> = {}) => ({
  gateway,
  system: longText(300),
  messages: [{ role: 'user', content: 'Always the same.' }],
  keep_warm: { plan: 'off' },
  ...more,
})
const models = (): unknown[] => received(world.lab).map(({ model }) => model)

/** A span that excludes a model now, at any hour. */
function now(): [string, string] {
  const at = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString().slice(11, 16)
  return [at(-2), at(2)]
}

describe('a pool', () => {
  test('is stored as it was given, listed, changed and deleted', async () => {
    const name = await pool({
      models: [{ ...fast, time_constraints: [['22:00', '06:00']] }, slow],
      description: 'Ours.',
    })
    const one = gatewayAnswer.parse((await get(`/gateways/${name}`)).json)
    expect(one).toMatchObject({
      name,
      description: 'Ours.',
      fallback: true,
      advice: [],
      models: [
        { ...fast, credential: 'default', description: null, time_constraints: [{ from: '22:00', to: '06:00' }] },
        { name: 'slow', provider: 'openai-chat', model: 'gpt-5.6-sol', description: 'For hard questions.' },
      ],
    })
    // A list does not say what is warm.
    const models = one.models.map((model) => ({ ...model, prefixes: undefined }))
    expect(pick(await get('/gateways'), 'data')).toContainEqual({ ...one, models })
    const changed = await call('PUT', `/gateways/${name}`, { models: [slow, fast], fallback: false })
    expect([changed.status, pick(changed, 'fallback'), pick(changed, 'models', 0, 'name')]).toEqual([
      200,
      false,
      'slow',
    ])
    expect((await call('DELETE', `/gateways/${name}`)).json).toEqual({ id: name, deleted: true })
    expect((await get(`/gateways/${name}`)).status).toBe(404)
    expect((await call('DELETE', `/gateways/${name}`)).status).toBe(404)
  })

  test('of one model is taken, with a warning', async () => {
    const name = await pool({ models: [fast] })
    expect(pick(await get(`/gateways/${name}`), 'advice', 0, 'cause')).toBe('one_model')
  })

  test.each([
    [{ models: [fast, { ...slow, name: 'fast' }] }, 'models[1].name'],
    [{ models: [{ ...fast, provider: 'nobody' }] }, 'models[0].provider'],
    [{ models: [fast, { name: 'b', model: 'gpt-5.6-sol' }] }, 'models[1].provider'],
    [{ models: [{ name: 'b', model: 'nobody/gpt-5.6-sol' }] }, 'models[0].model'],
    [{ models: [{ ...fast, credential: 'nobodys' }] }, 'models[0].credential'],
    [{ models: [] }, 'models'],
    [
      {
        models: [
          {
            ...fast,
            time_constraints: [
              ['06:00', '18:00'],
              ['17:00', '06:00'],
            ],
          },
        ],
      },
      'models[0].time_constraints',
    ],
    [{ models: [fast], fallback: 'yes' }, 'fallback'],
  ])('is refused with the field that is wrong: %#', async (given, field) => {
    const refused = await call('PUT', '/gateways/wrong', given)
    expect(refused.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })

  test('names the fault of a model without a known provider, and lists no provider as a model', async () => {
    const refused = await call('PUT', '/gateways/wrong', { models: [{ name: 'b', model: 'nobody/gpt-5.6-sol' }] })
    expect(pick(refused, 'error', 'message')).toMatch(
      /^models\[0\]\.model: must begin with a provider id, as in "provider\/id"/,
    )
  })

  test('belongs to its account', async () => {
    const name = await pool()
    const { key } = await newAccount()
    expect((await get(`/gateways/${name}`, { key })).status).toBe(404)
    expect((await post('/warm', body(name), { key })).json).toMatchObject({ error: { kind: 'not_found' } })
    expect((await get('/gateways', { key: ADMIN })).status).toBe(403)
  })
})

describe('a warm through a pool', () => {
  test('warms the first model that traffic reaches, says which, and answers its own receipt', async () => {
    const answer = await post('/warm', body(await pool(), { name: 'desk' }))
    expect(answer.status).toBe(200)
    const warm = poolWarmAnswer.parse(answer.json)
    expect(warm).toMatchObject({ warmed: ['fast'], fell_back: false, model_preference: null })
    expect(warm.models.map(({ name, status }) => [name, status])).toEqual([
      ['fast', 'warmed'],
      ['slow', 'standby'],
      ['third', 'standby'],
    ])
    expect(pick(answer, 'models', 0, 'result')).toMatchObject({
      name: 'desk/fast',
      receipt: { kind: 'written', provider_response: { type: 'message' } },
    })
    expect(models()).toEqual(['claude-opus-5'])
  })

  test('warms the preferred model first', async () => {
    const { json } = await post('/warm', body(await pool(), { model_preference: 'third' }))
    expect(json).toMatchObject({ warmed: ['third'], fell_back: false, model_preference: 'third' })
    expect(models()).toEqual(['claude-opus-5-5'])
  })

  test('warms all that traffic may fall back to, if that is asked', async () => {
    const warm = poolWarmAnswer.parse((await post('/warm', body(await pool(), { gateway_models: 'all' }))).json)
    expect(warm.warmed).toEqual(['fast', 'slow', 'third'])
    expect(models().toSorted()).toEqual(['claude-opus-5', 'claude-opus-5-5', 'gpt-5.6-sol'])
    expect(new Set(warm.models.map(({ result }) => result?.id)).size).toBe(3)
  })

  test('goes on to the next model where one fails, and never calls that the first one’s success', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', provider: 'anthropic', model: 'claude-opus-5' })
    const warm = poolWarmAnswer.parse((await post('/warm', body(await pool()))).json)
    expect(warm).toMatchObject({ warmed: ['slow'], fell_back: true })
    expect(warm.models).toMatchObject([
      { name: 'fast', status: 'failed', result: null, failure: { kind: 'provider_limited' } },
      { name: 'slow', status: 'warmed', failure: null },
      { name: 'third', status: 'standby' },
    ])
  })

  test('without fallback stays with its one model, and fails as it fails', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', provider: 'anthropic', model: 'claude-opus-5' })
    const failed = await post('/warm', body(await pool({ models: [fast, slow], fallback: false })))
    expect(failed.json).toMatchObject({
      error: { kind: 'provider_limited', detail: { models: ['fast'], kinds: ['provider_limited'] } },
    })
    expect(models()).not.toContain('gpt-5.6-sol')
  })

  test('skips models in their closed hours, and refuses before any call if none is left', async () => {
    const barred = { ...fast, time_constraints: [now()] }
    const warm = poolWarmAnswer.parse((await post('/warm', body(await pool({ models: [barred, slow] })))).json)
    expect(warm).toMatchObject({ warmed: ['slow'], fell_back: true })
    expect(warm.models.find(({ name }) => name === 'fast')).toMatchObject({
      status: 'barred',
      usable_at: expect.any(String),
    })
    const sent = models().length
    const only = await post('/warm', body(await pool({ models: [barred, slow], fallback: false })))
    expect(only.json).toMatchObject({ error: { kind: 'conflict', detail: { field: 'gateway' } } })
    expect(models()).toHaveLength(sent)
  })

  test('that fails everywhere is one failure with every model’s own', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota' })
    const failed = await post('/warm', body(await pool({ models: [fast, slow] })))
    expect(failed.json).toMatchObject({
      error: {
        kind: 'provider_limited',
        message: expect.stringMatching(/fast: .* slow: /),
        detail: { models: ['fast', 'slow'], kinds: ['provider_limited', 'provider_limited'] },
      },
    })
  })

  test('refuses a preference that the pool does not have, and a pool that is not there', async () => {
    const name = await pool()
    expect((await post('/warm', body(name, { model_preference: 'best' }))).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: 'model_preference', known: ['fast', 'slow', 'third'] } },
    })
    expect((await post('/warm', body('no-such-pool'))).json).toMatchObject({
      error: { kind: 'not_found', detail: { field: 'gateway' } },
    })
  })

  test('refuses a label that leaves no room for the models’ own, before they drain each other', async () => {
    const long = body(await pool(), { name: 'x'.repeat(200), gateway_models: 'all' })
    expect((await post('/warm', long)).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: 'name' }, message: expect.stringContaining('194') },
    })
    expect(models()).toEqual([])
    const fits = await post('/warm', { ...long, name: 'x'.repeat(194) })
    expect(new Set([0, 1, 2].map((index) => pick(fits, 'models', index, 'result', 'name'))).size).toBe(3)
  })

  test.each([
    ['provider', 'anthropic'],
    ['model', 'claude-opus-5'],
    ['credential', 'mine'],
  ])('refuses %s beside it, which the pool sets', async (field, value) => {
    const given = body(await pool(), { [field]: value })
    expect((await post('/warm', given)).json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })

  test('can be put into the background, or only be shown', async () => {
    const name = await pool()
    const queued = await post('/warm', body(name, { background: true }))
    expect([queued.status, pick(queued, 'models', 0, 'status')]).toEqual([202, 'queued'])
    const job = `/jobs/${pick(queued, 'models', 0, 'result', 'job', 'id')}`
    await expect.poll(async () => (await get(job)).json['status'], { timeout: 10_000 }).toBe('succeeded')
    const sent = models().length
    const shown = poolWarmAnswer.parse((await post('/warm', body(name, { dry_run: true, gateway_models: 'all' }))).json)
    expect(shown.models.map(({ status }) => status)).toEqual(['shown', 'shown', 'shown'])
    expect(models()).toHaveLength(sent)
  })

  test('in the background goes on to the next model by itself, also after an eviction', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', provider: 'anthropic', times: 9 })
    const name = await pool({ models: [fast, third, slow] })
    const provider = world.hold()
    const queued = await post(
      '/warm',
      body(name, { name: 'desk', background: true, keep_warm: { plan: { probes: 2 } } }),
    )
    expect([queued.status, poolWarmAnswer.parse(queued.json).models.map(({ status }) => status)]).toEqual([
      202,
      ['queued', 'standby', 'standby'],
    ])
    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    provider.release()
    let job = String(pick(queued, 'models', 0, 'result', 'job', 'id'))
    const ended: unknown[] = []
    for (const _ of [fast, third, slow]) {
      const state = async () => (await get(`/jobs/${job}`)).json
      await expect.poll(async () => (await state())['finished_at'], { timeout: 20_000 }).not.toBeNull()
      const json = await state()
      ended.push(json['status'])
      job = String(json['fallback_job'])
    }
    expect([ended, job]).toEqual([['failed', 'failed', 'succeeded'], 'undefined'])
    expect(models()).toEqual(['claude-opus-5', 'claude-opus-5-5', 'gpt-5.6-sol'])
    const shown = gatewayAnswer.parse((await get(`/gateways/${name}`)).json)
    expect(shown.models.map(({ prefixes }) => prefixes?.map((one) => [one.name, one.state]))).toEqual([
      [['desk/fast', 'unknown']],
      [['desk/third', 'unknown']],
      [['desk/slow', 'warm']],
    ])
    const last = await get(`/prefixes/${shown.models[2]?.prefixes?.[0]?.id}`)
    expect(last.json).toMatchObject({ name: 'desk/slow', keep_warm: { plan: { probes: 2 } } })
  })

  test('in the background keeps nothing of the models that it did not need', async () => {
    const name = await pool()
    const queued = await post('/warm', body(name, { system: `Alone. ${longText(300)}`, background: true }))
    const { json } = await get(`/jobs/${pick(queued, 'models', 0, 'result', 'job', 'id')}?wait=30s`)
    expect(json).toMatchObject({ status: 'succeeded' })
    expect(json).not.toHaveProperty('fallback_job')
    await expect
      .poll(async () => {
        const shown = gatewayAnswer.parse((await get(`/gateways/${name}`)).json)
        return shown.models.map(({ prefixes }) => prefixes?.map((one) => one.why))
      })
      .toEqual([[expect.any(String)], [], []])
    expect(models()).toEqual(['claude-opus-5'])
  })

  test('in the background keeps a model that it did not need where a caller gave it a plan', async () => {
    const name = await pool()
    const provider = world.hold()
    const queued = await post('/warm', body(name, { system: `Kept. ${longText(300)}`, background: true }))
    const known = gatewayAnswer.parse((await get(`/gateways/${name}`)).json)
    const [wanted, other] = [1, 2].map((index) => known.models[index]?.prefixes?.[0]?.id ?? 'none')
    // A caller who keeps it warm from tomorrow on: no call is due before the chain ends.
    const tomorrow = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][(new Date().getUTCDay() + 2) % 7]
    const windows = [{ days: tomorrow, from: '12:00', to: '13:00', time_zone: 'UTC' }]
    expect((await call('PATCH', `/prefixes/${wanted}`, { keep_warm: { plan: 'always', windows } })).status).toBe(200)
    provider.release()
    await get(`/jobs/${pick(queued, 'models', 0, 'result', 'job', 'id')}?wait=30s`)
    await expect.poll(async () => (await get(`/prefixes/${other}`)).status).toBe(404)
    expect((await get(`/prefixes/${wanted}`)).json).toMatchObject({ keep_warm: { plan: 'always' }, probes: 0 })
    expect(models()).toEqual(['claude-opus-5'])
  })

  test('in the background names the models that cannot be sent, and warms the first that can', async () => {
    const mini = { name: 'mini', model: 'openai/gpt-5.6-sol' }
    const queued = await post(
      '/warm',
      body(await pool({ models: [mini, fast] }), { thinking: 'adaptive', background: true }),
    )
    expect(poolWarmAnswer.parse(queued.json)).toMatchObject({
      fell_back: true,
      models: [
        { name: 'mini', status: 'failed', failure: { kind: 'unsupported', detail: { field: 'thinking' } } },
        { name: 'fast', status: 'queued' },
      ],
    })
    const { json } = await get(`/jobs/${pick(queued, 'models', 1, 'result', 'job', 'id')}?wait=30s`)
    expect(json).toMatchObject({ status: 'succeeded' })
    expect(models()).toEqual(['claude-opus-5'])
  })

  const native = {
    model: 'my-alias',
    max_tokens: 9,
    system: [{ type: 'text', text: `Native. ${longText(300)}`, cache_control: { type: 'ephemeral' } }],
    messages: [{ role: 'user', content: 'Hi' }],
  }

  test('takes a native body where its models share a format, each with its own model', async () => {
    const name = await pool({ models: [fast, third] })
    const {
      model: _,
      messages: __,
      system: ___,
      ...rest
    } = body(name, { gateway_models: 'all' }) as Record<string, unknown>
    const warm = poolWarmAnswer.parse((await post('/warm', { ...rest, request: native })).json)
    expect(warm.warmed).toEqual(['fast', 'third'])
    expect(models().toSorted()).toEqual(['claude-opus-5', 'claude-opus-5-5'])
    const shown = await get(`/prefixes/${warm.models[1]?.result?.id}/request`)
    expect(pick(shown, 'request')).toEqual({ ...native, model: 'claude-opus-5-5', messages: [] })
  })

  test('refuses a native body where its models take several formats', async () => {
    const refused = await post('/warm', { gateway: await pool(), request: native })
    expect(refused.json).toMatchObject({
      error: {
        kind: 'invalid_request',
        detail: { field: 'request' },
        message: expect.stringContaining('anthropic-messages and openai-chat'),
      },
    })
    expect(models()).toEqual([])
  })
})

describe('an agent in a pool', () => {
  test('sends vars, a tool filter and its settings in one call, to every model in its format', async () => {
    const object = { type: 'object', properties: {}, additionalProperties: false }
    const agent = {
      vars: { tenant: 'acme' },
      system: `You serve {{ tenant }}. ${longText(300)}`,
      tools: ['book', 'find'].map((name) => ({ name, parameters: object })),
      tool_filter: { deny: ['book'] },
      tool_choice: 'auto',
      parallel_tool_calls: false,
      effort: 'medium',
      response_schema: object,
    }
    const name = await pool({ models: [fast, slow] })
    const warm = poolWarmAnswer.parse((await post('/warm', body(name, { ...agent, gateway_models: 'all' }))).json)
    expect(warm.models.map(({ status }) => status)).toEqual(['warmed', 'warmed'])
    const requests = await Promise.all(
      warm.models.map(async ({ result }) => pick(await get(`/prefixes/${result?.id}/request`), 'request')),
    )
    for (const request of requests) expect(JSON.stringify(request)).toContain('You serve acme.')
    expect(requests).toMatchObject([
      {
        model: 'claude-opus-5',
        tools: [{ name: 'find' }],
        tool_choice: { type: 'auto', disable_parallel_tool_use: true },
        output_config: { effort: 'medium', format: { type: 'json_schema' } },
      },
      {
        model: 'gpt-5.6-sol',
        tools: [{ function: { name: 'find' } }],
        tool_choice: 'auto',
        parallel_tool_calls: false,
        reasoning_effort: 'medium',
        response_format: { type: 'json_schema' },
      },
    ])
  })
})

describe('regions', () => {
  const claude = { provider: 'bedrock', model: 'anthropic.claude-sonnet-4-5' }
  const pair = { models: ['eu-west-1', 'us-east-1'].map((region) => ({ name: region, ...claude, region })) }

  test('of one model are warmed by one registration, as prefixes of their own', async () => {
    const name = await pool(pair)
    const given = body(name, { gateway_models: 'all', name: 'regions' })
    const warm = poolWarmAnswer.parse((await post('/warm', given)).json)
    expect(warm.models.map(({ status }) => status)).toEqual(['warmed', 'warmed'])
    const ids = warm.models.map(({ result }) => result?.id)
    expect(new Set(ids).size).toBe(2)
    expect((await get(`/prefixes/${ids[0]}`)).json).toMatchObject({ region: 'eu-west-1', name: 'regions/eu-west-1' })
    const again = poolWarmAnswer.parse((await post('/warm', given)).json)
    expect(again.models.map(({ result }) => result?.id)).toEqual(ids)
    expect(gatewayAnswer.parse((await get(`/gateways/${name}`)).json).models).toMatchObject([
      { region: 'eu-west-1', prefixes: [{ id: ids[0], state: 'warm' }] },
      { region: 'us-east-1', prefixes: [{ id: ids[1], state: 'warm' }] },
    ])
    const { provider, model } = claude
    const alone = await post('/warm', {
      provider,
      model,
      system: given.system,
      messages: given.messages,
      region: 'us-east-1',
    })
    expect(alone.json).toMatchObject({ id: ids[1], created: false })
  })

  test('are refused where the address holds none, and where they are none', async () => {
    for (const [models, field] of [
      [[{ ...fast, region: 'eu-west-1' }], 'models[0].region'],
      [[{ name: 'a', ...claude, region: 'evil.example/' }], 'models[0].region'],
    ] as const) {
      expect((await call('PUT', '/gateways/wrong', { models })).json).toMatchObject({
        error: { kind: 'invalid_request', detail: { field } },
      })
    }
    const direct = await post('/warm', {
      provider: 'anthropic',
      model: 'claude-opus-5',
      system: longText(300),
      region: 'eu',
    })
    expect(direct.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field: 'region' } } })
    expect(models()).toEqual([])
  })

  test('of a credential are where its calls go', async () => {
    const path = '/accounts/dev/credentials/frankfurt'
    const secret = 'a-key-of-frankfurt'
    const put = await call('PUT', path, { provider: 'bedrock-openai', secret, region: 'eu-central-1' }, { key: ADMIN })
    expect(put.json).toMatchObject({ region: 'eu-central-1', host: 'bedrock-mantle.eu-central-1.api.aws' })
    let url = ''
    vi.mocked(globalThis.fetch).mockImplementationOnce(async (input) => {
      url = String(input)
      return Response.json({ error: { message: 'no', type: 'x', code: 'x', param: null } }, { status: 400 })
    })
    const warmed = await post('/warm', {
      provider: 'bedrock-openai',
      model: 'openai.gpt-5.6-sol',
      credential: 'frankfurt',
      system: longText(300),
      keep_warm: { plan: 'off' },
    })
    expect(url).toBe('https://bedrock-mantle.eu-central-1.api.aws/openai/v1/responses')
    expect(warmed.json).toMatchObject({ error: { kind: 'provider_rejected' } })
    await call('DELETE', path, undefined, { key: ADMIN })
  })
})

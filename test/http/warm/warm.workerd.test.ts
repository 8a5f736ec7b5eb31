import { describe, expect, it } from 'vitest'
import { prefixAnswer, requestAnswer, warmthAnswer } from '../../../src/contract/prefix.ts'
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
} from '../support.ts'
import { dryRunAnswer, warmAnswer } from '../../../src/contract/warm.ts'

const world = useLab()

describe('a foreground warm', () => {
  it('writes once, answers the receipt, and shows the same when asked later', async () => {
    const warmed = await post('/warm', warmOf(anthropicBody(), { name: 'tents', keep_warm: { plan: 'always' } }))
    expect(warmed.status).toBe(200)
    expect(() => warmAnswer.parse(warmed.json)).not.toThrow()
    expect(warmed.json).toMatchObject({
      created: true,
      warmth: { state: 'warm' },
      receipt: { kind: 'written', primitive: 'zero_output', provider_response: { type: 'message' } },
      plan: { plan: 'always', retention: '5m', stopped: null },
    })
    const id = pick(warmed, 'id')
    const [prefix, warmth, list] = [
      await get(`/prefixes/${id}`),
      await get(`/prefixes/${id}/warmth`),
      await get('/prefixes?name=tents'),
    ]
    expect(prefixAnswer.parse(prefix.json)).toMatchObject({ id, name: 'tents', probes: 1, hits: 0, misses: 0 })
    expect(pick(prefix, 'cost_usd')).toBe(pick(warmed, 'receipt', 'cost_usd'))
    expect(warmthAnswer.parse(warmth.json)).toMatchObject({ state: 'warm', last_receipt: { kind: 'written' } })
    expect(pick(list, 'data')).toEqual([prefix.json])
    expect(received(world.lab)).toHaveLength(1)
  })

  it('knows the same content under other spacing, and reads what it wrote', async () => {
    const body = anthropicBody()
    const first = await post('/warm', warmOf(body))
    const spaced = `{ "provider" : "anthropic",\n "keep_warm":{"plan":"off"}, "request":\n${JSON.stringify(body, null, 3)} }`
    const second = await post('/warm', spaced)
    expect(second.json).toMatchObject({ id: first.json['id'], created: false, receipt: { kind: 'full' } })
    // What is stored, and shown, is the first caller's text.
    const shown = await get(`/prefixes/${pick(first, 'id')}/request`)
    expect(pick(shown, 'body')).toContain('{"model":"claude-opus-5","max_tokens":512')
  })

  it('says that a known prefix keeps the retention it was registered at', async () => {
    const body = anthropicBody()
    await post('/warm', warmOf(body))
    const again = await post('/warm', warmOf(body, { cache: { retention: '1h' } }))
    expect(pick(again, 'plan', 'retention')).toBe('5m')
    expect(pick(again, 'advice', 0, 'cause')).toBe('retention_kept')
  })

  it('keeps the bytes of the body: odd order, long numbers and escapes come out as they went in', async () => {
    const system = `[{"type":"text","text":${JSON.stringify(longText())},"cache_control":{"type":"ephemeral"}}]`
    const tools =
      '[{"name":"b","input_schema":{"type":"object","properties":{"2":{"maximum":1.00e3,"minimum":12345678901234567890},"1":{"description":"\\u00e9\\/"}}}}]'
    const request = `{ "tools":${tools} , "system":${system},"model":"claude-opus-5","max_tokens":9,\n"messages":[{"role":"user","content":"x"}],"metadata":{"user_id":"\\u0061"}}`
    const warmed = await post('/warm', `{"provider":"anthropic","keep_warm":{"plan":"off"},"request":${request}}`)
    expect(warmed.status).toBe(200)
    const shown = await get(`/prefixes/${pick(warmed, 'id')}/request`)
    expect(() => requestAnswer.parse(shown.json)).not.toThrow()
    const body = String(pick(shown, 'body'))
    for (const span of [`"tools":${tools}`, `"system":${system}`, '"metadata":{"user_id":"\\u0061"}']) {
      expect(body).toContain(span)
      expect(received(world.lab)[0]?.body).toContain(span)
    }
    // The inlined form is the same text, not a re-serialisation of it.
    expect(shown.text.endsWith(`"request":${body}}`)).toBe(true)
    expect(pick(shown, 'prefix_ends_at', 'path')).toBe('system[0]')
    const end = Number(pick(shown, 'prefix_ends_at', 'byte'))
    expect(Buffer.from(body).subarray(0, end).toString()).toMatch(/"cache_control":\{"type":"ephemeral"\}\}$/)
  })

  it('gives two hundred callers at once one write and one receipt, whatever their spacing', async () => {
    const body = anthropicBody()
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        post(
          '/warm',
          `{"provider":"anthropic",${' '.repeat(index)}"request":${JSON.stringify(body, null, index % 7)}}`,
        ),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(answers.map((answer) => pick(answer, 'id'))).size).toBe(1)
    expect(answers.filter((answer) => pick(answer, 'created') === true)).toHaveLength(1)
    expect(received(world.lab)).toHaveLength(1)
    const receipts = answers.map((answer) => [pick(answer, 'receipt', 'kind'), pick(answer, 'receipt', 'at')].join())
    expect(new Set(receipts).size).toBe(1)
    expect(receipts[0]).toMatch(/^written,/)
  })

  it('ends and is shared when the first caller hangs up', async () => {
    world.lab.faults.add({ kind: 'slow_first_token', delay_ms: 1_500, times: 1 })
    const body = warmOf()
    const hangUp = new AbortController()
    const first = post('/warm', body, { signal: hangUp.signal }).catch((error: unknown) => error)
    await expect.poll(() => received(world.lab).length).toBe(1)
    const second = post('/warm', body)
    hangUp.abort()
    expect(await first).toBeInstanceOf(Error)
    expect((await second).json).toMatchObject({ created: false, receipt: { kind: 'written' } })
    expect(received(world.lab)).toHaveLength(1)
  })

  it('throws the provider’s failure with its status, and keeps the prefix', async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', times: 1 })
    const failed = await post('/warm', warmOf())
    expect(failed.status).toBeGreaterThanOrEqual(500)
    const id = pick(failed, 'error', 'detail', 'prefix_id')
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ id, warmth: { state: 'unknown' } })
    expect((await get(`/prefixes/${id}`)).json['last_failure']).toMatchObject({ kind: pick(failed, 'error', 'kind') })
  })
})

describe('in the other wire formats', () => {
  const text = longText(300)
  const bodies: [string, unknown, Record<string, unknown>][] = [
    ['openai', { model: 'gpt-5.6-sol', instructions: text, input: 'hello' }, {}],
    [
      'openai-chat',
      {
        model: 'gpt-5.6-sol',
        messages: [
          { role: 'developer', content: text },
          { role: 'user', content: 'hi' },
        ],
      },
      {},
    ],
    [
      'gemini',
      { systemInstruction: { parts: [{ text }] }, contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
      { model: 'gemini-2.5-flash' },
    ],
  ]
  it.each(bodies)('warms %s', async (provider, request, more) => {
    const warmed = await post('/warm', { provider, request, keep_warm: { plan: 'off' }, ...more })
    expect(warmed.text).toContain('"receipt":{')
    expect(warmed.status).toBe(200)
    expect(() => warmAnswer.parse(warmed.json)).not.toThrow()
  })

  it('sends the template filled in and the tools that pass the filter, and nothing else', async () => {
    const rest = longText()
    const system = `You serve {{ tenant }}.\n{% if polite %}Be kind.{% endif %}\n${rest}`
    const tools = ['find', 'book', 'delete'].map((name) => ({ name, parameters: { type: 'object' } }))
    const form = { provider: 'anthropic', model: 'claude-opus-5', system, tools }
    const warmed = await post('/warm', {
      ...form,
      vars: { tenant: 'acme', polite: true },
      tool_filter: { deny: ['delete'] },
    })
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const sent = JSON.parse(received(world.lab)[0]?.body ?? '') as { tools: unknown; system: [{ text: string }] }
    expect(sent.tools).toMatchObject([{ name: 'find' }, { name: 'book' }])
    expect(sent.system[0].text).toBe(`You serve acme.\nBe kind.\n${rest}`)

    const other = await post('/warm', {
      ...form,
      vars: { tenant: 'globex', polite: true },
      tool_filter: { deny: ['delete'] },
    })
    expect(other.json).toMatchObject({ created: true })
    expect(other.json['fingerprint']).not.toBe(warmed.json['fingerprint'])
  })

  it('takes the neutral form, and keeps the bytes of its schemas', async () => {
    const schema = '{"type":"object", "properties":{"10":{"type":"string"},"9":{"type":"number","maximum":1.0}}}'
    const warmed = await post(
      '/warm',
      `{"provider":"anthropic","model":"claude-opus-5","system":${JSON.stringify(longText())},"keep_warm":{"plan":"off"},
        "tools":[{"name":"find","description":"Finds.","parameters":${schema}}],"messages":[{"role":"user","content":"Always the same"}]}`,
    )
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' } })
    const shown = await get(`/prefixes/${pick(warmed, 'id')}/request`)
    expect(pick(shown, 'body')).toContain(`"input_schema":${schema}`)
    expect(pick(shown, 'prefix_ends_at', 'path')).toBe('messages[0].content[0]')
  })
})

describe('a background warm', () => {
  it('answers a job that ends with the receipt', async () => {
    const queued = await post('/warm', warmOf(anthropicBody(), { background: true }))
    expect(queued.status).toBe(202)
    expect(queued.json).toMatchObject({ receipt: null, job: { status: 'queued', receipt: null } })
    const job = `/jobs/${pick(queued, 'job', 'id')}`
    await expect.poll(async () => (await get(job)).json['status'], { timeout: 10_000 }).toBe('succeeded')
    expect((await get(job)).json).toMatchObject({ receipt: { kind: 'written' }, failure: null })
  })
})

describe('a dry run', () => {
  it('answers plan and price, stores nothing and sends nothing', async () => {
    const { key } = await newAccount()
    const answer = await post('/warm', warmOf(anthropicBody(), { dry_run: true, keep_warm: { plan: 'always' } }), {
      key,
    })
    expect(answer.status).toBe(200)
    const dry = dryRunAnswer.parse(answer.json)
    // One probe before each lapse of five minutes, and a little more often for its lead.
    expect(dry.plan.probes_per_day).toBeGreaterThan(288)
    expect(dry.plan.probes_per_day).toBeLessThan(288 * 1.15)
    expect(dry.plan.cost_usd_per_day).toBeCloseTo((dry.plan.probe_cost_usd ?? 0) * (dry.plan.probes_per_day ?? 0), 6)
    expect(dry.plan.first_write_cost_usd).toBeGreaterThan(dry.plan.probe_cost_usd ?? Infinity)
    expect(pick(await get('/prefixes', { key }), 'data')).toEqual([])
    expect(received(world.lab)).toEqual([])
    const real = await post('/warm', warmOf(anthropicBody('x'), { dry_run: true }), { key })
    expect(real.json).toMatchObject({ error: { kind: 'prefix_too_short' } })
  })

  it('does not guess a price that nobody knows', async () => {
    const body = { ...anthropicBody(), model: 'claude-of-tomorrow' }
    const answer = await post('/warm', warmOf(body, { dry_run: true, keep_warm: { plan: 'always' } }))
    expect(answer.json).toMatchObject({ plan: { cost_usd_per_day: null, first_write_cost_usd: null } })
  })

  it('says that the budget does not hold the worst case of the first call, and how much is enough for it', async () => {
    const request = { ...anthropicBody(longText(1_600)), model: 'claude-opus-4-8' }
    const asked = (budget: number, dry: boolean) =>
      post(
        '/warm',
        warmOf(request, {
          dry_run: dry,
          cache: { retention: '1h' },
          keep_warm: { plan: 'auto', budget_usd_per_day: budget },
        }),
      )
    const free = dryRunAnswer.parse((await asked(100, true)).json)
    expect(free.advice.map(({ cause }) => cause)).not.toContain('budget_below_worst_case')
    expect(free.plan.probes_per_day).toBeGreaterThan(0)
    // Enough for the write itself, and not for what it reserves.
    const small = (free.plan.first_write_cost_usd ?? 0) * 1.2
    const dry = dryRunAnswer.parse((await asked(small, true)).json)
    expect(dry.plan).toMatchObject({ probes_per_day: 0, cost_usd_per_day: 0 })
    const said = dry.advice.find(({ cause }) => cause === 'budget_below_worst_case')
    expect(said?.at).toBe('keep_warm.budget_usd_per_day')
    const enough = Number(/([\d.]+) is enough for that call/.exec(said?.message ?? '')?.[1])
    expect(enough).toBeLessThan((free.plan.first_write_cost_usd ?? 0) * 2.02)
    expect((await asked(small, false)).status).toBe(402)
    expect(received(world.lab)).toEqual([])
    expect(dryRunAnswer.parse((await asked(enough, true)).json).advice.map(({ cause }) => cause)).not.toContain(
      'budget_below_worst_case',
    )
    expect((await asked(enough, false)).status).toBe(200)
  })

  it('says how a plan rests where no probe can pay, and that an unknown price is why a figure is missing', async () => {
    const request = { model: 'gpt-4o', messages: [{ role: 'system', content: longText() }] }
    const chat = await post('/warm', { provider: 'openai-chat', request, dry_run: true })
    expect(chat.json).toMatchObject({
      plan: { probes_per_day: 0, cost_usd_per_day: 0, why: expect.stringContaining('not_worth_it') },
    })
    const unpriced = await post('/warm', {
      provider: 'openai',
      request: { model: 'gpt-5.6-sol', input: [{ role: 'system', content: longText() }] },
      cache: { retention: '12h' },
      dry_run: true,
      keep_warm: { plan: 'always' },
    })
    expect(unpriced.json).toMatchObject({
      plan: {
        first_write_cost_usd: null,
        probes_per_day: 0,
        why: expect.stringContaining('price_unknown'),
        how: expect.stringContaining('first_write_cost_usd is null'),
      },
    })
  })
})

describe('required caching', () => {
  it('fails when the provider did not cache', async () => {
    world.lab.faults.add({ kind: 'no_write' })
    const answer = await post('/warm', warmOf(anthropicBody(), { cache: { mode: 'required' } }))
    expect(answer.status).toBe(424)
    expect(answer.json).toMatchObject({ error: { kind: 'cache_not_honoured' } })
  })

  it('calls a prefix too short only where nothing can help it, or where caching is required', async () => {
    const short = anthropicBody('Five words stand right here.')
    expect((await post('/warm', warmOf(short))).json).toMatchObject({
      error: { kind: 'prefix_too_short', detail: { field: 'request', minimum_tokens: 512 } },
    })
    const doubtful = anthropicBody(`Doubtful. ${'ab '.repeat(600)}`) // some 1,800 bytes: 450 tokens by four, 900 by two
    expect((await post('/warm', warmOf(doubtful, { cache: { mode: 'required' } }))).status).toBe(422)
    expect((await post('/warm', warmOf(doubtful))).status).toBe(200)
  })
})

describe('a prefix', () => {
  it('is a new version under its name when its body changes, and once it is warm, the old one is no longer probed', async () => {
    const plan = { name: 'versions', keep_warm: { plan: 'always' } }
    const first = await post('/warm', warmOf(anthropicBody(), plan))
    const second = await post('/warm', warmOf(anthropicBody(), plan))
    expect([pick(first, 'version'), pick(second, 'version')]).toEqual([1, 2])
    expect((await get(`/prefixes/${pick(first, 'id')}`)).json).toMatchObject({
      superseded: true,
      plan: { next_probe_at: null, stopped: { reason: 'superseded' } },
    })
  })

  it('changes its plan member by member, and its name', async () => {
    const id = pick(
      await post('/warm', warmOf(anthropicBody(), { keep_warm: { plan: { probes: 3 }, idle_timeout: '6h' } })),
      'id',
    )
    const windows = [{ days: 'mon-fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin' }]
    const changed = await call('PATCH', `/prefixes/${id}`, {
      name: 'new name',
      keep_warm: { windows, budget_usd_per_day: 2.5 },
    })
    expect(changed.json).toMatchObject({
      name: 'new name',
      keep_warm: {
        plan: { probes: 3 },
        idle_timeout: '6h',
        windows: [{ days: 'mon,tue,wed,thu,fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin' }],
        budget_usd_per_day: 2.5,
      },
    })
    const cleared = await call('PATCH', `/prefixes/${id}`, {
      name: null,
      keep_warm: { idle_timeout: null, plan: 'off' },
    })
    expect(cleared.json).toMatchObject({
      name: null,
      keep_warm: { plan: 'off', idle_timeout: null },
      plan: { stopped: { reason: 'plan_off' } },
    })
  })

  it('is warmed again on request, and gone when deleted', async () => {
    const id = pick(await post('/warm', warmOf()), 'id')
    expect((await post(`/prefixes/${id}/warm`)).json).toMatchObject({ id, created: false, receipt: { kind: 'full' } })
    const later = await post(`/prefixes/${id}/warm`, { background: true })
    expect([later.status, pick(later, 'job', 'prefix_id')]).toEqual([202, id])
    expect((await call('DELETE', `/prefixes/${id}`)).json).toEqual({ id, deleted: true })
    for (const path of ['', '/warmth', '/history', '/request'])
      expect((await get(`/prefixes/${id}${path}`)).status).toBe(404)
  })

  it('refuses what the budget of the day cannot carry, and stays registered', async () => {
    const answer = await post('/warm', warmOf(anthropicBody(), { keep_warm: { budget_usd_per_day: 0.000001 } }))
    expect(answer.status).toBe(402)
    const id = pick(answer, 'error', 'detail', 'prefix_id')
    expect((await get(`/prefixes/${id}`)).status).toBe(200)
    expect(received(world.lab)).toEqual([])
  })

  it('is neither warmed nor probed while the kill switch is on, and goes on when it is lifted', async () => {
    const { id: account, key } = await newAccount()
    const id = pick(await post('/warm', warmOf(anthropicBody(), { keep_warm: { plan: 'always' } }), { key }), 'id')
    const thrown = await post('/kill-switch', { on: true }, { key: ADMIN })
    expect(thrown.json).toMatchObject({ on: true, failed: 0 })
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).json).toMatchObject({ error: { kind: 'forbidden' } })
    expect(pick(await get(`/accounts/${account}`, { key: ADMIN }), 'global_kill_switch')).toBe(true)
    const late = await newAccount()
    expect((await post('/warm', warmOf(), { key: late.key })).status).toBe(403)
    await post('/kill-switch', { on: false }, { key: ADMIN })
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).status).toBe(200)
  })
})

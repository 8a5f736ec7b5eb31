import { describe, expect, it } from 'vitest'
import { dryRunAnswer, renderAnswer } from '../../../src/contract/warm.ts'
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
  warm,
} from '../support.ts'

const world = useLab()

describe('POST /render', () => {
  it('shows the very bytes that a warm of the same body sends, and sends nothing itself', async () => {
    const form = {
      provider: 'anthropic',
      model: 'claude-opus-5',
      system: `You serve {{ tenant }}.\n${longText()}`,
      tools: [{ name: 'find' }, { name: 'write' }],
      vars: { tenant: 'acme' },
      tool_filter: { deny: ['write'] },
    }
    const shown = await post('/render', form)
    expect(shown.status).toBe(200)
    expect(() => renderAnswer.parse(shown.json)).not.toThrow()
    expect(received(world.lab)).toEqual([])
    expect(pick(await get('/prefixes?limit=100'), 'data')).not.toContainEqual(
      expect.objectContaining({ fingerprint: shown.json['fingerprint'] }),
    )
    const { byte } = shown.json['prefix_ends_at'] as { byte: number }
    const before = new TextDecoder().decode(new TextEncoder().encode(String(shown.json['body'])).slice(0, byte))
    expect(before.endsWith('"cache_control":{"type":"ephemeral","ttl":"1h"}}')).toBe(true)

    const warmed = await post('/warm', form)
    expect(received(world.lab)[0]?.body).toBe(pick(shown, 'probe', 'body'))
    expect(pick(await get(`/prefixes/${pick(warmed, 'id')}/request`), 'sha256')).toBe(shown.json['sha256'])
    expect(warmed.json['fingerprint']).toBe(shown.json['fingerprint'])
  })

  it('shows a prefix that is too short to be warmed, and says so', async () => {
    const shown = await post('/render', { provider: 'anthropic', model: 'claude-opus-4-8', system: 'Be kind.' })
    expect(shown.json).toMatchObject({ minimum_tokens: 1024, advice: [{ cause: 'below_minimum', at: '/system' }] })
  })
})

describe('lint at registration', () => {
  const secret = `sk-ant-api03-${'aB3dE5fG7h'.repeat(4)}`
  const body = () => anthropicBody(`Key: ${secret}\nToday is 2026-11-21.\n${longText()}`)

  it('reports findings with place and correction, and the prefix stores them without the secret', async () => {
    const warmed = await warm(body(), { lint: 'advice' })
    const advice = warmed.json['advice'] as { cause: string }[]
    expect(advice.filter(({ cause }) => cause === 'secret' || cause === 'date')).toMatchObject([
      {
        cause: 'secret',
        at: '/request/system/0/text',
        line: 1,
        column: 6,
        severity: 'warning',
        fix: expect.any(String),
      },
      {
        cause: 'date',
        at: '/request/system/0/text',
        line: 2,
        column: 10,
        severity: 'warning',
        fix: expect.any(String),
      },
    ])
    expect(warmed.text).not.toContain(secret)
    const kept = await get(`/prefixes/${pick(warmed, 'id')}`)
    expect(pick(kept, 'advice')).toEqual(advice)
  })

  it('refuses on request before anything is sent, and names every place', async () => {
    const refused = await warm(body(), { lint: 'error' })
    expect(refused.status).toBe(400)
    expect(refused.json).toMatchObject({
      error: { kind: 'invalid_request', detail: { cause: 'secret', field: '/request/system/0/text' } },
    })
    expect(pick(refused, 'error', 'detail', 'findings')).toContain('date /request/system/0/text line 2')
    expect(refused.text).not.toContain(secret)
    expect(received(world.lab)).toEqual([])
  })

  it('is silent on request, and refuses no hint', async () => {
    expect(pick(await warm(body(), { lint: 'off' }), 'advice')).toEqual([])
    const tools = ['find', 'book'].map((name) => ({ name, input_schema: { type: 'object' } }))
    const rules = 'You answer questions about tents, stoves and sleeping mats.\n'.repeat(200)
    const hinted = await warm({ ...anthropicBody(rules), tools }, { lint: 'error' })
    expect(hinted.json).toMatchObject({ receipt: { kind: 'written' }, advice: [{ cause: 'unstable_tool_order' }] })
  })

  it('refuses a body whose real requests cannot read what is written', async () => {
    const { system: _, ...rest } = anthropicBody()
    const refused = await warm({ ...rest, system: 'You know tents.\n'.repeat(900) }, { lint: 'error' })
    expect(pick(refused, 'error', 'detail', 'cause')).toBe('no_marker')
  })
})

describe('a dry run', () => {
  it('answers plan and price, stores nothing and sends nothing', async () => {
    const { key } = await newAccount()
    const answer = await warm(
      anthropicBody(),
      { dry_run: true, keep_warm: { plan: 'always' } },
      {
        key,
      },
    )
    expect(answer.status).toBe(200)
    const dry = dryRunAnswer.parse(answer.json)
    // One probe before each lapse of five minutes, and a little more often for its lead.
    expect(dry.plan.probes_per_day).toBeGreaterThan(288)
    expect(dry.plan.probes_per_day).toBeLessThan(288 * 1.15)
    expect(dry.plan.cost_usd_per_day).toBeCloseTo((dry.plan.probe_cost_usd ?? 0) * (dry.plan.probes_per_day ?? 0), 6)
    expect(dry.plan.first_write_cost_usd).toBeGreaterThan(dry.plan.probe_cost_usd ?? Infinity)
    expect(pick(await get('/prefixes', { key }), 'data')).toEqual([])
    expect(received(world.lab)).toEqual([])
    const real = await warm(anthropicBody('x'), { dry_run: true }, { key })
    expect(real.json).toMatchObject({ error: { kind: 'prefix_too_short' } })
  })

  it('gives no price that is not known', async () => {
    const body = { ...anthropicBody(), model: 'claude-of-tomorrow' }
    const answer = await warm(body, { dry_run: true, keep_warm: { plan: 'always' } })
    expect(answer.json).toMatchObject({ plan: { cost_usd_per_day: null, first_write_cost_usd: null } })
  })

  it('names the budget of the account that would refuse the call, and what is missing', async () => {
    const { id, key } = await newAccount()
    const request = { ...anthropicBody(longText(400)), model: 'claude-opus-4-8' }
    const asked = async (dry: boolean) =>
      warm(request, { dry_run: dry, keep_warm: { plan: 'off', budget_usd_per_day: 100 } }, { key })
    const adviceOf = async () => dryRunAnswer.parse((await asked(true)).json).advice.map(({ cause }) => cause)
    const price = dryRunAnswer.parse((await asked(true)).json).plan.first_write_cost_usd ?? 0
    expect(await adviceOf()).not.toContain('account_budget_spent')
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: price / 2 }, { key: ADMIN })
    const dry = dryRunAnswer.parse((await asked(true)).json)
    const said = dry.advice.find(({ cause }) => cause === 'account_budget_spent')
    expect(said?.at).toBe('account.budget_usd_per_day')
    expect((await asked(false)).status).toBe(402)
    const more = Number(/\$([\d.]+) more is enough/.exec(said?.message ?? '')?.[1])
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: price / 2 + more }, { key: ADMIN })
    expect(await adviceOf()).not.toContain('account_budget_spent')
    expect((await asked(false)).status).toBe(200)
  })

  it('names the budget of a prefix whose day is spent', async () => {
    const request = { ...anthropicBody(longText(400)), model: 'claude-opus-4-8' }
    const asked = async (budget: number, dry: boolean) =>
      warm(request, { dry_run: dry, keep_warm: { plan: 'off', budget_usd_per_day: budget } })
    const price = dryRunAnswer.parse((await asked(100, true)).json).plan.first_write_cost_usd ?? 0
    expect((await asked(price * 1.3, false)).status).toBe(200)
    const dry = dryRunAnswer.parse((await asked(price * 1.3, true)).json)
    expect(dry.advice.map(({ cause, at }) => [cause, at])).toContainEqual([
      'budget_spent',
      'keep_warm.budget_usd_per_day',
    ])
    expect((await asked(price * 1.3, false)).status).toBe(402)
  })

  it('reports a budget below the worst case of the first call, and the amount that is enough', async () => {
    const request = { ...anthropicBody(longText(1_600)), model: 'claude-opus-4-8' }
    const asked = (budget: number, dry: boolean) =>
      warm(request, {
        dry_run: dry,
        cache: { retention: '1h' },
        keep_warm: { plan: 'auto', budget_usd_per_day: budget },
      })
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
    expect(enough).toBeLessThan((free.plan.first_write_cost_usd ?? 0) * 4.2)
    expect(received(world.lab)).toEqual([])
    // The provider's own count does not fit either.
    expect((await asked((free.plan.first_write_cost_usd ?? 0) * 0.9, false)).status).toBe(402)
    expect(received(world.lab).map(({ path }) => path)).toEqual(['v1/messages/count_tokens'])
    expect(dryRunAnswer.parse((await asked(enough, true)).json).advice.map(({ cause }) => cause)).not.toContain(
      'budget_below_worst_case',
    )
    expect((await asked(enough, false)).status).toBe(200)
  })

  it('gives the stop reason where no probe pays, and why a cost is missing', async () => {
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

import { describe, expect, it } from 'vitest'
import { ADMIN, anthropicBody, billed, call, get, longText, newAccount, pick, post, useLab, warm } from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()

/** A body for a deployment of the lab's that no card knows. */
const unknown = (text = longText()) => ({ ...anthropicBody(text), model: 'lab-deployment' })
const refusal = (answer: Answer) => [
  answer.status,
  pick(answer, 'error', 'kind'),
  pick(answer, 'error', 'detail', 'field'),
]
const sent = () => billed(world.lab).length

describe('a model without a price', () => {
  it('is warmed for a caller who waits, and costs nobody knows what', async () => {
    const answer = await warm(unknown())
    expect(answer.status).toBe(200)
    expect(pick(answer, 'receipt', 'cost_usd')).toBeNull()
    expect((await post(`/prefixes/${pick(answer, 'id')}/warm`)).status).toBe(200)
    expect(sent()).toBe(2)
  })

  it('is not warmed in the background without a word, and nothing is registered', async () => {
    const body = unknown()
    expect(refusal(await warm(body, { background: true }))).toEqual([400, 'invalid_request', 'allow_unpriced'])
    expect(refusal(await warm(body, { allow_unpriced: false }))).toEqual([400, 'invalid_request', 'allow_unpriced'])
    expect(sent()).toBe(0)
    const allowed = await warm(body, { background: true, allow_unpriced: true })
    expect(allowed.json).toMatchObject({ created: true, job: { status: 'queued' } })
    const ended = await get(`/jobs/${pick(allowed, 'job', 'id')}?wait=30s`)
    expect(ended.json).toMatchObject({ status: 'succeeded', receipt: { kind: 'written' } })
    const again = `/prefixes/${pick(allowed, 'id')}/warm`
    expect(refusal(await post(again, { background: true }))).toEqual([400, 'invalid_request', 'allow_unpriced'])
    const second = await post(again, { background: true, allow_unpriced: true })
    expect((await get(`/jobs/${pick(second, 'job', 'id')}?wait=30s`)).json).toMatchObject({ status: 'succeeded' })
  })

  it('is not warmed through a pool without a word: the pool chose it', async () => {
    const models = [{ name: 'first', provider: 'anthropic', model: 'lab-deployment' }]
    expect((await call('PUT', '/gateways/unpriced', { models })).status).toBeLessThan(300)
    const neutral = { gateway: 'unpriced', system: longText(), keep_warm: { plan: 'off' } }
    expect(refusal(await post('/warm', neutral))).toEqual([400, 'invalid_request', 'allow_unpriced'])
    expect(sent()).toBe(0)
    expect((await post('/warm', { ...neutral, allow_unpriced: true })).status).toBe(200)
  })

  it('fails the agent of a crew that gives no word, and that one alone', async () => {
    const agent = (more: object) => ({ provider: 'anthropic', request: unknown(), keep_warm: { plan: 'off' }, ...more })
    const crew = await post('/preload', { strategy: 'parallel', agents: [agent({}), agent({ allow_unpriced: true })] })
    expect(pick(crew, 'agents')).toMatchObject([
      { status: 'failed', failure: { kind: 'invalid_request', detail: { field: 'agents[0].allow_unpriced' } } },
      { status: 'succeeded', receipt: { kind: 'written', cost_usd: null } },
    ])
    expect(sent()).toBe(1)
  })

  it('writes the shared head of a crew on the word of its agents', async () => {
    const system = [{ type: 'text', text: longText(), cache_control: { type: 'ephemeral' } }]
    const agents = ['Cook.', 'Guide.'].map((role) => ({
      provider: 'anthropic',
      request: { ...unknown(), system: [...system, { type: 'text', text: `${role} ${longText()}` }] },
      keep_warm: { plan: 'off' },
      allow_unpriced: true,
    }))
    const crew = await post('/preload', { agents })
    expect(crew.json).toMatchObject({ status: 'succeeded', failed: 0 })
  })

  it('is no model of a bot without a word', async () => {
    const bot = { provider: 'anthropic', model: 'lab-deployment', system_prompt: 'Be brief.' }
    expect(refusal(await post('/bots', bot))).toEqual([400, 'invalid_request', 'allow_unpriced'])
    expect((await post('/bots', { ...bot, allow_unpriced: true })).status).toBe(201)
  })

  it('is never warmed against a budget of the account', async () => {
    const { id, key } = await newAccount()
    const change = { budget_usd_per_day: 100, allowed_secrets: ['ANTHROPIC_API_KEY'] }
    await call('PATCH', `/accounts/${id}`, change, { key: ADMIN })
    const answer = await warm(unknown(), { allow_unpriced: true }, { key })
    expect([answer.status, pick(answer, 'error', 'kind')]).toEqual([402, 'budget_exhausted'])
    expect(pick(answer, 'error', 'message')).toMatch(/no price is known/)
    expect(sent()).toBe(0)
  })
})

describe('keep_warm.max_usd_per_call', () => {
  it('refuses a call above it before it is sent, and says so', async () => {
    const answer = await warm(anthropicBody(), { keep_warm: { plan: 'off', max_usd_per_call: 0.000_001 } })
    expect([answer.status, pick(answer, 'error', 'kind')]).toEqual([402, 'budget_exhausted'])
    expect(pick(answer, 'error', 'message')).toContain('is above keep_warm.max_usd_per_call ($0.00000100)')
    expect(sent()).toBe(0)
    const id = String(pick(answer, 'error', 'detail', 'prefix_id'))
    const raised = await call('PATCH', `/prefixes/${id}`, { keep_warm: { max_usd_per_call: 1 } })
    expect(pick(raised, 'keep_warm', 'max_usd_per_call')).toBe(1)
    expect((await post(`/prefixes/${id}/warm`)).status).toBe(200)
    const none = await call('PATCH', `/prefixes/${id}`, { keep_warm: { max_usd_per_call: null } })
    expect(pick(none, 'keep_warm', 'max_usd_per_call')).toBeNull()
  })

  it('is told of in a dry run, with a cap that is enough', async () => {
    const body = anthropicBody()
    const dry = await warm(body, { dry_run: true, keep_warm: { plan: 'always', max_usd_per_call: 0.000_001 } })
    const advice = pick(dry, 'advice') as { cause: string; message: string; at: string }[]
    const told = advice.find(({ cause }) => cause === 'cap_below_worst_case')
    expect(told?.at).toBe('keep_warm.max_usd_per_call')
    expect(pick(dry, 'plan', 'probes_per_day')).toBe(0)
    const enough = Number(/A cap of \$([\d.]+) is enough/.exec(told?.message ?? '')?.[1])
    expect((await warm(body, { keep_warm: { plan: 'off', max_usd_per_call: enough } })).status).toBe(200)
  })

  it.each([-1, '1', 2_000_000, {}])('is refused as %j, by its name', async (max_usd_per_call) => {
    const answer = await warm(anthropicBody(), { keep_warm: { max_usd_per_call } })
    expect(refusal(answer)).toEqual([400, 'invalid_request', 'keep_warm.max_usd_per_call'])
  })
})

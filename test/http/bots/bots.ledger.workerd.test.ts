import { afterEach, expect, it, vi } from 'vitest'
import { ledgerAnswer } from '../../../src/contract/ledger.ts'
import { anthropic, hear, objectOf } from './support.ts'
import { ADMIN, billed, call, get, newAccount, pick, post, received, useLab } from '../support.ts'

const world = useLab()

afterEach(() => {
  vi.restoreAllMocks()
})

/** A bot in a new account with these settings. */
async function botOf(settings: Record<string, unknown>, limits: Record<string, unknown> = {}) {
  const { id: account, key } = await newAccount()
  await call('PATCH', `/accounts/${account}`, { allowed_secrets: ['ANTHROPIC_API_KEY'], ...settings }, { key: ADMIN })
  const bot = pick(await post('/bots', { ...anthropic, ...limits }, { key }), 'id') as string
  const say = async (text: string): Promise<void> => {
    const turn = pick(await post(`/bots/${bot}/messages`, { text }, { key }), 'turn_id')
    await vi.waitFor(async () => {
      const { history } = await objectOf(bot, account).view()
      expect(history.some(({ event, what }) => event === turn && what === 'handled')).toBe(true)
    }, 60_000)
  }
  const ledger = async (query = '') => ledgerAnswer.parse((await get(`/ledger${query}`, { key })).json)
  return { account, key, bot, say, ledger }
}

it('the cost of a bot is in the ledger and the metrics, apart from that of warming', async () => {
  const { key, bot, say, ledger } = await botOf({})
  await say('Which tent for two?')
  await say('And which stove?')
  const spent = pick(await get(`/bots/${bot}`, { key }), 'spent_usd') as number
  const { totals, data } = await ledger()
  expect(totals).toMatchObject({ bot_calls: 2, bot_unpriced_calls: 0, calls: 0, cost_usd: 0, net_usd: 0 })
  expect(totals.bot_cost_usd).toBeCloseTo(spent, 9)
  expect(data).toMatchObject([
    { type: 'bot', bot_id: bot, purpose: 'answer', outcome: 'answered', cost_usd: expect.any(Number) },
    { type: 'bot', bot_id: bot },
  ])
  expect((await ledger('?group=day')).data[0]).toMatchObject({ bot_calls: 2 })
  const { text } = await get('/metrics', { key })
  expect(text).toMatch(/^pilotlight_bot_calls_total 2$/m)
  expect(Number(/^pilotlight_bot_cost_usd_total (.*)$/m.exec(text)?.[1])).toBeCloseTo(spent, 9)
  expect(text).toMatch(/^pilotlight_calls_total 0$/m)
})

it('the account’s daily budget stops a bot before it spends', async () => {
  const { key, bot, say } = await botOf({ budget_usd_per_day: 0.01 })
  await say('Which tent for two?')
  expect(billed(world.lab)).toHaveLength(0)
  const seen = (await get(`/bots/${bot}`, { key })).json
  expect(seen).toMatchObject({ status: 'running', spent_usd: 0, usage: { turns: 0 } })
  const { key: other, bot: rich, say: ask } = await botOf({ budget_usd_per_day: 10 })
  await ask('Which tent for two?')
  expect(pick(await get(`/bots/${rich}`, { key: other }), 'usage', 'turns')).toBe(1)
})

it('a new bot is told that its account’s budget holds no call, and what would be enough', async () => {
  const { id: account, key } = await newAccount()
  const start = async (usd: number | null, more: Record<string, unknown> = {}) => {
    await call('PATCH', `/accounts/${account}`, { budget_usd_per_day: usd }, { key: ADMIN })
    const advice = pick(await post('/bots', { ...anthropic, lint: 'off', ...more }, { key }), 'advice')
    return (advice ?? []) as { cause: string; at: string; message: string }[]
  }
  expect(await start(null)).toEqual([])
  const [said, ...others] = await start(0.01)
  expect([said?.cause, said?.at, others]).toEqual(['account_budget_spent', 'account.budget_usd_per_day', []])
  const more = Number(/\$([\d.]+) more is enough/.exec(said?.message ?? '')?.[1])
  expect(await start(0.01 + more)).toEqual([])
  const unpriced = await start(5, { model: 'claude-of-nobody', allow_unpriced: true })
  expect(unpriced.map(({ cause }) => cause)).toEqual(['budget_without_price'])
  expect(received(world.lab)).toEqual([])
})

it('a budget that bytes do not hold asks for the provider’s own count, once for a call', async () => {
  const rich = await botOf({ budget_usd_per_day: 100 })
  await rich.say('Which tent for two?')
  const cost = (await rich.ledger()).totals.bot_cost_usd ?? 0
  // The longest answer is reserved too: 4,096 tokens at $25 a million.
  const { key, bot, say, ledger } = await botOf({ budget_usd_per_day: cost * 1.2 + 4_096 * 25e-6 })
  await say('Which tent for two?')
  expect(received(world.lab).map(({ path }) => path)).toEqual([
    'v1/messages',
    'v1/messages/count_tokens',
    'v1/messages',
  ])
  const { totals } = await ledger()
  expect(totals).toMatchObject({ bot_calls: 1, cost_usd: 0 })
  expect(totals.bot_cost_usd).toBeLessThanOrEqual(cost)
  expect(pick(await get(`/bots/${bot}`, { key }), 'usage', 'turns')).toBe(1)
})

it.each([
  ['refuses', { kind: 'server_error', times: 1 }, 'it refused with status 500'],
  ['says nothing that can be read', { kind: 'malformed', times: 1 }, 'its answer cannot be read'],
] as const)(
  'a count of a bot’s call that the provider %s leaves the bound of the bytes, and is told',
  async (_, fault, why) => {
    const { key, bot, say } = await botOf({ budget_usd_per_day: 0.13 })
    world.lab.faults.add({ ...fault, provider: 'anthropic' })
    const { heard } = await hear(bot, key)
    await say('Which tent for two?')
    expect(received(world.lab).map(({ path }) => path)).toEqual(['v1/messages/count_tokens'])
    await vi.waitFor(() => expect(JSON.stringify(heard)).toContain(why))
    expect(JSON.stringify(heard)).toContain('budget_exhausted')
  },
)

it.each([
  ['no counts', { kind: 'missing_usage' }],
  ['counts that cannot be true', { kind: 'wrong_usage', how: 'huge' }],
] as const)('a bot’s budget counts what the ledger charges: an answer with %s at its worst case', async (_, fault) => {
  const { key, bot, say, ledger } = await botOf({}, { cost_budget_usd: 0.05 })
  for (let turn = 0; turn < 20; turn++) {
    if (pick(await get(`/bots/${bot}`, { key }), 'status') !== 'running') break
    world.lab.faults.add({ ...fault, provider: 'anthropic', times: 1 })
    await say('Which tent for two?')
  }
  const { spent_usd: spent, status } = (await get(`/bots/${bot}`, { key })).json as Record<string, unknown>
  const { totals } = await ledger()
  expect(status).toBe('cost_budget_exceeded')
  expect(spent).toBeCloseTo(totals.bot_cost_usd ?? Number.NaN, 9)
  // The turn that exceeds the budget is finished, and no other begins.
  expect(spent).toBeLessThan(0.05 + Number(spent) / totals.bot_calls + 1e-9)
})

import { runDurableObjectAlarm } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import { ledgerAnswer } from '../../../src/contract/ledger.ts'
import { objectOf } from '../bots/support.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
} from '../support.ts'

/** Calls whose cost is known late, or not by their answer: after an error, a new price, or midnight. */

const world = useLab()
const DAY_MS = 86_400_000

afterEach(async () => {
  vi.useRealTimers()
  await call('DELETE', '/providers/anthropic', undefined, { key: ADMIN })
  await told()
})

async function told(): Promise<void> {
  const directory = bindings.DIRECTORY.getByName('directory')
  while ((await directory.rollOut()).pending > 0) await runDurableObjectAlarm(directory)
}

async function price(input: number): Promise<void> {
  const row = { input, cached_input: input / 10, cache_write: { '5m': input }, output: input, from: '2026-01-01' }
  const models = [{ models: ['claude-opus-5'], prices: [{ ...row, source: 'a test' }] }]
  expect((await call('PATCH', '/providers/anthropic', { models }, { key: ADMIN })).status).toBe(200)
  await told()
}

interface Billed {
  input_tokens: number
  cache_creation_input_tokens: number
  cache_read_input_tokens: number
  output_tokens: number
}

/** What the lab billed for the calls so far, at one price of all tokens but those read. */
function billedUsd(input: number): number {
  return received(world.lab).reduce((sum, { usage }) => {
    const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens } = usage as Billed
    const whole = input_tokens + cache_creation_input_tokens + output_tokens + cache_read_input_tokens / 10
    return sum + (whole * input) / 1e6
  }, 0)
}

const ledgerOf = async (key: string, query = '') => ledgerAnswer.parse((await get(`/ledger${query}`, { key })).json)

it('an error with usage is charged for it, by prefix, by account and by bot', async () => {
  await price(4)
  const { id, key } = await newAccount()
  const charged = () => world.lab.faults.add({ kind: 'server_error', charged: true, times: 1 })
  charged()
  const failed = await post(
    '/warm',
    { provider: 'anthropic', request: anthropicBody(), keep_warm: { plan: 'off' } },
    { key },
  )
  expect(failed).toMatchObject({ status: 503, json: { error: { kind: 'provider_unavailable' } } })
  const billed = billedUsd(4)
  expect(billed).toBeGreaterThan(0)
  const { data, totals } = await ledgerOf(key)
  expect(totals.cost_usd).toBeCloseTo(billed, 9)
  expect(data).toMatchObject([{ kind: 'unknown', why: expect.stringContaining('counted tokens') }])
  expect((data[0] as { cost_usd: number }).cost_usd).toBeCloseTo(billed, 9)

  const given = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: longText(), cost_budget_usd: 1 }
  const bot = pick(await post('/bots', { ...given, keep_warm: { plan: 'off' } }, { key }), 'id') as string
  charged()
  const turn = pick(await post(`/bots/${bot}/messages`, { text: 'Which tent for two?' }, { key }), 'turn_id')
  await vi.waitFor(async () => {
    const { history } = await objectOf(bot, id).view()
    expect(history.some(({ event, what }) => event === turn && what === 'handled')).toBe(true)
  }, 60_000)
  const ofBot = billedUsd(4) - billed
  expect(ofBot).toBeGreaterThan(0)
  expect((await ledgerOf(key)).totals.bot_cost_usd).toBeCloseTo(ofBot, 9)
  expect(pick(await get(`/bots/${bot}`, { key }), 'spent_usd')).toBeCloseTo(ofBot, 9)
})

it('a call in flight is charged at the price of its sending, and the next at the raised one', async () => {
  await price(4)
  const { key } = await newAccount()
  const request = anthropicBody()
  const warm = () => post('/warm', { provider: 'anthropic', request, keep_warm: { plan: 'off' } }, { key })
  const gate = world.hold()
  const slow = warm()
  await vi.waitUntil(() => received(world.lab).length === 1, 30_000)
  await price(12)
  gate.release()
  const billed = billedUsd(4)
  expect(pick(await slow, 'receipt', 'cost_usd')).toBeCloseTo(billed, 9)
  expect((await ledgerOf(key)).totals.cost_usd).toBeCloseTo(billed, 9)
  const before = billedUsd(12)
  const next = pick(await warm(), 'receipt', 'cost_usd')
  expect(next).toBeCloseTo(billedUsd(12) - before, 9)
})

it('a slow call at midnight counts on the day on which it was sent, for its prefix and its account', async () => {
  await price(4)
  const midnight = (Math.floor(Date.now() / DAY_MS) + 2) * DAY_MS
  const { id, key } = await newAccount()
  vi.useFakeTimers({ toFake: ['Date'], now: midnight - 1_000 })
  const request = anthropicBody()
  const prepared = { provider: 'anthropic', request, keep_warm: { plan: 'off', budget_usd_per_day: 1 } }
  const gate = world.hold()
  const slow = post('/warm', prepared, { key })
  await vi.waitUntil(() => received(world.lab).length === 1, 30_000)
  vi.setSystemTime(midnight + 1_000)
  gate.release()
  expect((await slow).status).toBe(200)
  const billed = billedUsd(4)
  const [yesterday, today] = [midnight - 1, midnight].map((at) => new Date(at).toISOString().slice(0, 10))
  const days = async () => (await ledgerOf(key, `?group=day&from=${yesterday}&to=${today}`)).data
  const costs = (await days()).map((row) => row as { day: string; cost_usd: number })
  expect(costs.find(({ day }) => day === yesterday)?.cost_usd).toBeCloseTo(billed, 9)
  expect(costs.find(({ day }) => day === today)?.cost_usd ?? 0).toBe(0)
  // Today's budgets are whole: they hold one call, and yesterday's has not used them.
  await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: billed * 1.2 }, { key: ADMIN })
  const more = { ...prepared, keep_warm: { plan: 'off', budget_usd_per_day: billed * 1.2 } }
  expect((await post('/warm', more, { key })).status).toBe(200)
  expect((await days()).map((row) => (row as { cost_usd: number }).cost_usd > 0)).toEqual([true, true])
})

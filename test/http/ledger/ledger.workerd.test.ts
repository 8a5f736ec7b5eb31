import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { historyAnswer } from '../../../src/contract/history.ts'
import { ledgerAnswer } from '../../../src/contract/ledger.ts'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { listOf } from '../../../src/contract/values.ts'
import { anthropicBody, call, get, longText, pick, post, useLab, warm } from '../support.ts'
import { DAY_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

useLab()
/** Ahead of the machine's clock, and another day for each test, so that the entries of earlier tests are not in it. */
let start = Date.UTC(2032, 0, 6, 12)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  start += DAY_MS
  vi.setSystemTime(start)
})
afterEach(() => {
  vi.useRealTimers()
})

/** Written at the start, renewed after four minutes, read by a real request after eight. */
async function saved(): Promise<string> {
  const warmed = await warm(anthropicBody(longText()))
  const id = String(pick(warmed, 'id'))
  const tokens = Number(pick(warmed, 'receipt', 'usage', 'cache_write_input_tokens'))
  vi.setSystemTime(start + 4 * MINUTE_MS)
  await post(`/prefixes/${id}/warm`)
  vi.setSystemTime(start + 8 * MINUTE_MS)
  const usage = { input_tokens: 9, cache_read_input_tokens: tokens, cache_creation_input_tokens: 0 }
  await post('/observations', [{ prefix_id: id, usage, started_at: start + 8 * MINUTE_MS }])
  return id
}

const today = (): string => new Date(start).toISOString().slice(0, 10)

describe('GET /ledger', () => {
  it('has an entry for every call and every saving, and their sums', async () => {
    const id = await saved()
    const prefix = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
    const answer = ledgerAnswer.parse((await get(`/ledger?from=${today()}`)).json)
    expect(answer).toMatchObject({ from: today(), to: today(), group: 'entry', next_cursor: null })
    expect(answer.holdout).toMatchObject({ held_out_gaps: 0, measured: null, why: expect.stringContaining('needs 30') })
    expect(answer.data).toMatchObject([
      { type: 'call', prefix_id: id, purpose: 'write', kind: 'written' },
      { type: 'call', prefix_id: id, kind: 'full' },
      { type: 'saving', prefix_id: id, kind: 'credited', at: new Date(start + 8 * MINUTE_MS).toISOString() },
    ])
    expect(prefix).toMatchObject({ savings: 1, unpriced_savings: 0, hits: 1 })
    expect(prefix.saved_usd).toBeGreaterThan(0)
    expect(prefix.net_usd).toBeCloseTo((prefix.saved_usd ?? 0) - (prefix.cost_usd ?? 0), 12)
    const { cost_usd, saved_usd, net_usd } = prefix
    expect(answer.totals).toMatchObject({ calls: 2, cost_usd, saved_usd, net_usd, savings: 1, hits: 1, misses: 0 })
    const costs = answer.data.map((entry) => ('cost_usd' in entry ? (entry.cost_usd ?? 0) : 0))
    expect(costs.reduce((sum, one) => sum + one, 0)).toBeCloseTo(cost_usd ?? 0, 12)
    const history = await get(`/prefixes/${id}/history?type=saving`)
    expect(listOf(historyAnswer).parse(history.json).data).toMatchObject([{ kind: 'credited', saved_usd }])
  })

  it('sums by day and by prefix', async () => {
    const id = await saved()
    const byDay = ledgerAnswer.parse((await get('/ledger?group=day')).json)
    expect(byDay.to).toBe(today())
    expect(byDay.data.at(-1)).toEqual({
      day: today(),
      ...ledgerAnswer.parse((await get(`/ledger?from=${today()}`)).json).totals,
    })
    const byPrefix = ledgerAnswer.parse((await get(`/ledger?group=prefix&from=${today()}&limit=1`)).json)
    expect(byPrefix.data).toMatchObject([{ prefix_id: id, calls: 2, savings: 1 }])
  })

  it('pages entries, and shows each once', async () => {
    await saved()
    const whole = await get(`/ledger?from=${today()}`)
    const found: unknown[] = []
    let query = `from=${today()}&limit=1`
    for (;;) {
      const page = await get(`/ledger?${query}`)
      found.push(...(pick(page, 'data') as unknown[]))
      const next = pick(page, 'next_cursor')
      if (next === null) break
      query = `from=${today()}&limit=1&cursor=${String(next)}`
    }
    expect(found).toEqual(pick(whole, 'data'))
    expect(found).toHaveLength(3)
  })

  it('refuses an unanswerable query by name', async () => {
    const far = new Date(start - 8 * DAY_MS).toISOString().slice(0, 10)
    for (const [query, field] of [
      ['from=yesterday', 'from'],
      ['to=2032-02-31', 'to'],
      [`from=2032-03-02&to=2032-03-01`, 'from'],
      [`from=${far}`, 'from'],
      [`from=2020-01-01&group=day`, 'from'],
      ['group=week', 'group'],
      ['cursor=xyz', 'cursor'],
      ['limit=0', 'limit'],
      ['since=1', 'since'],
    ] as const) {
      const answer = await get(`/ledger?${query}`)
      expect([query, answer.status, pick(answer, 'error', 'kind')]).toEqual([query, 400, 'invalid_request'])
      expect([query, pick(answer, 'error', 'message')]).toEqual([query, expect.stringContaining(field)])
    }
    // A cursor belongs to one grouping.
    await saved()
    await saved()
    const cursor = String(pick(await get('/ledger?group=prefix&limit=1'), 'next_cursor'))
    expect((await get(`/ledger?group=prefix&cursor=${cursor}`)).status).toBe(200)
    expect((await get(`/ledger?group=day&cursor=${cursor}`)).status).toBe(400)
    expect((await call('GET', '/ledger', undefined, { key: null })).status).toBe(401)
  })

  it('shows the sums to Prometheus', async () => {
    await saved()
    const { text } = await get('/metrics')
    expect(Number(/^pilotlight_saved_usd_total (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(0)
    expect(text).toMatch(/^pilotlight_saved_revoked_usd_total 0$/m)
    expect(text).toMatch(/^pilotlight_unpriced_calls_total \d+$/m)
  })
})

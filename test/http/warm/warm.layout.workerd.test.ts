import { describe, expect, it } from 'vitest'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { get, longText, pick, post, received, useLab, warm } from '../support.ts'
import { useCalendar } from './support.ts'

const world = useLab()
const { pass, use } = useCalendar(world)

const hour = { type: 'ephemeral', ttl: '1h' }
const minutes = { type: 'ephemeral' }

/** Tools for an hour, a system prompt for five minutes. */
function layout(): Record<string, unknown> {
  const description = longText()
  return {
    model: 'claude-opus-5',
    max_tokens: 512,
    tools: [{ name: 'look', description, input_schema: { type: 'object' }, cache_control: hour }],
    system: [{ type: 'text', text: longText(), cache_control: minutes }],
    messages: [{ role: 'user', content: 'Which tent for two?' }],
  }
}

const lastSent = () => JSON.parse(String(received(world.lab).at(-1)?.body)) as Record<string, unknown>
const writes = (answer: Parameters<typeof pick>[0]) =>
  pick(answer, 'receipt', 'usage', 'cache_write_by_retention') as Record<string, number>

describe('a body with two lifetimes', () => {
  it('is kept as it is, also where the cache is required, and both are counted', async () => {
    const body = layout()
    const first = await warm(body, { cache: { mode: 'required' } })
    expect([first.status, pick(first, 'receipt', 'kind')]).toEqual([200, 'written'])
    expect(lastSent()).toMatchObject({ tools: [{ cache_control: hour }], system: [{ cache_control: minutes }] })
    const { '1h': tools = 0, '5m': system = 0 } = writes(first)
    expect([tools > 1_000, system > 1_000]).toEqual([true, true])
    expect(pick(first, 'plan')).toMatchObject({ retention: '5m', retentions: ['1h', '5m'], retention_seconds: 300 })
    // $5 a million tokens: twice that for an hour, 1.25 times for five minutes.
    const uncached = Number(pick(first, 'receipt', 'usage', 'uncached_input_tokens'))
    expect(pick(first, 'receipt', 'cost_usd')).toBeCloseTo((tools * 10 + system * 6.25 + uncached * 5) / 1e6, 6)
    const ledger = await get('/ledger?limit=500')
    expect(ledger.text).toContain(`"cost_usd":${pick(first, 'receipt', 'cost_usd')}`)
    const causes = (first.json['advice'] as { cause: string }[]).map(({ cause }) => cause)
    expect(causes).not.toContain('retentions_levelled')
  })

  it('lives in both by one call, and pays only the shorter again', async () => {
    const body = layout()
    const id = pick(await warm(body), 'id') as string
    const again = () => post(`/prefixes/${id}/warm`, {})
    for (let n = 0; n < 16; n += 1) {
      pass(4 * MINUTE_MS)
      expect(pick(await again(), 'receipt', 'kind')).toBe('full')
    }
    // 64 minutes after the write: the tools live because each call renewed them.
    pass(30 * MINUTE_MS)
    const after = await again()
    expect(writes(after)).toMatchObject({ '1h': 0, '5m': expect.any(Number) })
    expect(writes(after)['5m']).toBeGreaterThan(1_000)
    expect(pick(after, 'receipt', 'usage', 'cached_input_tokens')).toBeGreaterThan(1_000)
    pass(2 * HOUR_MS)
    expect(writes(await again())['1h']).toBeGreaterThan(1_000)
  })

  it('is probed before the shorter lapses, and saves what the shorter costs', async () => {
    const body = layout()
    const first = await post('/warm', { provider: 'anthropic', request: body, keep_warm: { plan: 'always' } })
    const { '5m': system = 0 } = writes(first)
    const due = Date.parse(String(pick(first, 'plan', 'next_probe_at')))
    expect(due - Date.parse(String(pick(first, 'receipt', 'at') ?? new Date().toISOString()))).toBeLessThan(
      5 * MINUTE_MS,
    )
    const id = pick(first, 'id') as string
    pass(4 * MINUTE_MS)
    await post(`/prefixes/${id}/warm`, {})
    pass(4 * MINUTE_MS)
    await use(id, body)
    const seen = prefixAnswer.parse((await get(`/prefixes/${id}`)).json)
    expect(seen).toMatchObject({ hits: 1, plan: { retentions: ['1h', '5m'] } })
    // Without keep-alives the tools would have lived still: only the system prompt was saved from a write.
    expect(seen.saved_usd).toBeCloseTo((system * (6.25 - 0.5)) / 1e6, 6)
  })

  it('is a conflict where other lifetimes are known and the cache is required', async () => {
    const body = layout()
    const tools = (body['tools'] as object[]).map((one) => ({ ...one, cache_control: minutes }))
    await warm({ ...body, tools })
    const refused = await warm(body, { cache: { mode: 'required' } })
    expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([409, 'conflict'])
    expect(pick(refused, 'error', 'message')).toContain('1h and 5m')
    const advised = await warm(body)
    expect(advised.json['advice']).toContainEqual(expect.objectContaining({ cause: 'retention_kept' }))
  })
})

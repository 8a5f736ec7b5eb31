import { describe, expect, it } from 'vitest'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { get, longText, newAccount, pick, post, received, useLab } from '../support.ts'
import { useCalendar } from './support.ts'

const world = useLab()
const { pass } = useCalendar(world)

const head = longText(400)
const chat = (system: string, more: object = {}) => ({
  provider: 'openai-chat',
  request: { model: 'gpt-4.1', messages: [{ role: 'system', content: system }] },
  keep_warm: { plan: 'off' },
  ...more,
})

describe('a prefix that begins like another, where writes are not reported', () => {
  const long = `${head} ${longText(4_000)}`

  it('is read in part at first, and is measured by the whole prompt', async () => {
    const { key } = await newAccount()
    await post('/warm', chat(head), { key })
    const first = await post('/warm', chat(long), { key })
    const counts = pick(first, 'receipt', 'usage') as { input_tokens: number; cached_input_tokens: number }
    expect(counts.cached_input_tokens).toBeGreaterThan(0)
    expect(counts.cached_input_tokens).toBeLessThan(counts.input_tokens / 2)
    expect(first.json).toMatchObject({ receipt: { kind: 'partial' }, warmth: { state: 'unknown' } })
    const id = pick(first, 'id')
    const measured = async () => pick(await get(`/prefixes/${id}`, { key }), 'measured_tokens') as number
    const before = await measured()
    expect(before).toBeGreaterThan(counts.input_tokens * 0.95)
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).json).toMatchObject({ receipt: { kind: 'full' } })
    expect(await measured()).toBeGreaterThanOrEqual(before)
  })

  it('that was evicted is read in part by a requested warm, which does not make it warm', async () => {
    const { key } = await newAccount()
    const body = chat(`${head} ${longText(3_000)}`)
    const id = pick(await post('/warm', body, { key }), 'id')
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).json).toMatchObject({
      receipt: { kind: 'full' },
      warmth: { state: 'warm' },
    })
    const before = (await get(`/prefixes/${id}`, { key })).json
    world.lab.faults.add({ kind: 'evict', times: 1 })
    await post('/warm', chat(head), { key })
    pass(MINUTE_MS)
    const part = await post(`/prefixes/${id}/warm`, {}, { key })
    expect(part.json).toMatchObject({ receipt: { kind: 'partial' }, warmth: { state: 'unknown' } })
    expect((await get(`/prefixes/${id}`, { key })).json).toMatchObject({ measured_tokens: before['measured_tokens'] })
    expect((await post(`/prefixes/${id}/warm`, {}, { key })).json).toMatchObject({
      receipt: { kind: 'full' },
      warmth: { state: 'warm' },
    })
  })

  it('is required only as a whole, which a second call has to show', async () => {
    const { key } = await newAccount()
    await post('/warm', chat(head), { key })
    const required = { cache: { mode: 'required' } }
    const honoured = await post('/warm', chat(long, required), { key })
    expect(honoured.json).toMatchObject({ receipt: { kind: 'full' } })
    expect(received(world.lab)).toHaveLength(3)
    world.lab.faults.add({ kind: 'no_write' })
    const refused = await post('/warm', chat(`${head} ${longText(3_000)}`, required), { key })
    expect(refused.status).toBe(424)
  })
})

describe('a prefix that is not read twice', () => {
  it('is not uncacheable by a call after its life, and is warm once a request reads it', async () => {
    const { key } = await newAccount()
    const first = await post('/warm', chat(longText(700)), { key })
    expect(first.json).toMatchObject({ receipt: { kind: 'unknown' } })
    pass(70 * MINUTE_MS)
    const id = pick(first, 'id')
    const second = await post(`/prefixes/${id}/warm`, {}, { key })
    expect(second.json).toMatchObject({ receipt: { kind: 'unknown' }, warmth: { state: 'unknown' } })
    pass(MINUTE_MS)
    const tokens = pick(second, 'receipt', 'usage', 'input_tokens') as number
    const usage = {
      prompt_tokens: tokens + 40,
      prompt_tokens_details: { cached_tokens: tokens - 8 },
      completion_tokens: 9,
    }
    await post('/observations', [{ prefix_id: id, usage, started_at: new Date().toISOString() }], { key })
    expect((await get(`/prefixes/${id}`, { key })).json).toMatchObject({ hits: 1, warmth: { state: 'warm' } })
  })
})

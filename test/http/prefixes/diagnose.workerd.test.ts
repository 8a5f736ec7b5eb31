import { runInDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, it } from 'vitest'
import { diagnosisAnswer } from '../../../src/contract/diagnosis.ts'
import { ADMIN, bindings, call, newAccount, received, useLab } from '../support.ts'

const world = useLab()

let id = ''
let key = ''
let prefix = ''

const RULES = 'Name the price, the weight and the season of each tent.\n'.repeat(400)
const body = (clock: string, change: object = {}) => ({
  model: 'claude-opus-5',
  max_tokens: 100,
  system: [{ type: 'text', text: `Time: ${clock}\n${RULES}`, cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'Which tent?' }],
  ...change,
})
const missed = { input_tokens: 12, cache_read_input_tokens: 0, cache_creation_input_tokens: 5_000, output_tokens: 20 }

beforeEach(async () => {
  ;({ id, key } = await newAccount())
  const { json } = await call('POST', '/warm', { provider: 'anthropic', request: body('10:41:07') }, { key })
  prefix = String(json['id'])
})

const ask = (given: unknown, of = prefix) => call('POST', `/prefixes/${of}/diagnose`, given, { key })

describe('POST /prefixes/{id}/diagnose', () => {
  it('names what differs from the registered body, with values, and sends nothing', async () => {
    const sent = received(world.lab).length
    const { status, json } = await ask({ request: body('10:42:09'), usage: missed, credential: 'default' })
    expect(status).toBe(200)
    const found = diagnosisAnswer.parse(json)
    expect(found).toMatchObject({ verdict: 'clock_in_prefix', first_difference: { path: 'system[0].text', at: 10 } })
    expect(found.first_difference?.before).toContain('10:41:07')
    expect(found.lost_tokens).toBeGreaterThan(1_000)
    expect(found.cost_usd).toBeGreaterThan(0)
    expect(received(world.lab)).toHaveLength(sent)
  })

  it('knows when the entry was last used, and its lifetime', async () => {
    const started_at = new Date(Date.now() + 3 * 3_600_000).toISOString()
    const { json } = await ask({ request: body('10:41:07'), usage: missed, started_at, credential: 'default' })
    expect(json).toMatchObject({ verdict: 'expired' })
  })

  it('finds no miss in a request that read it, and a marker that is gone in one that could not', async () => {
    const full = { ...missed, cache_read_input_tokens: 100_000, cache_creation_input_tokens: 0 }
    expect((await ask({ request: body('10:41:07'), usage: full })).json).toMatchObject({ verdict: 'no_miss' })
    const bare = body('10:41:07', { system: `Time: 10:41:07\n${RULES}` })
    expect((await ask({ request: bare, usage: missed })).json).toMatchObject({ verdict: 'marker_missing' })
  })

  it('refuses what it cannot compare, in words', async () => {
    const gemini = { contents: [{ role: 'user', parts: [{ text: 'Which tent?' }] }] }
    for (const [given, field] of [
      [{}, 'request'],
      [{ request: gemini }, 'request'],
      [{ request: body('1'), usage: 3 }, 'usage'],
      [{ request: body('1'), before: body('2') }, 'before'],
    ] as const) {
      const { status, json } = await ask(given)
      expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining(field)])
    }
    expect((await ask({ request: body('1') }, `pfx_0_${'0'.repeat(24)}`)).status).toBe(404)
  })
})

describe('of a prefix whose body was erased', () => {
  const erase = () => call('DELETE', `/accounts/${id}/prompts`, undefined, { key: ADMIN })
  const tool = (name: string) => ({ name, description: 'Looks.', input_schema: { type: 'object' } })

  it.each<[string, string, string, () => object]>([
    ['a clock', 'clock_in_prefix', 'system[0]', () => body('10:42:09')],
    ['another text', 'text_changed', 'system[0]', () => body('10:41:07', { system: [{ type: 'text', text: RULES }] })],
    ['a tool more', 'tools_changed', 'tools[0]', () => body('10:41:07', { tools: [tool('look')] })],
    ['another model', 'model_changed', 'model', () => body('10:41:07', { model: 'claude-opus-4-8' })],
  ])('hashes and lengths tell %s, with its path and without values', async (_what, verdict, path, request) => {
    await erase()
    const { status, json } = await ask({ request: request(), usage: missed, credential: 'default' })
    expect(status).toBe(200)
    const found = diagnosisAnswer.parse(json)
    expect(found).toMatchObject({ verdict, first_difference: { path, at: 0, before: '', after: '' } })
    expect(found.confidence).toBeGreaterThanOrEqual(0.7)
    expect(found.lost_tokens).toBeGreaterThan(1_000)
  })

  it('the same bytes are known again, and judged by the clock', async () => {
    await erase()
    // Erased twice: what was kept stays.
    await erase()
    const started_at = new Date(Date.now() + 3 * 3_600_000).toISOString()
    const { json } = await ask({ request: body('10:41:07'), usage: missed, started_at, credential: 'default' })
    expect(json).toMatchObject({ verdict: 'expired', first_difference: null })
  })

  it('no text is in what is kept, which goes with the prefix, or once its body is back', async () => {
    const stub = bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<undefined>
    const kept = () =>
      runInDurableObject(stub, (_, { storage }) => storage.sql.exec('SELECT * FROM prefix_sketch').toArray())
    expect(await kept()).toEqual([])
    await erase()
    const [row] = await kept()
    expect(JSON.stringify(row)).not.toMatch(/10:41|tent|price/i)
    await call('POST', '/warm', { provider: 'anthropic', request: body('10:41:07') }, { key })
    expect(await kept()).toEqual([])
    await erase()
    expect(await kept()).toHaveLength(1)
    await call('DELETE', `/prefixes/${prefix}`, undefined, { key })
    expect(await kept()).toEqual([])
  })

  it('nothing is kept where the account learns nothing', async () => {
    await call('PATCH', `/accounts/${id}`, { learn: 'off' }, { key: ADMIN })
    await erase()
    const erased = await ask({ request: body('1') })
    expect([erased.status, erased.text]).toEqual([404, expect.stringContaining('was erased')])
  })
})

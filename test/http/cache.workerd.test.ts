import { describe, expect, it } from 'vitest'
import { anthropicBody, get, longText, newAccount, pick, post, received, useLab, warmOf } from './support.ts'

const world = useLab()

const moved = { cause: 'breakpoint_moved', at: 'cache.strategy.explicit[0]' }
const beyond = { strategy: { explicit: [{ item_end: 9 }] } }

describe('a wish that cannot be had', () => {
  it('is degraded in words on the dry run, the warm and the prefix', async () => {
    const { key } = await newAccount()
    const dry = await post('/warm', warmOf(anthropicBody(), { cache: beyond, dry_run: true }), { key })
    const warmed = await post('/warm', warmOf(anthropicBody(), { cache: beyond }), { key })
    const prefix = await get(`/prefixes/${pick(warmed, 'id')}`, { key })
    for (const answer of [dry, warmed, prefix]) {
      expect(answer.status).toBe(200)
      expect(answer.json['advice']).toContainEqual(expect.objectContaining(moved))
    }
  })

  it('is said to whoever asks for a prefix that is known without it', async () => {
    const body = anthropicBody()
    const first = await post('/warm', warmOf(body))
    const again = await post('/warm', warmOf(body, { cache: { retention: '24h' } }))
    expect(again.json).toMatchObject({ id: first.json['id'], created: false })
    const causes = (again.json['advice'] as { cause: string }[]).map(({ cause }) => cause)
    expect(causes).toContain('retention_not_offered')
    expect(new Set(causes).size).toBe(causes.length)
  })

  it('is refused before anything is stored or sent where the cache is required', async () => {
    const { key } = await newAccount()
    const refused = await post('/warm', warmOf(anthropicBody(), { cache: { mode: 'required', ...beyond } }), { key })
    expect(refused.status).toBe(400)
    expect(refused.json).toMatchObject({ error: { detail: { field: moved.at, cause: moved.cause } } })
    expect(pick(await get('/prefixes', { key }), 'data')).toEqual([])
    expect(received(world.lab)).toEqual([])
  })

  it('is no handle beside the contents that it would hold', async () => {
    const neutral = { provider: 'gemini', model: 'gemini-2.5-flash', system: longText() }
    const native = { systemInstruction: { parts: [{ text: longText() }] } }
    for (const [body, cache, field] of [
      [neutral, { handle: 'cachedContents/a' }, 'cache.handle'],
      [neutral, { strategy: { handle: 'cachedContents/a' } }, 'cache.strategy.handle'],
      [{ provider: 'gemini', model: neutral.model, request: native }, { handle: 'cachedContents/a' }, 'cache.handle'],
    ] as const) {
      const refused = await post('/warm', { ...body, cache })
      expect(refused.status).toBe(400)
      expect(refused.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    }
    expect(received(world.lab)).toEqual([])
  })
})

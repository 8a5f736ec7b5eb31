import { describe, expect, it } from 'vitest'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { jobAnswer } from '../../../src/contract/warm.ts'
import {
  anthropicBody,
  endOf,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warm,
  warmedId,
  warmOf,
} from '../support.ts'

const world = useLab()

const moved = { cause: 'breakpoint_moved', at: 'cache.strategy.explicit[0]' }
const beyond = { strategy: { explicit: [{ item_end: 9 }] } }

describe('a cache request that the provider cannot honour', () => {
  it('is degraded with advice on the dry run, the warm and the prefix', async () => {
    const { key } = await newAccount()
    const dry = await warm(anthropicBody(), { cache: beyond, dry_run: true }, { key })
    const warmed = await warm(anthropicBody(), { cache: beyond }, { key })
    const prefix = await get(`/prefixes/${pick(warmed, 'id')}`, { key })
    for (const answer of [dry, warmed, prefix]) {
      expect(answer.status).toBe(200)
      expect(answer.json['advice']).toContainEqual(expect.objectContaining(moved))
    }
  })

  it('brings advice for a prefix that is registered without it', async () => {
    const body = anthropicBody()
    const first = await warm(body)
    const again = await warm(body, { cache: { retention: '24h' } })
    expect(again.json).toMatchObject({ id: first.json['id'], created: false })
    const causes = (again.json['advice'] as { cause: string }[]).map(({ cause }) => cause)
    expect(causes).toContain('retention_not_offered')
    expect(new Set(causes).size).toBe(causes.length)
  })

  it('is refused before anything is stored or sent where the cache is required', async () => {
    const { key } = await newAccount()
    const refused = await warm(anthropicBody(), { cache: { mode: 'required', ...beyond } }, { key })
    expect(refused.status).toBe(400)
    expect(refused.json).toMatchObject({ error: { detail: { field: moved.at, cause: moved.cause } } })
    expect(pick(await get('/prefixes', { key }), 'data')).toEqual([])
    expect(received(world.lab)).toEqual([])
  })

  it('is refused for a handle beside the contents that it would hold', async () => {
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

describe('a required cache', () => {
  const required = (more: Record<string, unknown> = {}) => ({ cache: { mode: 'required', ...more } })
  const gemini = () => ({
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    request: { systemInstruction: { parts: [{ text: longText(300) }] } },
    keep_warm: { plan: 'off' },
    ...required(),
  })

  it('is honoured by a write at the retention, and by a read of it', async () => {
    const body = warmOf(anthropicBody(), required({ retention: '1h' }))
    expect((await post('/warm', body)).json).toMatchObject({ receipt: { kind: 'written' } })
    expect((await post('/warm', body)).json).toMatchObject({ receipt: { kind: 'full' } })
    expect(received(world.lab)).toHaveLength(2)
  })

  it('is not honoured by a shorter retention than the one asked for', async () => {
    world.lab.faults.add({ kind: 'downgrade_ttl' })
    const refused = await warm(anthropicBody(), required({ retention: '1h' }))
    expect(refused.status).toBe(424)
    expect(refused.json).toMatchObject({
      error: {
        kind: 'cache_not_honoured',
        detail: { asked: '1h', seen: 'written', cache_write_retentions: ['5m'], verified: false },
      },
    })
    const id = pick(refused, 'error', 'detail', 'prefix_id')
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ id, last_receipt: { kind: 'written' } })
  })

  it('is not honoured by an answer that does not report its usage', async () => {
    world.lab.faults.add({ kind: 'missing_usage' })
    const refused = await warm(anthropicBody(), required())
    expect(refused.status).toBe(424)
    expect(refused.json).toMatchObject({
      error: { kind: 'cache_not_honoured', detail: { seen: 'unknown', cached_input_tokens: null } },
    })
    expect(received(world.lab)).toHaveLength(1)
  })

  it('is verified by one more probe where writes are not reported', async () => {
    const warmed = await post('/warm', gemini())
    expect(warmed.status).toBe(200)
    expect(warmed.json).toMatchObject({ created: true, receipt: { kind: 'full' } })
    expect(received(world.lab)).toHaveLength(2)
  })

  it('is not honoured where the verifying probe finds nothing', async () => {
    world.lab.faults.add({ kind: 'no_write' })
    const refused = await post('/warm', gemini())
    expect(refused.status).toBe(424)
    expect(refused.json).toMatchObject({ error: { detail: { seen: 'uncacheable', verified: true } } })
    expect(received(world.lab)).toHaveLength(2)
  })

  it('is verified once for callers at the same time', async () => {
    const body = gemini()
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/warm', body)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(received(world.lab)).toHaveLength(2)
  })

  it('holds for a warm by its id too, and is in its history', async () => {
    const warmed = await warm(anthropicBody(), required({ retention: '1h' }))
    const path = `/prefixes/${pick(warmed, 'id')}`
    expect(prefixAnswer.parse((await get(path)).json).required).toBe(true)
    expect((await post(`${path}/warm`)).json).toMatchObject({ receipt: { kind: 'full' } })
    world.lab.faults.add({ kind: 'evict', times: 1 })
    world.lab.faults.add({ kind: 'downgrade_ttl' })
    const refused = await post(`${path}/warm`)
    expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([424, 'cache_not_honoured'])
    expect(pick(refused, 'error', 'detail', 'cache_write_retentions')).toEqual(['5m'])
    const shown = await get(path)
    expect(pick(shown, 'last_failure')).toMatchObject({ kind: 'cache_not_honoured', detail: { asked: '1h' } })
    const { json } = await get(`${path}/history?type=decision`)
    expect(json['data']).toContainEqual(
      expect.objectContaining({ decision: 'cache_not_honoured', why: 'written at 5m instead of 1h' }),
    )
  })

  it('fails the job of a background warm by its id', async () => {
    const id = await warmedId(anthropicBody(), required({ retention: '1h' }))
    world.lab.faults.add({ kind: 'evict', times: 1 })
    world.lab.faults.add({ kind: 'downgrade_ttl' })
    const queued = await post(`/prefixes/${id}/warm`, { background: true })
    const job = await endOf(pick(queued, 'job', 'id'))
    expect(job.json).toMatchObject({ status: 'failed', failure: { kind: 'cache_not_honoured' } })
  })

  it('does not fail another caller who does not require it', async () => {
    const body = anthropicBody()
    const id = await warmedId(body, required({ retention: '1h' }))
    world.lab.faults.add({ kind: 'evict', times: 1 })
    world.lab.faults.add({ kind: 'downgrade_ttl' })
    const plain = await warm(body, { cache: { mode: 'best_effort', retention: '1h' } })
    expect([plain.status, pick(plain, 'receipt', 'kind')]).toEqual([200, 'written'])
    expect((await post(`/prefixes/${id}/warm`)).status).toBe(200)
    expect(pick(await get(`/prefixes/${id}`), 'required')).toBe(false)
  })

  it('is refused at another retention than the registered one, before anything is sent', async () => {
    const body = anthropicBody()
    await warm(body)
    const refused = await warm(body, required({ retention: '1h' }))
    expect(refused.json).toMatchObject({ error: { kind: 'conflict', detail: { field: 'cache.retention' } } })
    expect(received(world.lab)).toHaveLength(1)
  })

  it('is refused with other breakpoints, where best effort gets advice', async () => {
    const messages = ['a', 'b', 'c'].map((content, n) => ({ role: n === 1 ? 'assistant' : 'user', content }))
    const body = { ...anthropicBody(), messages }
    const at = (...items: number[]) => ({ strategy: { explicit: items.map((item_end) => ({ item_end })) } })
    const first = await warm(body, required(at(1, 0)))
    expect(first.json).toMatchObject({ created: true, receipt: { kind: 'written' } })
    expect(received(world.lab)[0]?.body.match(/"cache_control"/g)).toHaveLength(3) // and the body's own
    expect((await warm(body, required(at(0, 1)))).status).toBe(200)
    const plain = warmOf({ ...anthropicBody(), messages }, { cache: at(1) })
    await post('/warm', plain)
    const refused = await post('/warm', { ...plain, ...required(at(0, 1)) })
    expect(refused.json).toMatchObject({ error: { kind: 'conflict', detail: { field: 'cache.strategy.explicit' } } })
    const told = await post('/warm', { ...plain, cache: at(0, 1) })
    expect(told.json['advice']).toContainEqual(
      expect.objectContaining({ cause: 'breakpoints_kept', at: 'cache.strategy.explicit' }),
    )
    expect(received(world.lab)).toHaveLength(4)
  })

  describe('in the background', () => {
    const ended = async (body: Record<string, unknown>) => {
      const queued = await post('/warm', { ...body, background: true })
      expect(queued.status).toBe(202)
      return jobAnswer.parse((await endOf(pick(queued, 'job', 'id'))).json)
    }

    it('is verified before its job succeeds', async () => {
      expect(await ended(gemini())).toMatchObject({ status: 'succeeded', receipt: { kind: 'full' }, failure: null })
      expect(received(world.lab)).toHaveLength(2)
    })

    it('fails its job where the verifying probe finds nothing, and keeps the receipt', async () => {
      world.lab.faults.add({ kind: 'no_write' })
      expect(await ended(gemini())).toMatchObject({
        status: 'failed',
        receipt: { kind: 'uncacheable' },
        failure: { kind: 'cache_not_honoured', detail: { verified: true } },
      })
    })

    it('fails its job at once where another retention was written', async () => {
      world.lab.faults.add({ kind: 'downgrade_ttl' })
      expect(await ended(warmOf(anthropicBody(), required({ retention: '1h' })))).toMatchObject({
        status: 'failed',
        failure: { kind: 'cache_not_honoured', detail: { asked: '1h', cache_write_retentions: ['5m'] } },
      })
      expect(received(world.lab)).toHaveLength(1)
    })
  })
})

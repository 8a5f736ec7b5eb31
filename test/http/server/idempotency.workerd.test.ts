import { describe, expect, it } from 'vitest'
import { ADMIN, anthropicBody, call, newAccount, pick, post, received, useLab, warm, warmOf } from '../support.ts'

const world = useLab()

describe('an idempotency key', () => {
  it('gets the stored answer for the same call, and a conflict for another body', async () => {
    const body = warmOf()
    const headers = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const first = await post('/warm', body, { headers })
    const again = await post('/warm', body, { headers })
    expect(again.json).toEqual(first.json)
    expect([first.headers.get('idempotent-replayed'), again.headers.get('idempotent-replayed')]).toEqual([null, 'true'])
    expect(received(world.lab)).toHaveLength(1)
    expect((await warm(anthropicBody(), {}, { headers })).json).toMatchObject({
      error: { kind: 'conflict', retryable: false, detail: { field: 'idempotency-key' } },
    })
    expect(received(world.lab)).toHaveLength(1)
  })

  it('belongs to an account and to a path', async () => {
    const headers = { 'idempotency-key': 'the-same-everywhere' }
    const { key } = await newAccount()
    const body = warmOf()
    const id = pick(await post('/warm', body, { headers }), 'id')
    expect((await post('/warm', body, { headers, key })).headers.get('idempotent-replayed')).toBeNull()
    expect((await post(`/prefixes/${id}/warm`, {}, { headers })).headers.get('idempotent-replayed')).toBeNull()
  })

  it('refuses a second call while the first is running', async () => {
    const provider = world.hold()
    const body = warmOf()
    const headers = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const first = post('/warm', body, { headers })
    await expect.poll(() => received(world.lab).length).toBe(1)
    const second = await post('/warm', body, { headers })
    expect(second.json).toMatchObject({
      error: { kind: 'rate_limited', retryable: true, detail: { retry_after_seconds: 1 } },
    })
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1'])
    provider.release()
    expect((await first).status).toBe(200)
  })

  it('keeps failures that will not change, and forgets those that may pass', async () => {
    const headers = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const body = warmOf()
    world.lab.faults.add({ kind: 'overloaded', times: 1 })
    const failed = await post('/warm', body, { headers })
    expect(pick(failed, 'error', 'retryable')).toBe(true)
    expect((await post('/warm', body, { headers })).status).toBe(200)

    const wrong = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const first = await post('/warm', { provider: 'acme' }, { headers: wrong })
    const again = await post('/warm', { provider: 'acme' }, { headers: wrong })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([first.status, 'true'])
  })

  it('does the work again once the reason of a refusal is gone', async () => {
    const { id, key } = await newAccount()
    const headers = { 'idempotency-key': 'while-there-is-no-money' }
    const body = warmOf()
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: 0 }, { key: ADMIN })
    const refused = await post('/warm', body, { headers, key })
    expect(refused.json).toMatchObject({ error: { kind: 'budget_exhausted', retryable: false } })
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: 10 }, { key: ADMIN })
    const again = await post('/warm', body, { headers, key })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, null])
    expect(again.json).toMatchObject({ receipt: { kind: 'written' } })
  })

  it.each(['', 'two words', 'ü', 'x'.repeat(256)])('is refused when it is %j', async (key) => {
    const answer = await warm(anthropicBody(), {}, { headers: { 'idempotency-key': key } })
    expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([400, 'idempotency-key'])
    expect(received(world.lab)).toEqual([])
  })
})

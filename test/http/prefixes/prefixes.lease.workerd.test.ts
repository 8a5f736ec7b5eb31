import { evictDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { leaseAnswer } from '../../../src/contract/prefix.ts'
import { anthropicBody, bindings, call, get, pick, post, received, useLab, warm, warmedId } from '../support.ts'

const world = useLab()

/** A prefix that is registered and cold: its only call failed. */
async function coldPrefix(): Promise<string> {
  world.lab.faults.add({ kind: 'server_error', times: 1 })
  const failed = await warm(anthropicBody())
  return String(pick(failed, 'error', 'detail', 'prefix_id'))
}

const ask = async (id: string, body: Record<string, unknown> = {}) =>
  leaseAnswer.parse((await post(`/prefixes/${id}/lease`, body)).json)

describe('a fan-out', () => {
  it('has one leader, and the others wait until it reports that its answer has begun', async () => {
    const id = await coldPrefix()
    const crowd = Array.from({ length: 20 }, () => ask(id, { wait: '30s' }))
    const leader = await Promise.any(
      crowd.map(async (one) => {
        const answer = await one
        if (answer.role !== 'leader') throw new Error('not the leader')
        return answer
      }),
    )
    const told = await ask(id, { lease: leader.lease, outcome: 'readable' })
    expect(told.role).toBe('ready')
    const roles = (await Promise.all(crowd)).map(({ role }) => role)
    expect(roles.toSorted()).toEqual(['leader', ...Array.from({ length: 19 }, () => 'ready')])
    expect((await ask(id)).role).toBe('ready')
    // Pilotlight itself sent nothing for it.
    expect(received(world.lab)).toHaveLength(1)
  })

  it('lets all pass at once where the prefix is warm', async () => {
    const id = await warmedId()
    expect(await ask(id)).toMatchObject({ role: 'ready', lease: null, until: expect.any(String) })
  })

  it('opens for the report of a real request, and for a warm', async () => {
    const id = await coldPrefix()
    expect((await ask(id)).role).toBe('leader')
    const waiting = ask(id, { wait: '30s' })
    const usage = {
      input_tokens: 5,
      cache_creation_input_tokens: 3_000,
      cache_read_input_tokens: 0,
      output_tokens: 1,
    }
    await post('/observations', [{ prefix_id: id, usage, started_at: new Date().toISOString() }])
    expect((await waiting).role).toBe('ready')

    const other = await coldPrefix()
    expect((await ask(other)).role).toBe('leader')
    const patient = ask(other, { wait: '30s' })
    await post(`/prefixes/${other}/warm`)
    expect((await patient).role).toBe('ready')
  })

  it('replaces a leader that dies by one of the waiters', async () => {
    const id = await coldPrefix()
    const dead = await ask(id, { lead_for: 1 })
    const others = await Promise.all([ask(id, { wait: '3s' }), ask(id, { wait: '3s' })])
    expect(dead.role).toBe('leader')
    expect(others.map(({ role }) => role).toSorted()).toEqual(['leader', 'wait'])
    const next = others.find(({ role }) => role === 'leader')
    expect(next?.why).toContain('did not report in time')
    // A leader that returns after that leads no longer.
    expect((await post(`/prefixes/${id}/lease`, { lease: dead.lease, outcome: 'readable' })).json).toMatchObject({
      error: { kind: 'conflict', detail: { field: 'lease' } },
    })
  })

  it('makes the next waiter the leader when the leader reports a failure', async () => {
    const id = await coldPrefix()
    const { lease } = await ask(id)
    const next = ask(id, { wait: '30s' })
    expect((await ask(id, { lease, outcome: 'failed' })).role).toBe('wait')
    expect((await next).role).toBe('leader')
  })

  it('keeps its leader and its waiters through an eviction', async () => {
    const id = await coldPrefix()
    const { lease } = await ask(id)
    const waiting = ask(id, { wait: '30s' })
    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    for (const wait of [0, '0s']) expect((await ask(id, { wait })).role).toBe('wait')
    await ask(id, { lease, outcome: 'readable' })
    expect((await waiting).role).toBe('ready')
  })

  it('ends when its prefix is deleted', async () => {
    const id = await coldPrefix()
    await ask(id)
    await call('DELETE', `/prefixes/${id}`)
    expect((await post(`/prefixes/${id}/lease`)).status).toBe(404)
    expect((await get(`/prefixes/${id}`)).status).toBe(404)
  })

  it.each([
    [{ wait: '2m' }, 'wait'],
    [{ wait: -1 }, 'wait'],
    [{ lead_for: '1h' }, 'lead_for'],
    [{ lease: 'mine', outcome: 'readable' }, 'lease'],
    [{ lease: `lse_${'0'.repeat(24)}` }, 'outcome'],
    [{ outcome: 'failed' }, 'lease'],
    [{ outcome: 'maybe' }, 'outcome'],
  ])('refuses %j', async (body, field) => {
    const id = await coldPrefix()
    expect((await post(`/prefixes/${id}/lease`, body)).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field } },
    })
  })
})

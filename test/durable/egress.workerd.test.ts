import { listDurableObjectIds, reset } from 'cloudflare:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Egress } from '../../src/durable/egress.ts'
import { anthropicMessages } from '../../src/providers/dialects/anthropic-messages/dialect.ts'
import { throughEgress } from '../../src/calls/egress.ts'
import { anthropicBody, bindings, get, newAccount, pick, post, received, useLab, warmOf } from '../http/support.ts'
import { ADMIN, call } from '../http/support.ts'

const world = useLab()
const SECRET = 'sk-ant-0123456789'

afterEach(() => reset())

async function tenant(): Promise<{ key: string }> {
  const { id, key } = await newAccount()
  await call('PUT', `/accounts/${id}/credentials/team`, { provider: 'anthropic', secret: SECRET }, { key: ADMIN })
  return { key }
}

const warm = (who: { key: string }, plan = 'always') =>
  post('/warm', warmOf(anthropicBody(), { credential: 'team', keep_warm: { plan } }), who)

async function decisions(id: unknown, who: { key: string }): Promise<string[]> {
  const rows = pick(await get(`/prefixes/${id}/history`, who), 'data') as { type: string; decision?: string }[]
  return rows.flatMap(({ type, decision }) => (type === 'decision' && decision !== undefined ? [decision] : []))
}

describe('a call that a provider refuses because of its region', () => {
  it('the call is repeated from another region, and later calls go there directly', async () => {
    const forwarded = vi.spyOn(Egress.prototype, 'send')
    const who = await tenant()
    world.lab.faults.add({ kind: 'geo_refusal', times: 1 })
    const first = await warm(who)
    expect(first.json).toMatchObject({ receipt: { kind: 'written' }, plan: { stopped: null } })
    expect(received(world.lab).map(({ status }) => status)).toEqual([403, 200])
    expect(await decisions(pick(first, 'id'), who)).toContain('egress')
    const ids = (await listDurableObjectIds(bindings.EGRESS)).map(String)
    expect(ids).toEqual([bindings.EGRESS.idFromName('wnam').toString()])
    expect(forwarded).toHaveBeenCalledTimes(1)

    const second = await warm(who)
    expect(second.json).toMatchObject({ receipt: { kind: 'written' } })
    expect(received(world.lab)).toHaveLength(3)
    expect(forwarded).toHaveBeenCalledTimes(2)
    // Calls of another account are still sent directly.
    await warm(await tenant())
    expect(forwarded).toHaveBeenCalledTimes(2)
  })

  it('a second refusal, from the other region, stops the plan with its reason', async () => {
    const who = await tenant()
    world.lab.faults.add({ kind: 'geo_refusal' })
    const refused = await warm(who)
    expect(refused.status).toBe(502)
    expect(refused.json).toMatchObject({ error: { kind: 'provider_rejected', detail: { geo: true } } })
    expect(received(world.lab)).toHaveLength(2)
    const prefix = await get(`/prefixes/${pick(refused, 'error', 'detail', 'prefix_id')}`, who)
    expect(pick(prefix, 'plan', 'stopped', 'reason')).toBe('provider_refused')
    expect(pick(prefix, 'plan', 'stopped', 'why')).toContain('does not serve the region')
  })

  it('the credential reaches the provider and is stored nowhere on the way', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => {})
    const who = await tenant()
    world.lab.faults.add({ kind: 'geo_refusal', times: 1 })
    const answer = await warm(who)
    const keys = vi
      .mocked(globalThis.fetch)
      .mock.calls.map(([input, init]) => new Request(input, init).headers.get('x-api-key'))
    expect(keys).toEqual([SECRET, SECRET])
    expect(answer.text + JSON.stringify(written.mock.calls)).not.toContain(SECRET)
  })
})

it('a region that fails gives an unknown outcome, which quotes nothing of the call', async () => {
  vi.spyOn(Egress.prototype, 'send').mockRejectedValue(new Error(`broken with ${SECRET}`))
  const sent = await throughEgress(bindings)('wnam', {
    card: { auth: { header: 'x-api-key' }, headers: {}, dialect: anthropicMessages },
    baseUrl: 'http://lab.test/anthropic',
    credential: SECRET,
    request: { path: '/v1/messages', body: '{}' },
    timeoutMs: 1_000,
  })
  expect(sent).toMatchObject({ kind: 'failed', outcomeKnown: false, failure: { kind: 'provider_unavailable' } })
  expect(JSON.stringify(sent)).not.toContain(SECRET)
})

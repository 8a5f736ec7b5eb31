import { runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { credentialAnswer } from '../../../src/contract/account.ts'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  endOf,
  get,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warmOf,
} from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }
const SECRET = 'sk-ant-tenants-own-0123456789'
const SECOND = 'sk-ant-tenants-second-987654321'

/** Everything that was written to the console, and every answer: no secret may be in any of it. */
let seen: string[] = []
let account = { id: '', key: '', keyId: '' }

beforeEach(async () => {
  seen = []
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, level).mockImplementation((...parts) => void seen.push(parts.map(String).join(' ')))
  account = await newAccount()
})

afterEach(() => {
  const leaks = seen.filter((text) => [SECRET, SECOND].some((secret) => text.includes(secret)))
  if (leaks.length > 0) throw new Error(`a secret was shown ${leaks.length} times`)
})

function noted(answer: Answer): Answer {
  seen.push(answer.text, JSON.stringify([...answer.headers]))
  return answer
}

async function put(name: string, body: unknown, id = account.id): Promise<Answer> {
  return noted(await call('PUT', `/accounts/${id}/credentials/${name}`, body, admin))
}

async function warm(more: Record<string, unknown> = {}, body = anthropicBody()): Promise<Answer> {
  return noted(await post('/warm', warmOf(body, { credential: 'team', ...more }), { key: account.key }))
}

/** Keys that were sent to the provider, in order. */
function keysSent(): (string | null)[] {
  return vi
    .mocked(globalThis.fetch)
    .mock.calls.map(([input, init]) => new Request(input, init).headers.get('x-api-key'))
}

describe('a credential of an account', () => {
  it('is stored, listed without its secret, used, and deleted', async () => {
    const stored = await put('team', { provider: 'anthropic', secret: SECRET })
    expect(stored.status).toBe(201)
    expect(credentialAnswer.parse(stored.json)).toMatchObject({
      name: 'team',
      provider: 'anthropic',
      host: 'lab.test',
      generation: 1,
      sealed_with: 'current',
    })
    expect(pick(noted(await get(`/accounts/${account.id}/credentials`, admin)), 'data')).toEqual([stored.json])

    const warmed = await warm({ keep_warm: { plan: 'always' } })
    expect(warmed.json).toMatchObject({ receipt: { kind: 'written' }, warmth: { state: 'warm' } })
    expect(keysSent()).toEqual([SECRET])
    const shown = noted(await get(`/prefixes/${pick(warmed, 'id')}`, { key: account.key }))
    expect(prefixAnswer.parse(shown.json).credential).toBe('team')

    const gone = await call('DELETE', `/accounts/${account.id}/credentials/team`, undefined, admin)
    expect(gone.json).toEqual({ id: 'team', deleted: true })
    const prefix = noted(await get(`/prefixes/${pick(warmed, 'id')}`, { key: account.key }))
    expect(prefix.json).toMatchObject({ plan: { next_probe_at: null, stopped: { reason: 'credential_replaced' } } })
    expect(pick(await warm(), 'error', 'detail')).toEqual({ field: 'credential' })
    expect((await call('DELETE', `/accounts/${account.id}/credentials/team`, undefined, admin)).status).toBe(404)
  })

  it('is stored only as sealed text', async () => {
    await put('team', { provider: 'anthropic', secret: SECRET })
    const other = await newAccount()
    await put('team', { provider: 'anthropic', secret: SECOND }, other.id)
    const sealedOf = (id: string) =>
      runInDurableObject(bindings.REGISTRY.getByName(id), (_, state) => {
        for (const { name } of state.storage.sql
          .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
          .toArray()) {
          if (name.startsWith('_')) continue
          seen.push(JSON.stringify(state.storage.sql.exec(`SELECT * FROM ${name}`).toArray()))
        }
        return String(state.storage.sql.exec('SELECT sealed FROM credential').one()['sealed'])
      })
    expect(await sealedOf(other.id)).toMatch(/^s1\.[0-9a-f]{8}\./)
    expect(await sealedOf(account.id)).not.toBe(await sealedOf(other.id))
  })

  it('is a new generation when replaced: old plans stop, and a body is a new prefix', async () => {
    const body = anthropicBody()
    await put('team', { provider: 'anthropic', secret: SECRET })
    const first = await warm({ keep_warm: { plan: 'always' }, name: 'shop' }, body)
    const replaced = await put('team', { provider: 'anthropic', secret: SECOND })
    expect(replaced.status).toBe(200)
    expect(pick(replaced, 'generation')).toBe(2)
    const old = noted(await get(`/prefixes/${pick(first, 'id')}`, { key: account.key }))
    expect(pick(old, 'plan', 'stopped', 'reason')).toBe('credential_replaced')
    expect(pick(old, 'plan', 'stopped', 'why')).toMatch(/team .*was replaced/)
    const again = noted(await post(`/prefixes/${pick(first, 'id')}/warm`, {}, { key: account.key }))
    expect(again.json).toMatchObject({ error: { kind: 'forbidden' } })

    const second = await warm({ keep_warm: { plan: 'always' }, name: 'shop' }, body)
    expect(second.json).toMatchObject({ created: true, version: 2, receipt: { kind: 'written' } })
    expect(pick(second, 'id')).not.toBe(pick(first, 'id'))
    expect(keysSent()).toEqual([SECRET, SECOND])
  })

  it('is another one when it is deleted and stored again', async () => {
    await put('team', { provider: 'anthropic', secret: SECRET })
    await call('DELETE', `/accounts/${account.id}/credentials/team`, undefined, admin)
    expect(pick(await put('team', { provider: 'anthropic', secret: SECOND }), 'generation')).toBe(2)
  })

  it('is not sent to another host than the one stored with it, nor to another vendor', async () => {
    await put('team', { provider: 'anthropic', secret: SECRET, host: 'api.anthropic.com' })
    expect((await warm()).json).toMatchObject({ error: { kind: 'provider_key_refused' } })
    await put('team', { provider: 'openai', secret: SECRET })
    expect((await warm()).json).toMatchObject({ error: { kind: 'provider_key_refused' } })
    expect(received(world.lab)).toEqual([])
  })

  it('serves the keep-alives of the queue too, and an observed request finds its prefix by it', async () => {
    const body = anthropicBody()
    await put('team', { provider: 'anthropic', secret: SECRET })
    const queued = await warm({ background: true }, body)
    expect(queued.status).toBe(202)
    const job = await endOf(pick(queued, 'job', 'id'), { key: account.key })
    expect(pick(job, 'status')).toBe('succeeded')
    expect(keysSent()).toEqual([SECRET])
    const usage = { input_tokens: 9, cache_read_input_tokens: 5_000, cache_creation_input_tokens: 0, output_tokens: 4 }
    const one = { provider: 'anthropic', request: body, usage, started_at: new Date().toISOString() }
    const observed = noted(
      await post('/observations', [{ ...one, credential: 'team' }, one, { ...one, credential: 'nobody' }], {
        key: account.key,
      }),
    )
    expect(pick(observed, 'data', 0)).toMatchObject({ prefix_id: pick(queued, 'id'), matched: true })
    expect(pick(observed, 'data', 1)).toMatchObject({ matched: false })
    expect(pick(observed, 'data', 2, 'error', 'kind')).toBe('invalid_request')
  })

  it.each([
    ['default', { provider: 'anthropic', secret: SECRET }, 'name'],
    ['a.b', { provider: 'anthropic', secret: SECRET }, 'name'],
    ['team', { provider: 'nobody', secret: SECRET }, 'provider'],
    ['team', { provider: 'anthropic', secret: 'with spaces' }, 'secret'],
    ['team', { provider: 'anthropic', secret: `${SECRET}\nx-evil: 1` }, 'secret'],
    ['team', { provider: 'anthropic', secret: SECRET, host: 'https://api.anthropic.com' }, 'host'],
    ['team', { provider: 'anthropic' }, 'secret'],
  ])('is not stored as %s %j', async (name, body, field) => {
    expect((await put(name, body)).json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    expect(pick(await get(`/accounts/${account.id}/credentials`, admin), 'data')).toEqual([])
  })

  it('is stored by the administrator alone, and shown to nobody else', async () => {
    const body = { provider: 'anthropic', secret: SECRET }
    const path = `/accounts/${account.id}/credentials`
    for (const answer of [
      await call('PUT', `${path}/team`, body, { key: account.key }),
      await get(path, { key: account.key }),
      await call('DELETE', `${path}/team`, undefined, { key: account.key }),
    ])
      expect(noted(answer).status).toBe(403)
    expect((await put('team', body, 'no-such-account')).status).toBe(404)
  })
})

describe('the key-encryption secret', () => {
  const before = bindings.KEY_ENCRYPTION_SECRET ?? ''
  afterEach(() => {
    bindings.KEY_ENCRYPTION_SECRET = before
    delete bindings.KEY_ENCRYPTION_SECRET_PREVIOUS
  })

  it('makes only credentials fail where it is missing', async () => {
    delete bindings.KEY_ENCRYPTION_SECRET
    expect((await put('team', { provider: 'anthropic', secret: SECRET })).json).toMatchObject({
      error: { kind: 'not_configured', detail: { missing: ['KEY_ENCRYPTION_SECRET'] } },
    })
    const plain = await post('/warm', warmOf(), { key: account.key })
    expect(plain.json).toMatchObject({ receipt: { kind: 'written' } })
  })

  it('reseals by the daily run what the former secret sealed', async () => {
    await put('team', { provider: 'anthropic', secret: SECRET })
    const first = await warm()
    expect(pick(first, 'receipt', 'kind')).toBe('written')
    bindings.KEY_ENCRYPTION_SECRET = 'another-seal-altogether'
    bindings.KEY_ENCRYPTION_SECRET_PREVIOUS = before
    const again = (): Promise<Answer> => post(`/prefixes/${pick(first, 'id')}/warm`, {}, { key: account.key })
    expect(pick(noted(await again()), 'receipt', 'kind')).toBe('full')
    await bindings.REGISTRY.getByName(account.id).rollUp()
    delete bindings.KEY_ENCRYPTION_SECRET_PREVIOUS
    expect(pick(noted(await again()), 'receipt', 'kind')).toBe('full')
    expect(pick(await get(`/accounts/${account.id}/credentials`, admin), 'data', 0)).toMatchObject({
      generation: 1,
      sealed_with: 'current',
    })
    expect(keysSent()).toEqual([SECRET, SECRET, SECRET])
  })

  it('reseals what bodies hold when the credentials are listed', async () => {
    const token = 'gho_a1B2a1B2a1B2a1B2a1B2a1B2'
    const body = {
      ...anthropicBody(),
      mcp_servers: [{ type: 'url', url: 'https://mcp.example.com/sse', name: 'mill', authorization_token: token }],
      tools: [{ type: 'mcp_toolset', mcp_server_name: 'mill' }],
    }
    const first = await post('/warm', warmOf(body), { key: account.key })
    expect(pick(first, 'receipt', 'kind')).toBe('written')
    bindings.KEY_ENCRYPTION_SECRET = 'another-seal-altogether'
    bindings.KEY_ENCRYPTION_SECRET_PREVIOUS = before
    expect((await get(`/accounts/${account.id}/credentials`, admin)).status).toBe(200)
    delete bindings.KEY_ENCRYPTION_SECRET_PREVIOUS
    const again = await post(`/prefixes/${String(pick(first, 'id'))}/warm`, {}, { key: account.key })
    expect(pick(again, 'receipt', 'kind')).toBe('full')
    expect(received(world.lab).map((call) => call.body.includes(token))).toEqual([true, true])
  })

  it('is reported when lost, and storing the credential again repairs it', async () => {
    await put('team', { provider: 'anthropic', secret: SECRET })
    bindings.KEY_ENCRYPTION_SECRET = 'another-seal-altogether'
    expect(pick(await get(`/accounts/${account.id}/credentials`, admin), 'data', 0, 'sealed_with')).toBe('unknown')
    expect((await warm()).json).toMatchObject({ error: { kind: 'not_configured' } })
    expect(received(world.lab)).toEqual([])
    await put('team', { provider: 'anthropic', secret: SECOND })
    expect((await warm()).json).toMatchObject({ receipt: { kind: 'written' } })
  })
})

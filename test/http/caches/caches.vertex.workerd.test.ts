import { beforeEach, describe, expect, it, vi } from 'vitest'
import { serviceAccountKey } from '../../support/service-account.ts'
import type { MadeKey } from '../../support/service-account.ts'
import { ADMIN, call, get, longText, newAccount, pick, post, received, useLab } from '../support.ts'
import type { Answer } from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }
let account = { id: '', key: '', keyId: '' }
let key: MadeKey

beforeEach(async () => {
  account = await newAccount()
  key = serviceAccountKey()
})

const put = (secret: unknown, provider = 'vertex'): Promise<Answer> =>
  call('PUT', `/accounts/${account.id}/credentials/team`, { provider, secret }, admin)

function warm(text = longText(400)): Promise<Answer> {
  const request = {
    systemInstruction: { parts: [{ text }] },
    contents: [{ role: 'user', parts: [{ text: 'Hello.' }] }],
  }
  const body = {
    provider: 'vertex',
    model: 'gemini-2.5-flash',
    request,
    credential: 'team',
    keep_warm: { plan: 'off' },
  }
  return post('/warm', body, { key: account.key })
}

/** Paths that were called, and their statuses. */
const calls = (): string[] =>
  received(world.lab).map(({ path, status }) => `${path.replace(/^.*\/models\//, '')} ${status}`)

describe('a service-account key', () => {
  it('is stored as it comes from the console, warms, and appears nowhere else', async () => {
    world.lab.addServiceAccount(key.email, key.publicKey)
    const stored = await put(key.file)
    expect(stored.status).toBe(201)
    const text = longText(400)
    const first = await warm(text)
    expect(first.status).toBe(200)
    const second = await post(`/prefixes/${pick(first, 'id')}/warm`, {}, { key: account.key })
    expect(second.json).toMatchObject({ receipt: { kind: 'full' } })
    const probe = 'gemini-2.5-flash:generateContent 200'
    expect(calls()).toEqual(['token 200', probe, probe])
    const shown = vi
      .mocked(globalThis.fetch)
      .mock.calls.map(([input, init]) => new Request(input, init).headers.get('authorization'))
    expect(shown).toEqual([null, expect.stringMatching(/^Bearer ya29\./), expect.stringMatching(/^Bearer ya29\./)])
    expect(JSON.stringify(received(world.lab)) + stored.text + first.text + second.text).not.toContain('PRIVATE')
  })

  it('is exchanged once for requests at the same time', async () => {
    world.lab.addServiceAccount(key.email, key.publicKey)
    await put(key.file)
    const answers = await Promise.all([warm(), warm(), warm()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(calls().filter((one) => one.startsWith('token'))).toEqual(['token 200'])
  })

  it('stops the plan at no cost when Google does not know it', async () => {
    await put(key.file)
    const answer = await warm()
    expect(answer.status).toBe(502)
    expect(answer.json).toMatchObject({ error: { kind: 'provider_key_refused', detail: { type: 'invalid_grant' } } })
    expect(answer.text).not.toContain(key.email)
    expect(calls()).toEqual(['token 400'])
    const prefix = await get(`/prefixes/${pick(answer, 'error', 'detail', 'prefix_id')}`, { key: account.key })
    expect(pick(prefix, 'costs', 'spent_usd') ?? 0).toBe(0)
  })

  it.each([
    ['{"type":"authorized_user"}', 'vertex'],
    ['{"type": "service_account", "client_email": "a@b"}', 'vertex'],
    ['{"type": "service_account" not json}', 'vertex'],
    ['{"type": "service_account"}', 'gemini'],
  ])('is not stored where it cannot work: %s for %s', async (secret, provider) => {
    const answer = await put(secret, provider)
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field: 'secret' } } })
  })
})

describe('a managed cache of Vertex', () => {
  const PLACE = 'http://lab.test/vertex/v1/projects/lab/locations/lab'
  const MODEL = 'gemini-3.8-flash'
  const contents = () => ({ contents: [{ role: 'user', parts: [{ text: longText() }] }] })

  const outOfBand = (method: string, path: string, body?: unknown): Promise<Response> =>
    world.lab.fetch(
      new Request(PLACE + path, {
        method,
        headers: { authorization: 'Bearer lab' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    )

  async function use(handle: unknown): Promise<number> {
    const body = { cachedContent: handle, contents: [{ role: 'user', parts: [{ text: 'Which lamp?' }] }] }
    return (await outOfBand('POST', `/publishers/google/models/${MODEL}:generateContent`, body)).status
  }

  const make = (request: unknown = contents()): Promise<Answer> =>
    post('/caches', { provider: 'vertex', model: MODEL, request, ttl: '1h' })

  it('is made, confirmed, renewed, listed, used and deleted', async () => {
    const made = await make()
    expect([made.status, pick(made, 'state')]).toEqual([201, 'live'])
    const handle = String(pick(made, 'handle'))
    expect(handle).toMatch(/^projects\/\d+\/locations\/lab\/cachedContents\/\w+$/)
    expect(await use(handle)).toBe(200)
    const id = String(pick(made, 'id'))
    expect((await get(`/caches/${id}`)).json).toMatchObject({ handle, state: 'live' })
    const renewed = await call('PATCH', `/caches/${id}`, { ttl: '2h' })
    expect(renewed.json).toMatchObject({ handle, renewals: 1 })
    expect(Date.parse(String(pick(renewed, 'expires_at')))).toBeGreaterThan(
      Date.parse(String(pick(made, 'expires_at'))),
    )
    expect(pick(await get('/caches?provider=vertex'), 'data')).toEqual(
      expect.arrayContaining([expect.objectContaining({ id, handle })]),
    )
    expect((await call('DELETE', `/caches/${id}?provider=vertex`)).json).toMatchObject({ at_provider: 'deleted' })
    expect(await use(handle)).toBe(404)
  })

  it('is made again when it was deleted elsewhere, before a caller gets it', async () => {
    const made = await make()
    const dead = String(pick(made, 'handle'))
    await outOfBand('DELETE', dead.slice(dead.indexOf('/cachedContents')))
    expect(await use(dead)).toBe(404)
    const { json } = await get(`/caches/${pick(made, 'id')}`)
    expect(json['handle']).not.toBe(dead)
    expect(await use(json['handle'])).toBe(200)
  })

  it('in two locations is two, each with its own handle, and a bot follows it there', async () => {
    const same = contents()
    const body = { provider: 'vertex', model: MODEL, request: same, ttl: '1h' }
    const at = (region?: string) => post('/caches', region === undefined ? body : { ...body, region })
    const [home, west, again] = [await at(), await at('europe-west4'), await at('europe-west4')]
    expect([home.status, west.status, again.status]).toEqual([201, 201, 200])
    expect([pick(home, 'region'), pick(west, 'region'), pick(again, 'id')]).toEqual([
      undefined,
      'europe-west4',
      pick(west, 'id'),
    ])
    expect(pick(west, 'id')).not.toBe(pick(home, 'id'))
    const bot = await post('/bots', { provider: 'vertex', model: MODEL, cache: { handle: pick(west, 'handle') } })
    expect([bot.status, pick(bot, 'region')]).toEqual([201, 'europe-west4'])
    for (const region of ['us-east5', 'europe-west4'])
      expect(
        (await post('/warm', { provider: 'vertex', model: MODEL, region, cache: { handle: pick(west, 'handle') } }))
          .status,
      ).toBe(region === 'europe-west4' ? 200 : 400)
    const elsewhere = await post('/caches', { ...body, provider: 'gemini', region: 'europe-west4' })
    expect([elsewhere.status, pick(elsewhere, 'error', 'detail', 'field')]).toEqual([400, 'region'])
  })
})

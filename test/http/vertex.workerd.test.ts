import { beforeEach, describe, expect, it, vi } from 'vitest'
import { serviceAccountKey } from '../support/service-account.ts'
import type { MadeKey } from '../support/service-account.ts'
import { ADMIN, call, get, longText, newAccount, pick, post, received, useLab } from './support.ts'
import type { Answer } from './support.ts'

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

  it('is exchanged once for requests that come together', async () => {
    world.lab.addServiceAccount(key.email, key.publicKey)
    await put(key.file)
    const answers = await Promise.all([warm(), warm(), warm()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(calls().filter((one) => one.startsWith('token'))).toEqual(['token 200'])
  })

  it('that Google does not know stops the plan, costs nothing, and says so in our words', async () => {
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

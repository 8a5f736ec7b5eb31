import { expect, it } from 'vitest'
import {
  ADMIN,
  anthropicBody,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warm,
} from '../support.ts'

const world = useLab()
const secret = () => `${longText()} Use sk-ant-api03-${crypto.randomUUID().replaceAll('-', 'x9')} for it.`

/** An account that may use the lab's Anthropic. */
async function account(change: object = {}) {
  const { id, key } = await newAccount()
  const set = (more: object) => call('PATCH', `/accounts/${id}`, more, { key: ADMIN })
  await set({ allowed_secrets: ['ANTHROPIC_API_KEY'], ...change })
  return {
    id,
    set,
    warmed: (more: Record<string, unknown> = {}) => warm(anthropicBody(secret()), { ...more }, { key }),
  }
}

it('a secret is refused by default, and its text is in no answer', async () => {
  const { id, warmed } = await account()
  const refused = await warmed()
  expect(refused.json).toMatchObject({ error: { kind: 'invalid_request', detail: { cause: 'secret' } } })
  expect(refused.text).toContain('"lint\\": \\"advice\\"')
  expect(refused.text).not.toContain('sk-ant')
  expect(received(world.lab)).toEqual([])
  expect(pick(await get(`/accounts/${id}`, { key: ADMIN }), 'lint')).toBeNull()
})

it('an account may allow secrets, and its callers may for one body', async () => {
  const { set, warmed } = await account()
  expect((await warmed({ lint: 'advice' })).status).toBe(200)
  expect(pick(await set({ lint: 'advise' }), 'lint')).toBe('advise')
  const allowed = await warmed()
  expect(allowed.status).toBe(200)
  expect(JSON.stringify(allowed.json['advice'])).toContain('"secret"')
  await set({ lint: 'off' })
  expect((await warmed()).json['advice']).toEqual([])
})

it('an account that refuses findings refuses them whatever a body says', async () => {
  const { set, warmed } = await account({ lint: 'refuse' })
  for (const lint of ['off', 'advice'])
    expect((await warmed({ lint })).json).toMatchObject({ error: { kind: 'invalid_request' } })
  expect(pick(await set({ lint: null }), 'lint')).toBeNull()
  expect((await warmed({ lint: 'advice' })).status).toBe(200)
})

it('the setting is one of three words, or null', async () => {
  for (const lint of ['error', 'advice', 1, ''])
    expect((await post('/accounts', { id: 'linted', lint }, { key: ADMIN })).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: 'lint' } },
    })
})

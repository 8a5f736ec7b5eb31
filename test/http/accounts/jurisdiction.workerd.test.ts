import { listDurableObjectIds } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { tick } from '../../support/worker.ts'
import { ADMIN, anthropicBody, bindings, call, endOf, get, pick, post, received, useLab, warm } from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }

async function inEurope(): Promise<{ id: string; key: string }> {
  const id = `eu-${crypto.randomUUID().slice(0, 8)}`
  const made = await post('/accounts', { id, jurisdiction: 'eu', allowed_secrets: ['ANTHROPIC_API_KEY'] }, admin)
  expect([made.status, made.json]).toMatchObject([201, { id, jurisdiction: 'eu' }])
  const key = pick(await post(`/accounts/${id}/keys`, {}, admin), 'key')
  return { id, key: String(key) }
}

describe('an account in a jurisdiction', () => {
  it('is shown, listed, changed and deleted by its id, and works as others do', async () => {
    const { id, key } = await inEurope()
    expect((await get(`/accounts/${id}`, admin)).json).toMatchObject({ id, jurisdiction: 'eu', prefixes: 0 })
    const listed = pick(await get('/accounts?limit=200', admin), 'data') as { id: string; jurisdiction: string }[]
    expect(listed.filter((one) => one.id === id)).toMatchObject([{ jurisdiction: 'eu' }])
    expect((await warm(anthropicBody(), { keep_warm: { plan: 'always' } }, { key })).json).toMatchObject({
      receipt: { kind: 'written' },
    })
    const queued = await warm(anthropicBody(), { background: true }, { key })
    await endOf(pick(queued, 'job', 'id'), { key })
    expect(received(world.lab)).toHaveLength(2)
    await tick()
    expect(pick(await get('/prefixes', { key }), 'data')).toHaveLength(2)
    const bot = await post('/bots', { provider: 'anthropic', model: 'claude-opus-5' }, { key })
    expect((await get(`/bots/${String(pick(bot, 'id'))}`, { key })).status).toBe(200)
    const before = (await listDurableObjectIds(bindings.REGISTRY)).length
    expect((await call('PATCH', `/accounts/${id}`, { kill_switch: true }, admin)).json).toMatchObject({
      id,
      kill_switch: true,
    })
    expect((await listDurableObjectIds(bindings.REGISTRY)).length).toBe(before)
    expect((await call('DELETE', `/accounts/${id}`, undefined, admin)).json).toEqual({ id, deleted: true })
    expect((await get(`/accounts/${id}`, admin)).status).toBe(404)
  })

  it('keeps its jurisdiction, and its id, for ever', async () => {
    const { id } = await inEurope()
    for (const jurisdiction of [null, undefined, 'eu']) {
      const again = await post('/accounts', { id, ...(jurisdiction === undefined ? {} : { jurisdiction }) }, admin)
      expect([again.status, pick(again, 'error', 'detail', 'field')]).toEqual([409, 'id'])
    }
    const moved = await call('PATCH', `/accounts/${id}`, { jurisdiction: null }, admin)
    expect([moved.status, moved.json]).toMatchObject([
      400,
      { error: { detail: { field: 'jurisdiction' }, message: expect.stringContaining('cannot be changed') } },
    ])
    const plain = `plain-${crypto.randomUUID().slice(0, 8)}`
    expect((await post('/accounts', { id: plain }, admin)).json).toMatchObject({ jurisdiction: null })
    expect((await post('/accounts', { id: plain, jurisdiction: 'eu' }, admin)).status).toBe(409)
    const wrong = await post('/accounts', { id: 'elsewhere', jurisdiction: 'moon' }, admin)
    expect([wrong.status, pick(wrong, 'error', 'detail', 'field')]).toEqual([400, 'jurisdiction'])
  })

  it('is refused, and not stored, where the runtime cannot keep the promise', async () => {
    const vars = bindings as { ENVIRONMENT?: string; ADMIN_KEY?: string }
    const before = { ...vars }
    const key = 'an-administrators-key-of-a-deployment'
    try {
      vars.ENVIRONMENT = 'production'
      vars.ADMIN_KEY = key
      const refused = await post('/accounts', { id: 'promised', jurisdiction: 'eu' }, { key })
      expect([refused.status, refused.json]).toMatchObject([
        422,
        { error: { kind: 'unsupported', detail: { field: 'jurisdiction' } } },
      ])
      expect((await get('/accounts/promised', { key })).status).toBe(404)
    } finally {
      Object.assign(vars, { ENVIRONMENT: before.ENVIRONMENT, ADMIN_KEY: before.ADMIN_KEY })
    }
  })

  it('has an id that no other form of name reaches', async () => {
    const { id } = await inEurope()
    for (const path of [`/accounts/${id}.eu`, `/accounts/${id}.EU`]) expect((await get(path, admin)).status).toBe(404)
    expect((await post('/accounts', { id: `${id}.eu` }, admin)).status).toBe(400)
  })
})

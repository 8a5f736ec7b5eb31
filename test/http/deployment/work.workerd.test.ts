import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { expect, it, vi } from 'vitest'
import { healthAnswer } from '../../../src/contract/values.ts'
import type { Directory } from '../../../src/durable/directory/directory.ts'
import { bindings, get, newAccount, pick, post, useLab } from '../support.ts'
import { contents } from '../caches/support.ts'

const world = useLab()
const directory = () => bindings.DIRECTORY.getByName('directory')
const stub = () => directory() as unknown as DurableObjectStub<Directory>

/** Names of managed caches that the provider has for the deployment's key. */
async function atProvider(): Promise<string[]> {
  const answer = await world.lab.fetch(
    new Request('http://lab.test/gemini/v1beta/cachedContents', { headers: { 'x-goog-api-key': 'lab' } }),
  )
  const { cachedContents = [] } = (await answer.json()) as { cachedContents?: { name: string }[] }
  return cachedContents.map(({ name }) => name)
}

async function ended(kind: 'roll_up' | 'reconciliation'): Promise<void> {
  await vi.waitUntil(async () => !(await directory().work())[kind].running, { timeout: 30_000, interval: 25 })
}

async function made(): Promise<{ id: string; handle: string; account: string }> {
  const { id: account, key } = await newAccount()
  const { json } = await post(
    '/caches',
    { provider: 'gemini', model: 'gemini-3.8-flash', request: contents() },
    { key },
  )
  return { id: String(pick({ json } as never, 'id')), handle: String(pick({ json } as never, 'handle')), account }
}

it('the reconciliation goes on after an eviction: an orphan is deleted, others stay', async () => {
  const kept = await made()
  const orphan = await made()
  await runInDurableObject(bindings.REGISTRY.getByName(orphan.account), (_, { storage }) => {
    storage.sql.exec('DELETE FROM handle WHERE id = ?', orphan.id)
  })
  for (let n = 0; n < 30; n++) await directory().add(`reconciled-${n}`)
  await directory().reconcileAgainAt(0)
  await directory().beginWork(Date.now())
  expect((await directory().work()).reconciliation).toMatchObject({ running: true, failed: 0 })
  await evictDurableObject(stub())
  await ended('reconciliation')
  const names = await atProvider()
  expect(names).toContain(kept.handle)
  expect(names).not.toContain(orphan.handle)
})

it('the daily roll-up goes on after an eviction, once a day, and is shown', async () => {
  const { id } = await newAccount()
  for (let n = 0; n < 60; n++) await directory().add(`rolled-up-${n}`)
  const today = Date.now()
  await directory().beginWork(today)
  await ended('roll_up')
  const rows = () =>
    runInDurableObject(stub(), (_, { storage }) =>
      storage.sql.exec<{ n: number }>('SELECT rolled_up AS n FROM account WHERE id = ?', id).one(),
    )
  const before = await rows()
  await directory().beginWork(today + 86_400_000)
  const shown = healthAnswer.parse((await get('/health')).json).work.roll_up
  expect(shown.running).toBe(shown.pending > 0)
  expect((await directory().work()).roll_up.running).toBe(true)
  await evictDurableObject(stub())
  await ended('roll_up')
  expect((await rows()).n).toBe(before.n + 1)
  // The same day begins nothing more.
  await directory().beginWork(today + 86_400_000 + 60_000)
  expect((await directory().work()).roll_up).toEqual({ running: false, pending: 0, failed: 0 })
})

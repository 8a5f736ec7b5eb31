import { evictDurableObject } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import { killSwitchAnswer } from '../../../src/contract/values.ts'
import { clockFrom } from '../../../src/runtime/clock.ts'
import { heldByKillSwitch, killSwitchOf } from '../../../src/runtime/kill-switch.ts'
import { ADMIN, anthropicBody, bindings, get, newAccount, pick, post, received, useLab, warm } from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }
const clock = clockFrom(bindings)
const directory = () => bindings.DIRECTORY.getByName('directory')
const shown = async () => killSwitchAnswer.parse((await get('/kill-switch', admin)).json)
async function everyoneKnows(): Promise<void> {
  await expect.poll(async () => (await shown()).pending).toBe(0)
}

/** Some isolate throws the switch in each test: this one must not go on from what it believes. */
afterEach(async () => {
  const { state } = await directory().setKillSwitch(false)
  await vi.waitUntil(async () => (await killSwitchOf(bindings, clock))?.version === state.version, 30_000)
  await vi.waitUntil(async () => (await directory().rollOut()).pending === 0, 30_000)
})

it('the kill switch answers at once with what is pending, and shows its way to every account', async () => {
  const { id } = await newAccount()
  for (let n = 0; n < 60; n++) await directory().add(`idle-${n}`)
  const thrown = killSwitchAnswer.parse((await post('/kill-switch', { on: true }, admin)).json)
  expect(thrown).toMatchObject({ on: true, failed: 0 })
  expect(thrown.pending).toBe(thrown.accounts)
  await everyoneKnows()
  expect(await shown()).toEqual({ on: true, accounts: thrown.accounts, pending: 0, failed: 0 })
  expect((await bindings.REGISTRY.getByName(id).settings())?.globalKillSwitch).toBe(true)
  // Thrown again it changes nothing, and nobody has to be told.
  expect(pick(await post('/kill-switch', { on: true }, admin), 'pending')).toBe(0)
  await post('/kill-switch', { on: false }, admin)
  await everyoneKnows()
  expect((await bindings.REGISTRY.getByName(id).settings())?.globalKillSwitch).toBe(false)
})

it('the kill switch reaches every account although the Directory is evicted', async () => {
  const { id } = await newAccount()
  for (let n = 0; n < 120; n++) await directory().add(`evicted-${n}`)
  await post('/kill-switch', { on: true }, admin)
  await evictDurableObject(directory())
  await everyoneKnows()
  expect((await bindings.REGISTRY.getByName(id).settings())?.globalKillSwitch).toBe(true)
  await post('/kill-switch', { on: false }, admin)
  await everyoneKnows()
})

it('the kill switch holds each call of ours before its account was told', async () => {
  expect(await heldByKillSwitch(bindings, clock)).toBeNull()
  // Thrown by another isolate: this one learns of it when its answer is a quarter of a second old.
  await directory().setKillSwitch(true)
  await expect.poll(() => heldByKillSwitch(bindings, clock), { timeout: 1_000 }).toBe('the kill switch is on')
  const { key } = await newAccount()
  expect((await warm(anthropicBody(), {}, { key })).json).toMatchObject({ error: { kind: 'forbidden' } })
  expect(received(world.lab)).toEqual([])
  await post('/kill-switch', { on: false }, admin)
})

it('the kill switch holds what is ours where the Directory does not answer', async () => {
  const broken = {
    DIRECTORY: {
      getByName: () => ({ killSwitchState: async () => Promise.reject(new Error('unreachable')) }),
    } as unknown as typeof bindings.DIRECTORY,
  }
  // An answer from before is trusted for a quarter of a second, and not a moment longer.
  await expect
    .poll(() => heldByKillSwitch(broken, clock), { timeout: 1_000 })
    .toBe('the Directory did not say whether the kill switch is on')
})

it('the kill switch stops no request of a caller: reports, reads and dry runs are answered', async () => {
  const { key } = await newAccount()
  const warmed = await warm(anthropicBody(), { keep_warm: { plan: 'always' } }, { key })
  const id = pick(warmed, 'id')
  await post('/kill-switch', { on: true }, admin)
  const usage = { input_tokens: 12, cache_read_input_tokens: 5_000, cache_creation_input_tokens: 0, output_tokens: 3 }
  const reported = await post('/observations', [{ prefix_id: id, usage, started_at: Date.now() }], { key })
  expect(reported.status).toBe(200)
  expect((await get(`/prefixes/${id}`, { key })).status).toBe(200)
  expect((await warm(anthropicBody(), { dry_run: true }, { key })).status).toBe(200)
  await post('/kill-switch', { on: false }, admin)
})

it('an account that was told of an older switch after a newer one keeps the newer', async () => {
  const { id } = await newAccount()
  const registry = bindings.REGISTRY.getByName(id)
  const { version } = (await directory().setKillSwitch(true)).state
  await registry.adoptKillSwitch({ on: false, version: version + 2 })
  await registry.adoptKillSwitch({ on: true, version: version + 1 })
  expect((await registry.settings())?.globalKillSwitch).toBe(false)
  await post('/kill-switch', { on: false }, admin)
})

import { reset, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import type { Environment } from '../../../src/runtime/env.ts'

const bindings = env as unknown as Environment

function registry(): DurableObjectStub<Registry> {
  return bindings.REGISTRY.getByName('rpc') as unknown as DurableObjectStub<Registry>
}

afterEach(reset)

/** The names that Workers of the release before may call: for minutes after a deployment they call new objects. */
const NAMES = [
  'abandonIdempotent addBot alarm announce anyJob askBarrier askForHandle begin beginBotCall beginHandle beginIdempotent',
  'body bodyFor bots change changeHandle configure counts createKey credentials credentialsNamed credentialsOf crewChanged',
  'endBotCall ended erase findByFingerprint finishIdempotent followBot guards handle handleBody handleCounts handleHistory',
  'handleIdle handleList history idsOf job jobChanged keys leaveBot ledgerEntries ledgerSums list livingHandles observe pool',
  'pools preload promote providersOf putCredential putPool putWebhook reconcileHandles register registerHandle release remove',
  'removeBot removeCredential removeHandle removePool removeWebhook reportBarrier revokeKey rollUp seen setOverrides settings',
  'settle settleHandle signal stored sweep totals trials verifyKey view warm webhook webhookTarget withdraw',
].flatMap((line) => line.split(' '))

/** Names of this release alone. */
const NEW_NAMES = [
  'adopt adoptKillSwitch answer askCallBarrier bodyKey close countUnmatched erasePrompts findByLookup grantsFor grantsForCount',
  'handleContents handleNamed handleRegions lifetimes nearest pooled prefixesOfHandles promptsProblem',
  'registerInPool stats told contentsCounted prefixCounted prefixToCount',
  'agentsCalled candidates prefixNamed keptSketch learningOrder observeOnce refuseByUse misses missCounts registerByUse removeCandidate reportCallBarrier standing wantCandidate',
].flatMap((line) => line.split(' '))

it('a Registry answers the names of the release before, and those of this one', async () => {
  const declared = await runInDurableObject(registry(), (object) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(object)),
  )
  expect(declared.filter((name) => name !== 'constructor').toSorted()).toEqual([...NAMES, ...NEW_NAMES].toSorted())
})

it('a call through a stub reaches the delegate and brings its answer back', async () => {
  const settings = await registry().configure({ killSwitch: true })
  expect(settings).toMatchObject({ account: 'rpc', killSwitch: true })
  expect(await registry().settings()).toEqual(settings)
  await registry().addBot('bot_1')
  expect(
    await Promise.all([registry().bots(), registry().counts(), registry().totals(), registry().handleCounts()]),
  ).toEqual([
    ['bot_1'],
    {
      prefixes: 0,
      drifted: 0,
      alarmed: 0,
      alarms: {},
      editsAside: 0,
      storedBytes: expect.any(Number) as number,
    },
    [],
    [],
  ])
})

it.each<[name: string, kind: string, call: (stub: DurableObjectStub<Registry>) => PromiseLike<unknown>]>([
  ['a synchronous method', 'not_found', (stub) => stub.view('pfx_0_none')],
  ['an asynchronous method', 'not_found', (stub) => stub.askForHandle('cache_none', { want: 'any' }, 0)],
  ['a method that needs the account', 'unauthenticated', (stub) => stub.beginIdempotent('POST /v1/warm key', 'hash')],
])('a failure that %s throws arrives with its kind: %s', async (_, kind, call) => {
  const thrown = await Promise.resolve(call(registry())).catch((error: unknown) => error)
  expect(readFailure(thrown)?.kind).toBe(kind)
})

it.each(['#clock', 'delegates', 'rearm', 'requireAccount'])('%s cannot be called from outside', async (name) => {
  const stub = registry() as unknown as Record<string, () => Promise<unknown>>
  await expect(async () => stub[name]?.call(stub)).rejects.toThrow(TypeError)
})

it('an account that was erased is empty for the next call, and its key is refused', async () => {
  await registry().configure({})
  await registry().createKey('key_1', 'hash', null)
  expect(await registry().verifyKey('key_1', 'hash')).toMatchObject({ verdict: 'ok' })
  await registry().erase()
  // Until the instance is gone, a call may meet it and fail.
  const settings = async () => registry().settings()
  await vi.waitFor(async () => expect(await settings()).toBeNull())
  expect(await registry().verifyKey('key_1', 'hash')).toMatchObject({ verdict: 'unknown' })
})

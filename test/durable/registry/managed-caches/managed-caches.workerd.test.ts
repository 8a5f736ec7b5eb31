import { evictDurableObject, reset, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ManagedCacheKeep } from '../../../../src/core/managed-cache/state.ts'
import type {
  ManagedCacheFlight,
  ManagedCacheRow,
  ManagedCacheView,
} from '../../../../src/durable/registry/records/managed-cache.ts'
import type { Registry } from '../../../../src/durable/registry/registry.ts'
import { displayNameOf } from '../../../../src/core/managed-cache/ownership.ts'
import { managedCacheMark } from '../../../../src/runtime/ids.ts'
import { runManagedCacheToEnd } from '../../../../src/calls/managed-cache.ts'
import { clockFrom } from '../../../../src/runtime/clock.ts'
import { secretNames } from '../../../../src/runtime/env.ts'
import type { Environment } from '../../../../src/runtime/env.ts'
import type { Lab } from '../../../lab/index.ts'
import { managedCacheRegistration } from '../../../support/managed-cache-registration.ts'
import { fault, installLab, received } from '../../../support/lab.ts'
import { tick, worker } from '../../../support/worker.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

const bindings = env as unknown as Environment
/** Ahead of the machine's clock, so that alarms fire only when a test runs them. */
const START = Date.UTC(2031, 0, 6, 12)

let lab: Lab
let number = 0
let account = ''

function registry(name = account): DurableObjectStub<Registry> {
  return bindings.REGISTRY.getByName(name) as unknown as DurableObjectStub<Registry>
}

const directory = () => bindings.DIRECTORY.getByName('directory')

function at(time: number): void {
  vi.setSystemTime(time)
}

async function open(name: string): Promise<void> {
  await directory().add(name)
  await registry(name).configure({ allowedSecrets: secretNames() })
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  at(START)
  lab = installLab()
  number += 1
  account = `handles-${number}`
  await open(account)
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  await reset()
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 8_000, interval: 25 })
}

async function provider(method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { 'x-goog-api-key': 'lab', 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  return lab.fetch(new Request(`http://lab.test/gemini/v1beta/${path}`, { method, headers, ...sent }))
}

async function listed(): Promise<string[]> {
  const answer = (await (await provider('GET', 'cachedContents')).json()) as { cachedContents?: { name: string }[] }
  return (answer.cachedContents ?? []).map(({ name }) => name)
}

const calls = (method: string): number => lab.transcript.list(0, 2_000).filter((row) => row.method === method).length

/** Registers contents and creates their handle, as the Worker does. */
async function made(tag = 'one', keep: Partial<ManagedCacheKeep> = { idleMs: null }, ttlMs = HOUR_MS): Promise<string> {
  const { id } = await registry().registerHandle(managedCacheRegistration(account, tag, keep, ttlMs))
  const flight = (await registry().askForHandle(id, { want: 'any' }, START)) as ManagedCacheFlight
  if (flight.role !== 'leader') throw new Error(`expected to lead, not ${flight.role}`)
  const around = { env: bindings, clock: clockFrom(bindings), allowedSecrets: flight.allowedSecrets, credentials: [] }
  await runManagedCacheToEnd(flight.lease, around, account)
  return id
}

const view = async (id: string): Promise<ManagedCacheView> => (await registry().handle(id)) as ManagedCacheView
const nameOf = async (id: string): Promise<string | null> => (await view(id)).state.live?.name ?? null
async function events(id: string): Promise<ManagedCacheRow['event'][]> {
  return ((await registry().handleHistory(id, null, 100)) as { rows: ManagedCacheRow[] }).rows
    .map(({ event }) => event)
    .toReversed()
}

describe('the schedule', () => {
  it('the tick renews before the expiry, by an update and no call of the model', async () => {
    const id = await made()
    const name = await nameOf(id)
    at(START + 45 * MINUTE_MS)
    await tick()
    await until(async () => (await view(id)).state.renewals === 1)
    const { state } = await view(id)
    expect(state.live?.name).toBe(name)
    expect(Math.abs((state.live?.expiresAt ?? 0) - (START + 105 * MINUTE_MS))).toBeLessThan(1_000)
    expect(received(lab).filter(({ path }) => path.includes('generateContent'))).toHaveLength(0)
    expect(await events(id)).toEqual(['created', 'renewed'])
  })

  it('the alarm renews when no tick comes', async () => {
    const id = await made()
    at(START + 45 * MINUTE_MS)
    expect(await runDurableObjectAlarm(registry())).toBe(true)
    await until(async () => (await view(id)).state.renewals === 1)
  })

  it('a renewal that finds the handle deleted creates a new one, and nobody gets the old one', async () => {
    const id = await made()
    const dead = await nameOf(id)
    await provider('DELETE', dead ?? '')
    at(START + 45 * MINUTE_MS)
    await tick()
    await until(async () => (await view(id)).state.creations === 2)
    expect(await nameOf(id)).not.toBe(dead)
    expect(await listed()).toEqual([await nameOf(id)])
    expect(await events(id)).toEqual(['created', 'lost', 'created'])
  })

  it('a handle that expired during an outage is created again', async () => {
    const id = await made()
    at(START + 3 * HOUR_MS)
    const flight = await registry().askForHandle(
      id,
      { want: 'confirmed', freshSinceAt: START + 3 * HOUR_MS },
      START + 3 * HOUR_MS,
    )
    expect(flight).toMatchObject({ role: 'leader', lease: { op: 'create' } })
  })

  it('a message that arrives twice changes nothing', async () => {
    const id = await made()
    at(START + 45 * MINUTE_MS)
    await registry().sweep(Date.now())
    await until(async () => (await view(id)).state.renewals === 1)
    await worker.queue('pilotlight-probes', [
      {
        id: 'again',
        timestamp: new Date(),
        attempts: 1,
        body: { account, handle: { of: 'handle', k: (await view(id)).k } },
      },
    ])
    expect((await view(id)).state.renewals).toBe(1)
  })

  it('a call without a report is given up, and repeated', async () => {
    const { id } = await registry().registerHandle(
      managedCacheRegistration(account, 'silent', { idleMs: null }, HOUR_MS),
    )
    await registry().askForHandle(id, { want: 'any' }, START) // takes the lease, and is gone
    expect((await view(id)).inFlight).toBe(true)
    await evictDurableObject(registry())
    at(START + 2 * MINUTE_MS)
    await registry().sweep(START + 2 * MINUTE_MS)
    await until(async () => {
      await runDurableObjectAlarm(registry())
      return (await view(id)).state.creations === 1
    })
    expect(await events(id)).toEqual(['failed', 'created'])
  })

  it('an unused handle is deleted at its end, and its storage is counted until then', async () => {
    const id = await made('idle', { idleMs: 30 * MINUTE_MS })
    at(START + 30 * MINUTE_MS)
    await tick()
    await until(async () => (await view(id)).state.live === null)
    expect(await listed()).toEqual([])
    const { state } = await view(id)
    expect(state.stopped).toMatchObject({ reason: 'ended' })
    const { rows } = (await registry().handleHistory(id, null, 100)) as { rows: ManagedCacheRow[] }
    const tokens = rows.find(({ event }) => event === 'deleted')?.tokens ?? 0
    expect(tokens).toBeGreaterThan(1_024)
    expect(state.storageNanos).toBeGreaterThan((tokens / 1e6) * 0.5 * 1e9 * 0.99)
    expect(state.storageNanos).toBeLessThan((tokens / 1e6) * 0.5 * 1e9 * 1.01)
    const day = ((await registry().totals()) as { totals: { costNanos: number } }[])[0]?.totals.costNanos
    expect(day).toBe(state.creationNanos + state.storageNanos)
  })

  it('the kill switch stops renewals, and they go on when it is lifted', async () => {
    const id = await made()
    await registry().configure({ killSwitch: true })
    at(START + 45 * MINUTE_MS)
    await tick()
    await until(async () => (await view(id)).state.stopped?.reason === 'kill_switch')
    expect(calls('PATCH')).toBe(0)
    await registry().configure({ killSwitch: false })
    await tick()
    await until(async () => (await view(id)).state.renewals === 1)
  })

  it('a spent quota stops the cache with its reason; a passing failure does not', async () => {
    const id = await made()
    await fault(lab, { kind: 'server_error', provider: 'gemini', times: 1 })
    at(START + 45 * MINUTE_MS)
    await registry().sweep(Date.now())
    await until(async () => (await events(id)).includes('failed'))
    expect((await view(id)).state).toMatchObject({ stopped: null, failuresInRow: 1 })
    at(START + 46 * MINUTE_MS)
    await registry().sweep(Date.now())
    await until(async () => (await view(id)).state.renewals === 1)
    await fault(lab, { kind: 'insufficient_quota', provider: 'gemini', times: 1 })
    at(START + 92 * MINUTE_MS)
    await registry().sweep(Date.now())
    await until(async () => (await view(id)).state.stopped !== null)
    expect((await view(id)).state.stopped).toMatchObject({
      reason: 'provider_refused',
      why: expect.stringContaining('quota'),
    })
  })
})

describe('the reconciliation', () => {
  const printOf = (tag: string): string => managedCacheRegistration(account, tag, {}, HOUR_MS).fingerprint.slice(0, 24)

  /** The display name of an account's content, as this deployment writes it. */
  async function markOf(tag: string, createdAt = Date.now()): Promise<string> {
    const { deployment, key } = await directory().managedCacheMarks()
    const { fingerprint, model } = managedCacheRegistration(account, tag, {}, HOUR_MS)
    const parts = { deployment, fingerprint, model, scope: 'deployment', at: createdAt }
    return displayNameOf(parts, (text) => managedCacheMark(text, key))
  }

  async function createdElsewhere(displayName: string): Promise<string> {
    const text = 'Somebody keeps this catalogue at the provider. '.repeat(200)
    const body = { model: 'models/gemini-3.8-flash', displayName, ttl: '36000s', contents: [{ parts: [{ text }] }] }
    const answer = (await (await provider('POST', 'cachedContents', body)).json()) as { name: string }
    return answer.name
  }

  it('the reconciliation runs about once an hour, however often ticks come', async () => {
    await tick()
    const first = received(lab).length
    at(START + MINUTE_MS)
    await tick()
    expect(received(lab).length).toBe(first)
    at(START + 46 * MINUTE_MS)
    await tick()
    expect(received(lab).length).toBeGreaterThan(first)
  })

  it('the reconciliation never touches a handle without our exact mark', async () => {
    const id = await directory().deploymentId()
    const print = '0'.repeat(24)
    const foreign = [
      await createdElsewhere(''),
      await createdElsewhere('a colleague'),
      await createdElsewhere(`pilotlight:dep_${'0'.repeat(24)}:${print}`),
      await createdElsewhere(`Pilotlight:${id}:${print}`),
      await createdElsewhere(`pilotlight:${id}:${print}:more`),
      await createdElsewhere(`pilotlight:${id}:short`),
      await createdElsewhere(`x pilotlight:${id}:${print}`),
      await createdElsewhere(`pilotlight:${id}:${print}`),
      await createdElsewhere(`pilotlight:${id}:${print}:${Date.now().toString(36)}:${'0'.repeat(32)}`),
      await createdElsewhere(`${(await markOf('made before')).slice(0, -1)}x`),
      await createdElsewhere(await markOf('copied from the list', START - HOUR_MS)),
    ]
    await tick()
    expect((await listed()).toSorted()).toEqual(foreign.toSorted())
    expect(calls('DELETE')).toBe(0)
  })

  it('a handle of ours that is in no table is deleted', async () => {
    const orphan = await createdElsewhere(await markOf('nobody registered this'))
    expect(await listed()).toEqual([orphan])
    await tick()
    expect(await listed()).toEqual([])
  })

  it('a handle of another account of this deployment stays', async () => {
    await open('neighbour')
    const id = await made()
    await tick()
    expect(await listed()).toEqual([await nameOf(id)])
    expect((await view(id)).state.losses).toBe(0)
  })

  it('a handle that the table lost is adopted, and no other is paid for', async () => {
    const { id } = await registry().registerHandle(managedCacheRegistration(account, 'lost', { idleMs: null }, HOUR_MS))
    const name = await createdElsewhere(await markOf('lost'))
    const known = await registry().reconcileHandles(
      'gemini',
      [
        {
          name,
          tokens: 2_000,
          createdAt: START,
          expiresAt: START + 10 * HOUR_MS,
          print: printOf('lost'),
          trusted: true,
        },
      ],
      START,
    )
    expect(known).toEqual([])
    expect((await view(id)).state).toMatchObject({ live: { name, tokens: 2_000 }, why: 'renewed before it expires' })
    expect(await events(id)).toEqual(['adopted'])
  })

  it('a handle with a planted name of a content that the table lacks is not adopted', async () => {
    const { id } = await registry().registerHandle(
      managedCacheRegistration(account, 'planted', { untilAt: START + 9 * HOUR_MS }, HOUR_MS),
    )
    const planted = [
      await createdElsewhere(`pilotlight:${await directory().deploymentId()}:${printOf('planted')}`),
      await createdElsewhere(await markOf('planted', START - HOUR_MS)),
    ]
    await tick()
    expect((await view(id)).state.live?.name).not.toBe(planted[0])
    expect((await view(id)).state.live?.name).not.toBe(planted[1])
    expect(await listed()).toEqual(expect.arrayContaining(planted))
    expect(await events(id)).not.toContain('adopted')
  })

  it('a handle in the table keeps its name of an older version', async () => {
    const id = await made('older')
    const handle = await nameOf(id)
    const kept = lab.handles.get((handle ?? '').replace('cachedContents/', ''))
    if (kept === undefined) throw new Error('the lab has no such handle')
    kept.displayName = kept.displayName.split(':').slice(0, 3).join(':')
    at(START + 46 * MINUTE_MS)
    await tick()
    expect((await view(id)).state).toMatchObject({ live: { name: handle }, losses: 0 })
  })

  it('the second of two handles for one content is deleted', async () => {
    const id = await made('twice')
    const second = await createdElsewhere(await markOf('twice'))
    expect(await listed()).toHaveLength(2)
    await tick()
    await until(async () => {
      await runDurableObjectAlarm(registry())
      return !(await listed()).includes(second)
    })
    expect(await listed()).toEqual([await nameOf(id)])
    await until(async () => (await events(id)).includes('deleted'))
    expect(await events(id)).toEqual(['created', 'orphan', 'deleted'])
  })

  it('a missing handle is noticed before a caller asks for it', async () => {
    const id = await made('missing')
    const dead = await nameOf(id)
    await provider('DELETE', dead ?? '')
    at(START + 5 * MINUTE_MS)
    await tick()
    await until(async () => {
      await runDurableObjectAlarm(registry())
      return (await view(id)).state.creations === 2
    })
    expect(await nameOf(id)).not.toBe(dead)
  })

  it('an incomplete list deletes nothing, and is read again soon', async () => {
    const kept = await createdElsewhere(await markOf('later'))
    await fault(lab, { kind: 'server_error', provider: 'gemini', times: 1 })
    await tick()
    expect(await listed()).toEqual([kept])
    at(START + 4 * MINUTE_MS)
    await tick()
    expect(await listed()).toEqual([])
  })

  it('the deployment keeps its id', async () => {
    const first = await directory().deploymentId()
    expect(first).toMatch(/^dep_[0-9a-f]{24}$/)
    await evictDurableObject(directory() as unknown as DurableObjectStub<Registry>)
    expect(await directory().deploymentId()).toBe(first)
  })
})

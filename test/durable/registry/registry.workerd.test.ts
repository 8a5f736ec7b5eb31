import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { KeepWarm } from '../../../src/core/planning/plan.ts'
import type { Flight, Warmed } from '../../../src/durable/registry/records/warmed.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { runLease } from '../../../src/calls/probe.ts'
import { unpack } from '../../../src/runtime/bytes.ts'
import { clockFrom } from '../../../src/runtime/clock.ts'
import { secretNames } from '../../../src/runtime/env.ts'
import type { Environment } from '../../../src/runtime/env.ts'
import type { Lab } from '../../lab/index.ts'
import { anthropicBody, registrationOf } from '../../support/registration.ts'
import { fault, installLab, received } from '../../support/lab.ts'
import { tick, worker } from '../../support/worker.ts'
import type { Lease, Outcome } from '../../../src/calls/lease.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

const bindings = env as unknown as Environment
/** In the future of the machine's clock, so that alarms fire only when a test runs them. */
const START = Date.UTC(2031, 0, 6, 12)
const always: KeepWarm = {
  plan: 'always',
  untilAt: null,
  idleTimeoutMs: null,
  windows: [],
  budgetNanosPerDay: 1_000_000_000,
}

let lab: Lab
let account = 0

function registry(): DurableObjectStub<Registry> {
  return bindings.REGISTRY.getByName(`account-${account}`) as unknown as DurableObjectStub<Registry>
}

function at(time: number): void {
  vi.setSystemTime(time)
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  at(START)
  lab = installLab()
  account += 1
  await bindings.DIRECTORY.getByName('directory').add(`account-${account}`)
  await registry().configure({ allowedSecrets: secretNames() })
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  await reset()
})

/** Makes the call of a leader, as the Worker does. */
async function lead(flight: Flight): Promise<void> {
  if (flight.role !== 'leader') throw new Error(`expected to lead, not ${flight.role}`)
  await registry().settle(flight.lease.seq, [await run(flight)])
}

async function run(flight: Extract<Flight, { role: 'leader' }>): Promise<Outcome> {
  const { outcome } = await runLease(flight.lease, {
    clock: clockFrom(bindings),
    vars: bindings,
    allowedSecrets: flight.allowedSecrets,
    bodyOf,
  })
  return outcome
}

async function bodyOf({ id, seq, k }: Lease) {
  const stored = await registry().bodyFor({ id, seq, k })
  return stored === null || 'held' in stored ? stored : { ...stored, text: unpack(new Uint8Array(stored.bytes)) }
}

async function register(tag = 'one', keepWarm = always): Promise<Warmed> {
  return (await registry().register(
    registrationOf('anthropic', anthropicBody(tag), keepWarm),
    'now',
    'job_test',
  )) as unknown as Warmed
}

async function warmed(tag = 'one', keepWarm = always): Promise<string> {
  const { view, flight } = await register(tag, keepWarm)
  await lead(flight)
  return view.record.id
}

/** Waits for the effect of messages: the real consumer takes them from the real queue. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitUntil(condition, { timeout: 8_000, interval: 25 })
}

async function probes(id: string): Promise<number> {
  return (await registry().view(id)).state.probes
}

it('a prefix is written, claimed by the sweep and read by the consumer, and stays warm', async () => {
  const id = await warmed()
  expect((await registry().view(id)).belief.state).toBe('warm')
  at(START + 4 * MINUTE_MS + 36_000)
  await tick()
  await until(async () => (await probes(id)) === 2)
  const view = await registry().view(id)
  expect(view.state.lastReceipt).toMatchObject({ kind: 'full', purpose: 'keep', primitive: 'zero_output' })
  expect(view.belief.warmUntil).toBe((view.state.lastReceipt?.at ?? 0) + 5 * MINUTE_MS)
  expect(view.state.lastReceipt?.at).toBeLessThan(START + 5 * MINUTE_MS - 20_000)
  // The tick reads the provider's list of managed caches as well.
  expect(received(lab).filter(({ path }) => !path.includes('cachedContents'))).toHaveLength(2)
})

it('the alarm keeps a prefix warm when no tick comes', async () => {
  const id = await warmed()
  at(START + 4 * MINUTE_MS + 36_000)
  expect(await runDurableObjectAlarm(registry())).toBe(true)
  await until(async () => (await probes(id)) === 2)
  expect((await registry().view(id)).state.lastReceipt?.kind).toBe('full')
})

it('the alarm is armed for the next due time, not for the lapse', async () => {
  await warmed()
  await runDurableObjectAlarm(registry()) // the alarm that registration set, in case no call came
  const armed = await runInDurableObject(registry(), (_, state) => state.storage.getAlarm())
  expect(armed).toBeGreaterThan(START + 4 * MINUTE_MS)
  expect(armed).toBeLessThan(START + 5 * MINUTE_MS - 20_000)
})

it('belief, plan, history and alarm survive an eviction', async () => {
  const id = await warmed()
  const before = { view: await registry().view(id), history: await registry().history(id) }
  await evictDurableObject(registry())
  expect({ view: await registry().view(id), history: await registry().history(id) }).toEqual(before)
  at(START + 4 * MINUTE_MS + 36_000)
  expect(await runDurableObjectAlarm(registry())).toBe(true)
  await until(async () => (await probes(id)) === 2)
})

it('an eviction while a call is in flight loses neither the call nor its receipt', async () => {
  const { view, flight } = await register()
  if (flight.role !== 'leader') throw new Error('expected to lead')
  const outcome = await run(flight)
  await evictDurableObject(registry())
  // While the lease is in force, no other caller may send.
  expect((await registry().warm(view.record.id, 'now', 'job_2')).flight).toMatchObject({ role: 'follower' })
  await registry().settle(flight.lease.seq, [outcome])
  expect((await registry().view(view.record.id)).state.lastReceipt?.kind).toBe('written')
  expect(received(lab)).toHaveLength(1)
})

it.each(['killSwitch', 'globalKillSwitch'])(
  'a call that waits for its turn is not sent once the switch is on: %s',
  async (name) => {
    const { view, flight } = await register()
    if (flight.role !== 'leader') throw new Error('expected to lead')
    const clock = clockFrom(bindings)
    const sleep = async (): Promise<void> => {
      await registry().configure({ [name]: true })
    }
    const around = {
      vars: bindings,
      allowedSecrets: flight.allowedSecrets,
      bodyOf,
      clock: { ...clock, now: () => clock.now(), sleep },
    }
    const lease = { ...flight.lease, notBeforeAt: clock.now() + 3_000 }
    const { outcome } = await runLease(lease, around)
    expect(outcome).toMatchObject({ kind: 'not_sent', why: 'the kill switch is on' })
    await registry().settle(lease.seq, [outcome])
    expect(received(lab)).toEqual([])
    expect((await registry().view(view.record.id)).state.spentNanos).toBe(0)
    // A call that was settled already is not sent either.
    await registry().configure({ [name]: false })
    expect((await runLease(lease, { ...around, clock })).outcome).toMatchObject({
      kind: 'not_sent',
      why: 'its time has ended',
    })
  },
)

it('followers share the receipt of the leader', async () => {
  const { flight } = await register()
  const others = await Promise.all(Array.from({ length: 20 }, async () => (await register()).flight))
  const waiting = others.map((other) => {
    if (other.role !== 'follower') throw new Error('expected to follow')
    return registry().ended(other.k, other.seq, 60_000)
  })
  await lead(flight)
  for (const settled of await Promise.all(waiting)) expect(settled?.receipt?.kind).toBe('written')
  expect(received(lab)).toHaveLength(1)
})

it('150 callers that warm in the background share one job and one call', async () => {
  const ask = async (id: string, askedAt?: number): Promise<Warmed> =>
    (await registry().register(
      registrationOf('anthropic', anthropicBody('one'), { ...always, plan: 'off' }),
      'later',
      id,
      askedAt,
    )) as unknown as Warmed
  const crowd = await Promise.all(Array.from({ length: 150 }, (_, n) => ask(`job_${n}`)))
  const jobs = new Set(crowd.map(({ flight }) => (flight.role === 'queued' ? flight.job.id : flight.role)))
  const [shared = ''] = jobs
  expect(jobs.size).toBe(1)
  await until(async () => (await registry().job(shared)).status === 'succeeded')
  const late = (await ask('job_late', START - 1)).flight
  expect(late).toMatchObject({ role: 'queued', job: { status: 'succeeded', receipt: { kind: 'written' } } })
  expect(received(lab)).toHaveLength(1)
})

it('a message delivered twice sends one probe', async () => {
  const id = await warmed()
  at(START + 4 * MINUTE_MS + 36_000)
  const [seq] = await claims()
  const message = (n: number) => ({
    id: `m${n}`,
    timestamp: new Date(),
    attempts: 1,
    body: { account: `account-${account}`, seq },
  })
  await Promise.all([worker.queue('pilotlight-probes', [message(1)]), worker.queue('pilotlight-probes', [message(2)])])
  await until(async () => (await probes(id)) === 2)
  expect(received(lab)).toHaveLength(2)
})

/** Claims what is due without putting it on the queue: the message is lost. */
async function claims(): Promise<number[]> {
  return runInDurableObject(registry(), async (object, state) => {
    const send = vi
      .spyOn((object as unknown as { env: Environment }).env.PROBES, 'sendBatch')
      .mockResolvedValue(undefined as never)
    try {
      await object.alarm()
    } finally {
      send.mockRestore()
    }
    return state.storage.sql
      .exec<{ seq: number }>('SELECT seq FROM claim WHERE leases IS NULL')
      .toArray()
      .map((row) => row.seq)
  })
}

it('a claim whose message was lost is sent in time by the alarm', async () => {
  const id = await warmed()
  at(START + 4 * MINUTE_MS + 36_000)
  expect(await claims()).toHaveLength(1)
  at(START + 4 * MINUTE_MS + 46_000)
  expect(await runDurableObjectAlarm(registry())).toBe(true)
  await until(async () => (await probes(id)) === 2)
  expect((await registry().view(id)).state.lastReceipt?.kind).toBe('full')
})

it('a lease whose consumer dies before it reads the body ends free, and the probe is sent', async () => {
  const id = await warmed()
  const spent = (await registry().view(id)).state.costNanos
  at(START + 4 * MINUTE_MS + 36_000)
  const [seq] = await claims()
  const [lease] = (await registry().begin(seq ?? 0)).leases
  await evictDurableObject(registry())
  at(lease!.expiresAt)
  await registry().sweep(lease!.expiresAt)
  // Its consumer was only slow: the lease has ended, so it gets no body any more.
  expect(await registry().bodyFor(lease!)).toEqual({ held: 'its time has ended' })
  expect((await registry().view(id)).state.costNanos).toBe(spent)
  at(lease!.expiresAt + 3_000)
  await runDurableObjectAlarm(registry())
  await until(async () => (await registry().view(id)).state.lastReceipt?.purpose === 'keep')
  const receipts = (await registry().history(id)).filter((row) => row.type === 'receipt')
  expect(receipts.map((row) => row.kind)).toEqual(['written', 'full'])
  expect(received(lab)).toHaveLength(2)
})

it('a consumer that dies before it settles costs one more probe; the first stays unknown', async () => {
  const id = await warmed()
  at(START + 4 * MINUTE_MS + 36_000)
  const [seq] = await claims()
  const { leases } = await registry().begin(seq ?? 0)
  expect(leases).toHaveLength(1)
  expect(await registry().bodyFor(leases[0]!)).toHaveProperty('bytes')
  await evictDurableObject(registry())
  at((leases[0]?.expiresAt ?? 0) + 1_000)
  expect(await runDurableObjectAlarm(registry())).toBe(true)
  at((leases[0]?.expiresAt ?? 0) + 3_000)
  await runDurableObjectAlarm(registry())
  await until(async () => (await registry().view(id)).state.lastReceipt?.purpose === 'keep')
  const receipts = (await registry().history(id)).filter((row) => row.type === 'receipt')
  expect(receipts.map((row) => row.kind)).toEqual(['written', 'unknown', 'full'])
  expect(receipts[1]?.costNanos).toBe(leases[0]?.reservedNanos)
  expect(received(lab)).toHaveLength(2)
})

it('a prefix whose provider refuses max_tokens 0 is probed with one token from then on', async () => {
  const text = anthropicBody('forced').replace(
    '"messages":[]',
    '"tools":[{"name":"look_up","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"messages":[]',
  )
  const { view, flight } = (await registry().register(
    registrationOf('anthropic', text, always),
    'now',
    'job',
  )) as unknown as Warmed
  await lead(flight)
  expect((await registry().view(view.record.id)).state.lastReceipt).toMatchObject({
    kind: 'written',
    primitive: 'one_token',
  })
})

it('a throttled keep-alive is tried again in time, under a fresh lease', async () => {
  const id = await warmed()
  at(START + 4 * MINUTE_MS + 36_000)
  await fault(lab, { provider: 'anthropic', kind: 'rate_limited', times: 1, retry_after_ms: 0 })
  await tick()
  // The consumer waits in this clock, which stands still unless it is moved.
  await until(async () => {
    at(Date.now() + 100)
    return (await probes(id)) === 2
  })
  const rows = await registry().history(id)
  expect(rows).toContainEqual(expect.objectContaining({ type: 'decision', decision: 'failed' }))
  expect((await registry().view(id)).state.lastReceipt?.kind).toBe('full')
})

it('a foreign message, or one of an account that does not exist, is acknowledged', async () => {
  const message = { id: 'x', timestamp: new Date(), attempts: 1, body: { hello: 'there' } }
  expect(await worker.queue('pilotlight-probes', [message])).toMatchObject({ outcome: 'ok' })
  const gone = { ...message, body: { account: 'never-made', seq: 1 } }
  expect(await worker.queue('pilotlight-probes', [gone])).toMatchObject({ outcome: 'ok' })
})

it('a claim in the dead-letter queue is due again at once', async () => {
  const id = await warmed()
  at(START + 4 * MINUTE_MS + 36_000)
  const [seq] = await claims()
  await worker.queue('pilotlight-probes-dead', [
    { id: 'd', timestamp: new Date(), attempts: 1, body: { account: `account-${account}`, seq } },
  ])
  expect(await registry().history(id)).toContainEqual(
    expect.objectContaining({ type: 'decision', decision: 'dead_letter' }),
  )
  at(START + 4 * MINUTE_MS + 39_000)
  expect(await runDurableObjectAlarm(registry())).toBe(true)
  await until(async () => (await probes(id)) === 2)
})

it('an account that was erased has no rows any more', async () => {
  await warmed()
  await registry().erase()
  await vi.waitUntil(async () => {
    try {
      return (await registry().settings()) === null
    } catch {
      return false // the old instance is being thrown away
    }
  })
  expect((await registry().counts()).prefixes).toBe(0)
})

it('a plan that had stopped starts again when its prefix is registered again', async () => {
  await fault(lab, { provider: 'anthropic', kind: 'no_write', times: 1 })
  const id = await warmed()
  expect((await registry().view(id)).state.stopped?.reason).toBe('uncacheable')
  const { flight } = await register()
  await lead(flight)
  const view = await registry().view(id)
  expect(view.state.stopped).toBeNull()
  expect(view.belief.state).toBe('warm')
})

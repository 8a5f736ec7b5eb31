import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Supervisor, SupervisorEnv, Watch } from '../../../examples/supervisor/worker.ts'
import type { LiveView } from '../../../src/durable/live/definition.ts'
import { readFailure } from '../../../src/contract/failure.ts'
import type { FailureValue } from '../../../src/contract/failure.ts'
import { signSnapshot } from '../../../src/runtime/snapshot.ts'
import { DAY_MS, HOUR_MS } from '../../../src/core/time/time.ts'

const bindings = env as unknown as SupervisorEnv
type Stub = DurableObjectStub<Supervisor>

afterEach(() => reset())

const named = (name: string): Stub => bindings.SUPERVISOR.getByName(name)
const look = async (stub: Stub): Promise<LiveView<Watch>> => (await stub.look()) as LiveView<Watch>

/** Runs the alarm until no event waits. */
async function settled(stub: Stub): Promise<LiveView<Watch>> {
  return vi.waitFor(async () => {
    const view = await look(stub)
    expect(view.waiting).toBe(0)
    return view
  }, 20_000)
}

async function failureOf(call: PromiseLike<unknown>): Promise<FailureValue | null> {
  try {
    await call
    return null
  } catch (thrown) {
    return readFailure(thrown)
  }
}

const kindOf = async (call: PromiseLike<unknown>): Promise<string | undefined> => (await failureOf(call))?.kind

/** Deletes the alarm, so that events wait. */
async function fill(stub: Stub, events: { type: string; data?: unknown; id?: string }[]): Promise<void> {
  await runInDurableObject(stub, async (instance: Supervisor, state) => {
    for (const event of events) {
      await instance.emit(event)
      await state.storage.deleteAlarm()
    }
  })
}

const failed = (id: string) => ({ type: 'deploy.failed', data: { commit: id }, id })

describe('events', () => {
  it('events from a webhook are handled in their order', async () => {
    const { default: worker } = exports as unknown as { default: { fetch(request: Request): Promise<Response> } }
    const send = (body: unknown) =>
      worker.fetch(new Request('http://x/shop', { method: 'POST', body: JSON.stringify(body) }))
    expect((await send({ type: 'deploy.succeeded', data: { commit: 'a' } })).status).toBe(202)
    await send({ type: 'deploy.failed', data: { commit: 'b' } })
    await send({ type: 'deploy.failed', data: { commit: 'c' } })
    const view = await settled(named('shop'))
    expect(view.state).toEqual({ good: 'a', failuresInRow: 2, advice: 'roll back' })
    expect(view.history.filter(({ what }) => what === 'handled').map(({ type }) => type)).toEqual([
      'deploy.succeeded',
      'deploy.failed',
      'deploy.failed',
    ])
  })

  it('events that wait during an eviction are handled once each', async () => {
    const stub = named('evicted')
    await fill(stub, [{ type: 'deploy.succeeded', data: { commit: 'a' } }, failed('b')])
    await evictDurableObject(stub)
    expect((await look(stub)).waiting).toBe(2)
    await stub.emit(failed('c'))
    expect(await settled(stub)).toMatchObject({ handled: 3, state: { failuresInRow: 2 } })
    await evictDurableObject(stub)
    expect(await look(stub)).toMatchObject({ handled: 3, state: { good: 'a', failuresInRow: 2 } })
  })

  it('a repeated delivery is handled once, also after an eviction', async () => {
    const stub = named('twice')
    expect(await stub.emit(failed('one'))).toEqual({ id: 'one', duplicate: false })
    await settled(stub)
    await evictDurableObject(stub)
    expect(await stub.emit(failed('one'))).toEqual({ id: 'one', duplicate: true })
    expect(await settled(stub)).toMatchObject({ handled: 1, state: { failuresInRow: 1 } })
  })

  it('an event without a handler is dropped with a row in the history, and the next is handled', async () => {
    const stub = named('lenient')
    await stub.emit({ type: 'toString' })
    await stub.emit(failed('x'))
    const view = await settled(stub)
    expect(view).toMatchObject({ status: 'running', dropped: 1, handled: 1 })
    expect(view.history).toContainEqual(expect.objectContaining({ what: 'dropped', type: 'toString' }))
  })

  it('events beyond the mailbox limit are refused, and so is one of 5 MB', async () => {
    const stub = named('flood')
    await fill(
      stub,
      Array.from({ length: 20 }, (_, n) => failed(`e${n}`)),
    )
    expect(await kindOf(stub.emit(failed('more')))).toBe('rate_limited')
    expect(await kindOf(named('huge').emit({ type: 'deploy.failed', data: 'x'.repeat(5_000_000) }))).toBe(
      'payload_too_large',
    )
  })

  it('an event whose handler throws is repeated later, and given up in the end', async () => {
    const stub = named('throws')
    await fill(stub, [{ type: 'bill.paid', data: { usd: -1 }, id: 'bad' }, failed('after')])
    await runInDurableObject(stub, async (instance: Supervisor) => {
      for (let n = 0; n < 5; n += 1) {
        const now = instance.clock.now() + 60_000
        instance.clock = { ...instance.clock, now: () => now, realAt: (at) => at + DAY_MS }
        await instance.alarm()
      }
    })
    const view = await look(stub)
    expect(view).toMatchObject({ failed: 1, handled: 1, waiting: 0, state: { failuresInRow: 1 } })
    expect(view.history.filter(({ what }) => what === 'retried')).toHaveLength(4)
  })
})

describe('an event that was cut off in its handler', () => {
  const cutOff = async (stub: Stub, attempts: number): Promise<void> => {
    await fill(stub, [failed('cut')])
    await runInDurableObject(stub, (_, state) => {
      state.storage.sql.exec('UPDATE mailbox SET attempts = ?', attempts)
    })
    await evictDurableObject(stub)
    await stub.emit(failed('after'))
  }

  it('the event is handled again, before later events', async () => {
    const stub = named('cut')
    await cutOff(stub, 1)
    const { handled, history } = await settled(stub)
    expect(handled).toBe(2)
    expect(history.map(({ event }) => event)).toEqual([undefined, 'cut', 'after'])
  })

  it('an event that was cut off five times is given up, and the others are handled', async () => {
    const stub = named('poison')
    await cutOff(stub, 5)
    const view = await settled(stub)
    expect(view).toMatchObject({ failed: 1, handled: 1, state: { failuresInRow: 1 } })
    expect(view.history).toContainEqual(expect.objectContaining({ what: 'failed', why: 'given up after 5 attempts' }))
  })
})

describe('an end', () => {
  it('the idle time-out ends the object by its alarm, and the reason is stored', async () => {
    const stub = named('idle')
    await stub.start({ idleTimeoutMs: HOUR_MS })
    await runInDurableObject(stub, async (instance: Supervisor, state) => {
      const due = await state.storage.getAlarm()
      expect(due).toBe(instance.look().startedAt + HOUR_MS)
      instance.clock = { ...instance.clock, now: () => Number(due) }
    })
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    await evictDurableObject(stub)
    expect(await look(stub)).toMatchObject({ status: 'idle_timeout' })
    expect(await failureOf(stub.emit(failed('late')))).toMatchObject({
      kind: 'conflict',
      detail: { reason: 'idle_timeout' },
    })
    await runInDurableObject(stub, async (_, state) => expect(await state.storage.getAlarm()).toBeNull())
  })

  it('a spent budget ends the object after the event that exceeded it is finished', async () => {
    const stub = named('budget')
    const pay = (usd: number) => ({ type: 'bill.paid', data: { usd } })
    await fill(stub, [pay(0.6), pay(0.6), pay(0.6)])
    await runDurableObjectAlarm(stub)
    await runInDurableObject(stub, (instance: Supervisor) => instance.alarm())
    expect(await look(stub)).toMatchObject({ status: 'cost_budget_exceeded', spentNanos: 1_200_000_000, waiting: 1 })
    expect(await failureOf(stub.emit(pay(1)))).toMatchObject({
      kind: 'conflict',
      detail: { reason: 'cost_budget_exceeded' },
    })
  })

  it('a shutdown ends the object at once, and only once', async () => {
    const stub = named('shut')
    await stub.start()
    await stub.shutdown('moved house')
    await stub.shutdown('again')
    expect(await look(stub)).toMatchObject({ status: 'shutdown', why: 'moved house' })
    expect(await kindOf(stub.emit(failed('late')))).toBe('conflict')
  })

  it('erase leaves no row, no table and no alarm', async () => {
    const stub = named('gone')
    await stub.emit(failed('x'))
    await settled(stub)
    await stub.erase()
    await runInDurableObject(stub, async (_, state) => {
      expect(
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
      ).toEqual([])
      expect(await state.storage.getAlarm()).toBeNull()
    })
    expect(await kindOf(stub.look())).toBe('not_found')
  })
})

describe('a question that a handler asks', () => {
  const send = (method: string, body?: unknown) =>
    (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default.fetch(
      new Request('http://x/asks', { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }),
    )

  it('a question stops handling until it is answered; the answer is handled first', async () => {
    const stub = named('asks')
    expect(await kindOf(stub.respond({ yes: true }))).toBe('not_found')
    await stub.emit({ type: 'deploy.succeeded', data: { commit: 'a' } })
    await settled(stub)
    expect((await send('PUT', { yes: true })).status).toBe(409)
    await stub.emit({ type: 'rollback.proposed' })
    await settled(stub)
    await send('POST', { type: 'deploy.failed', data: { commit: 'b' } })
    await evictDurableObject(stub)
    await runInDurableObject(stub, async (instance: Supervisor, state) => {
      expect(await state.storage.getAlarm()).toBeNull()
      const { clock } = instance
      instance.clock = { ...clock, now: () => clock.now() + 60 * DAY_MS }
      await instance.alarm()
      instance.clock = clock
    })
    expect(await look(stub)).toMatchObject({ status: 'input_required', question: 'Go back to a?', waiting: 1 })

    expect((await send('PUT', { yes: true })).status).toBe(202)
    const view = await settled(stub)
    expect(view).toMatchObject({ status: 'running', question: null, state: { approved: 'a', failuresInRow: 1 } })
    expect(view.history.slice(-4).map(({ what, type }) => [what, type])).toEqual([
      ['asked', 'rollback.answered'],
      ['answered', 'rollback.answered'],
      ['handled', 'rollback.answered'],
      ['handled', 'deploy.failed'],
    ])
    expect(await failureOf(stub.respond({ yes: true }))).toMatchObject({ detail: { reason: 'nothing_asked' } })
  })

  it('a restored snapshot keeps its question; an ended object has none', async () => {
    const stub = named('asking')
    await stub.emit({ type: 'deploy.succeeded', data: { commit: 'a' } })
    await stub.emit({ type: 'rollback.proposed' })
    await settled(stub)
    const other = named('asked again')
    await other.restore(await stub.snapshot())
    await stub.shutdown()
    expect(await failureOf(stub.respond({ yes: true }))).toMatchObject({ detail: { reason: 'shutdown' } })
    expect(await look(other)).toMatchObject({ status: 'input_required' })
    await other.respond({ yes: false })
    const { status, state } = await settled(other)
    expect([status, state.good, state.approved]).toEqual(['running', 'a', undefined])
  })
})

describe('a pause', () => {
  it('events wait during a pause, and resume handles them', async () => {
    const stub = named('paused')
    await stub.start()
    await stub.pause()
    await stub.emit(failed('x'))
    await evictDurableObject(stub)
    await runInDurableObject(stub, (instance: Supervisor) => instance.alarm())
    expect(await look(stub)).toMatchObject({ status: 'paused', waiting: 1, handled: 0 })
    await stub.resume()
    expect(await settled(stub)).toMatchObject({ status: 'running', handled: 1 })
  })
})

describe('a snapshot', () => {
  it('a snapshot carries state, waiting events and known ids, and the object goes on', async () => {
    const stub = named('first')
    await stub.emit(failed('one'))
    await settled(stub)
    await fill(stub, [failed('two')])
    const snapshot = await stub.snapshot()
    expect(await look(stub)).toMatchObject({ status: 'running', waiting: 1 })
    const other = named('second')
    await other.restore(snapshot)
    expect(await settled(other)).toMatchObject({ handled: 2, state: { failuresInRow: 2 } })
    expect(await other.emit(failed('one'))).toMatchObject({ duplicate: true })
    expect(await kindOf(other.restore(snapshot))).toBe('conflict')
  })

  it('a snapshot is refused when it was changed, is of another kind, or is newer', async () => {
    const stub = named('origin')
    await stub.start()
    const snapshot = await stub.snapshot()
    const { signature: _, ...open } = snapshot
    const changed = { ...snapshot, payload: snapshot.payload.replace('"spentNanos":0', '"spentNanos":-9') }
    expect(changed.payload).not.toBe(snapshot.payload)
    const newer = signSnapshot({ ...open, version: 2 }, bindings.SNAPSHOT_SECRET)
    const foreign = signSnapshot({ ...open, kind: 'bot' }, bindings.SNAPSHOT_SECRET)
    const elsewhere = signSnapshot(open, 'another secret')
    const target = named('target')
    expect(await kindOf(target.restore(changed))).toBe('invalid_request')
    expect(await kindOf(target.restore({ ...snapshot, version: 0 }))).toBe('invalid_request')
    expect(await kindOf(target.restore(elsewhere))).toBe('invalid_request')
    expect(await kindOf(target.restore(foreign))).toBe('invalid_request')
    expect(await kindOf(target.restore(newer))).toBe('unsupported')
    expect(await kindOf(target.look())).toBe('not_found')
  })
})

it('the history keeps the newest rows up to its limit', async () => {
  const stub = named('ring')
  await stub.start({ maxHistory: 3 })
  for (const id of ['a', 'b', 'c', 'd', 'e']) await stub.emit(failed(id))
  const { history } = await settled(stub)
  expect(history.map(({ event }) => event)).toEqual(['c', 'd', 'e'])
})

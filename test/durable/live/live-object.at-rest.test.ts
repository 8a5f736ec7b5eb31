import { evictDurableObject, listDurableObjectIds, reset, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import type { SupervisorEnv } from '../../../examples/supervisor/worker.ts'
import { LiveStore } from '../../../src/durable/live/tables.ts'
import { DAY_MS } from '../../../src/core/time/time.ts'

const bindings = env as unknown as SupervisorEnv
const OBJECTS = 1_000
const AT_ONCE = 50

afterEach(() => reset())

it('a thousand evicted objects sleep, except the one that gets an event', async () => {
  const stubs = Array.from({ length: OBJECTS }, (_, n) => bindings.SUPERVISOR.getByName(`s${n}`))
  const rest = async (stub: (typeof stubs)[number]): Promise<void> => {
    await stub.emit({ type: 'deploy.succeeded', data: { commit: 'a' } })
    await vi.waitFor(async () => expect((await stub.look()).handled).toBe(1), 20_000)
    const due = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    const { activeAt } = await stub.look()
    expect(due).toBe(activeAt + 30 * DAY_MS)
    await evictDurableObject(stub)
  }
  for (let n = 0; n < OBJECTS; n += AT_ONCE) await Promise.all(stubs.slice(n, n + AT_ONCE).map(rest))
  const stored = new Set((await listDurableObjectIds(bindings.SUPERVISOR)).map(String))
  expect(stubs.filter(({ id }) => stored.has(String(id)))).toHaveLength(OBJECTS)

  // Each constructor reads whether its tables exist.
  const woken = vi.spyOn(LiveStore.prototype, 'exists')
  await stubs[7]?.look()
  const ofOne = new Set(woken.mock.contexts).size
  expect(ofOne).toBe(1)
  await stubs[7]?.emit({ type: 'deploy.failed', data: { commit: 'b' } })
  await vi.waitFor(async () => expect((await stubs[7]?.look())?.handled).toBe(2), 20_000)
  expect(new Set(woken.mock.contexts).size).toBe(1)
}, 300_000)

import { evictDurableObject, listDurableObjectIds, reset, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import type { SupervisorEnv } from '../../../examples/supervisor/worker.ts'
import { LiveStore } from '../../../src/durable/live/tables.ts'
import { DAY_MS } from '../../../src/core/time/time.ts'

const bindings = env as unknown as SupervisorEnv

afterEach(() => reset())

it('a thousand evicted objects sleep, except the one that gets an event', async () => {
  const stubs = Array.from({ length: 1_000 }, (_, n) => bindings.SUPERVISOR.getByName(`s${n}`))
  for (const stub of stubs) await stub.emit({ type: 'deploy.succeeded', data: { commit: 'a' } })
  for (const stub of stubs) await vi.waitFor(async () => expect((await stub.look()).handled).toBe(1), 20_000)
  const month = 30 * DAY_MS
  for (const stub of stubs) {
    const due = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    const { activeAt } = await stub.look()
    expect(due).toBe(activeAt + month)
    await evictDurableObject(stub)
  }
  expect(await listDurableObjectIds(bindings.SUPERVISOR)).toHaveLength(1_000)

  // Each constructor reads whether its tables exist.
  const woken = vi.spyOn(LiveStore.prototype, 'exists')
  await stubs[7]?.look()
  const ofOne = new Set(woken.mock.contexts).size
  expect(ofOne).toBe(1)
  await stubs[7]?.emit({ type: 'deploy.failed', data: { commit: 'b' } })
  await vi.waitFor(async () => expect((await stubs[7]?.look())?.handled).toBe(2), 20_000)
  expect(new Set(woken.mock.contexts).size).toBe(1)
}, 300_000)

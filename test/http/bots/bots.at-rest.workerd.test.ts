import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { expect, it, vi } from 'vitest'
import { botName } from '../../../src/durable/registry/records/bot.ts'
import { LiveStore } from '../../../src/durable/live/tables.ts'
import { bindings, get, pick, post, useLab } from '../support.ts'
import { DAY_MS } from '../../../src/core/time/time.ts'

useLab()

const BOTS = 1_000
const AT_ONCE = 50
const MONTH_MS = 30 * DAY_MS

it('of 1,000 evicted bots, only one with a message or a due alarm is built again', async () => {
  const body = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: 'You sell tents.', idle_timeout: '30d' }
  const ids: string[] = []
  for (let n = 0; n < BOTS; n += AT_ONCE) {
    const made = await Promise.all(Array.from({ length: AT_ONCE }, () => post('/bots', body)))
    ids.push(...made.map((answer) => pick(answer, 'id') as string))
  }
  expect(new Set(ids).size).toBe(BOTS)
  const stubOf = (id: string) => bindings.BOT.getByName(botName('dev', id))
  const rest = async (id: string): Promise<void> => {
    const stub = stubOf(id)
    const due = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    expect(due).toBe((await stub.view()).activeAt + MONTH_MS)
    await evictDurableObject(stub)
  }
  for (let n = 0; n < BOTS; n += AT_ONCE) await Promise.all(ids.slice(n, n + AT_ONCE).map(rest))

  // Each constructor looks for its tables.
  const built = vi.spyOn(LiveStore.prototype, 'exists')
  const woken = (): number => new Set(built.mock.contexts).size
  const [first = '', second = ''] = ids
  expect((await get('/ledger')).status).toBe(200) // the account is used meanwhile
  expect(woken()).toBe(0)

  const taken = await post(`/bots/${first}/messages`, { text: 'Which tent for two?' })
  expect(taken.status).toBe(202)
  await vi.waitFor(async () => expect(pick(await get(`/bots/${first}`), 'usage', 'turns')).toBe(1), 60_000)
  expect(woken()).toBe(1)

  expect(await runDurableObjectAlarm(stubOf(second))).toBe(true)
  expect(woken()).toBe(2)
}, 300_000)

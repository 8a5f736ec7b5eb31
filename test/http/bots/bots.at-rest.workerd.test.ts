import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import { botName } from '../../../src/durable/registry/records/bot.ts'
import { BotKey } from '../../../src/durable/bot/bot-key.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { tick } from '../../support/worker.ts'
import { bindings, get, longText, newAccount, pick, post, useLab } from '../support.ts'
import { begin, hear, objectOf, say } from './support.ts'

const world = useLab()

afterEach(() => {
  vi.restoreAllMocks()
})

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

  // Each constructor gives its key the log of calls.
  const built = vi.spyOn(BotKey.prototype, 'seals')
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

/** All rows of an object, table by table. */
const rowsOf = ({ storage: { sql } }: DurableObjectState): string => {
  const tables = [...sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")]
  const names = tables.map(({ name }) => name).filter((name) => !name.startsWith('_cf_'))
  return JSON.stringify(names.map((name) => [name, [...sql.exec(`SELECT * FROM "${name}"`)]]))
}

/** What a night costs that nobody spends talking: ticks of cron, the reconciliation and the daily maintenance, by a clock that it moves. */
async function night(from: number, sql: object): Promise<{ statements: number; read: number; written: number }> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
  const exec = (sql as SqlStorage).exec
  const spied = vi.spyOn(sql as SqlStorage, 'exec').mockImplementation(function (this: SqlStorage, ...given) {
    const cursor = exec.apply(this, given)
    cursors.push(cursor)
    return cursor as never
  })
  const clock = vi.spyOn(Date, 'now')
  for (let at = from; at < from + 8 * HOUR_MS; at += 20 * MINUTE_MS) {
    clock.mockReturnValue(at)
    await tick()
  }
  clock.mockRestore()
  spied.mockRestore()
  const sum = (of: (cursor: (typeof cursors)[number]) => number) => cursors.reduce((all, one) => all + of(one), 0)
  return { statements: cursors.length, read: sum(({ rowsRead }) => rowsRead), written: sum((one) => one.rowsWritten) }
}

it('1,000 bots at rest have no alarm and no socket, and a night touches no row for them', async () => {
  const { id: account, key } = await newAccount()
  const plain = { provider: 'anthropic', model: 'claude-opus-5', system_prompt: 'You sell tents.' }
  // Four that have worked: a turn, a turn that was given up, a tool in another Worker, a handle.
  const warmless = { ...plain, keep_warm: { plan: 'off' } }
  const told = await begin(warmless)
  await say(told, 'Which tent for two?')
  const stopped = await begin(warmless)
  world.lab.faults.add({ kind: 'stalls', times: 1 })
  const { deltas, socket } = await hear(stopped)
  await post(`/bots/${stopped}/messages`, { text: 'Which tent for two?' })
  await vi.waitFor(() => expect(deltas.length).toBeGreaterThan(0), 60_000)
  expect(pick(await post(`/bots/${stopped}/cancel`), 'cancelled')).toBe(true)
  socket.close(1000)
  const served = await begin({
    ...warmless,
    tools: [{ name: 'stock', description: 'Left.', service: 'STOCK_SERVICE' }],
  })
  await say(served, 'How many?\nlab: call stock {}')
  const contents = { provider: 'gemini', model: 'gemini-3.8-flash', system: longText() }
  const handle = pick(await post('/caches', contents), 'handle')
  const cached = await begin({ provider: 'gemini', model: 'gemini-3.8-flash', cache: { handle } })
  await say(cached, 'Which lamp?')
  const stubs = [told, stopped, served, cached].map((id) => objectOf(id))

  const seen = (stub: (typeof stubs)[number]) =>
    runInDurableObject(stub, async (_, state) => ({
      alarm: await state.storage.getAlarm(),
      sockets: state.getWebSockets().filter(({ readyState }) => readyState === WebSocket.OPEN).length,
      rows: rowsOf(state),
    }))
  const before: string[] = []
  /** Evicts all bots that have not been looked at, and notes their rows. */
  const rest = async (): Promise<void> => {
    for (let n = before.length; n < stubs.length; n += AT_ONCE) {
      const some = stubs.slice(n, n + AT_ONCE)
      for (const { alarm, sockets, rows } of await Promise.all(some.map(seen))) {
        expect([alarm, sockets]).toEqual([null, 0])
        before.push(rows)
      }
      await Promise.all(some.map((stub) => evictDurableObject(stub)))
    }
  }
  await rest()
  const sql = await runInDurableObject(stubs[0]!, (_, state) => Object.getPrototypeOf(state.storage.sql) as object)
  await evictDurableObject(stubs[0]!)
  const evening = Date.now() + DAY_MS
  await night(evening, sql) // ends what the bots have begun, such as the handle
  const few = await night(evening + DAY_MS, sql)
  expect(few.statements).toBeGreaterThan(0)

  while (stubs.length < BOTS) {
    const many = Math.min(AT_ONCE, BOTS - stubs.length)
    const made = await Promise.all(Array.from({ length: many }, () => post('/bots', plain, { key })))
    stubs.push(...made.map((answer) => objectOf(pick(answer, 'id') as string, account)))
  }
  await rest()
  const built = vi.spyOn(BotKey.prototype, 'seals')
  const crowd = await night(evening + 2 * DAY_MS, sql)
  expect(built.mock.contexts).toEqual([])
  // An account's object may start anew in the meantime, and reads a few rows of its own. A row for each bot would be a thousand.
  expect(crowd.written).toBe(few.written)
  expect(crowd.read - few.read).toBeLessThan(BOTS / 20)
  expect(crowd.statements - few.statements).toBeLessThan(BOTS / 20)
  for (let n = 0; n < BOTS; n += AT_ONCE) {
    const after = await Promise.all(stubs.slice(n, n + AT_ONCE).map(seen))
    expect(after.map(({ rows }) => rows)).toEqual(before.slice(n, n + AT_ONCE))
    expect(after.every(({ alarm, sockets }) => alarm === null && sockets === 0)).toBe(true)
  }
}, 300_000)

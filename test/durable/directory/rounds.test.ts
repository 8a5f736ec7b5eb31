import { expect, it } from 'vitest'
import { Rounds } from '../../../src/durable/directory/rounds.ts'
import type { Round } from '../../../src/durable/directory/rounds.ts'
import { DirectoryStore } from '../../../src/durable/directory/tables/accounts.ts'
import { RoundStore } from '../../../src/durable/directory/tables/rounds.ts'
import { clockFrom } from '../../../src/runtime/clock.ts'
import { nodeSql } from '../../support/node-sql.ts'

const clock = clockFrom({})
const idOf = (n: number): string => `account-${String(n).padStart(4, '0')}`

/** The tables of a Directory with `count` accounts, and the alarm that its object would have. */
function directory(count: number) {
  const sql = nodeSql()
  const accounts = new DirectoryStore(sql)
  const store = new RoundStore(sql, { done: 'told', tried: 'tried', settings: 'roll_out' })
  const other = new RoundStore(sql, { done: 'rolled_up', tried: 'roll_up_tried', settings: 'roll_up' })
  for (let n = 0; n < count; n++) accounts.add(idOf(n), 0)
  const alarm: { at: number | null } = { at: null }
  const storage = {
    deleteAlarm: async () => void (alarm.at = null),
    setAlarm: async (at: number | Date) => void (alarm.at = Number(at)),
  }
  /** An object that has just started: it has nothing but the tables. */
  const started = (visit: Round['visit'], more: Round[] = []) =>
    new Rounds([{ name: 'roll-out', store, atOnce: 50, pages: 20, visit }, ...more], storage, clock)
  /** Lets the alarm ring until it is not set again, or `most` times. */
  const ring = async (rollOut: Rounds, most = 1_000): Promise<number> => {
    let rings = 0
    while (alarm.at !== null && rings < most) {
      alarm.at = null
      rings += 1
      await rollOut.run()
    }
    return rings
  }
  return { store, other, accounts, alarm, started, ring }
}

it('a roll-out tells every account once, in several alarms of bounded size', async () => {
  const { store, started, ring } = directory(2_500)
  const told: string[] = []
  const rollOut = started(async (id) => void told.push(id))
  store.begin()
  expect(store.progress()).toEqual({ accounts: 2_500, pending: 2_500, failed: 0 })
  await rollOut.arm()
  await ring(rollOut, 1)
  expect(told).toHaveLength(1_000)
  expect(store.progress()).toEqual({ accounts: 2_500, pending: 1_500, failed: 0 })
  await ring(rollOut)
  expect(told).toHaveLength(2_500)
  expect(new Set(told).size).toBe(2_500)
  expect(store.progress().pending).toBe(0)
})

it('a roll-out whose object ends in the middle goes on with the rest', async () => {
  const { store, started, ring } = directory(2_500)
  const told: string[] = []
  const tell = async (id: string) => void told.push(id)
  store.begin()
  const first = started(tell)
  await first.arm()
  await ring(first, 1)
  await ring(started(tell))
  expect(new Set(told).size).toBe(2_500)
  expect(told).toHaveLength(2_500)
})

it('a roll-out begins at another account each time', async () => {
  const { store, started, ring } = directory(300)
  const firsts: string[] = []
  for (let change = 0; change < 8; change++) {
    const told: string[] = []
    const rollOut = started(async (id) => void told.push(id))
    store.begin()
    await rollOut.arm()
    await ring(rollOut)
    firsts.push(told[0] ?? '')
    expect(told).toHaveLength(300)
  }
  expect(new Set(firsts).size).toBe(8)
})

it('a roll-out is not held up by accounts that fail: they are counted, and tried again later', async () => {
  const { store, alarm, started, ring } = directory(300)
  const broken = new Set(Array.from({ length: 60 }, (_, n) => idOf(n)))
  const told: string[] = []
  const rollOut = started(async (id) => {
    if (broken.has(id)) throw new Error('no answer')
    told.push(id)
  })
  store.begin()
  await rollOut.arm()
  const before = Date.now()
  await ring(rollOut, 1)
  expect(told).toHaveLength(240)
  expect(store.progress()).toEqual({ accounts: 300, pending: 60, failed: 60 })
  expect(alarm.at).toBeGreaterThanOrEqual(before + 5_000)
  broken.clear()
  await ring(rollOut)
  expect(store.progress()).toEqual({ accounts: 300, pending: 0, failed: 0 })
})

it('a change during a roll-out is told to those who know the one before', async () => {
  const { store, accounts, started, ring } = directory(1_500)
  const told: string[] = []
  const rollOut = started(async (id) => void told.push(`${store.version()} ${id}`))
  store.begin()
  await rollOut.arm()
  await ring(rollOut, 1)
  store.begin()
  accounts.add('account-new', 0)
  store.joined('account-new')
  expect(store.progress()).toEqual({ accounts: 1_501, pending: 1_500, failed: 0 })
  await ring(rollOut)
  expect(told.filter((one) => one.startsWith('2 '))).toHaveLength(1_500)
  expect(told).not.toContain('2 account-new')
})

it('a round begins with those who waited longest, where the one before did not end', async () => {
  const { store, started, ring } = directory(2_500)
  const told: string[] = []
  const rounds = started(async (id) => void told.push(id))
  store.begin()
  await rounds.arm()
  await ring(rounds, 1)
  const reached = new Set(told.splice(0))
  store.begin()
  await ring(rounds, 1)
  // A thousand of the 1,500 that the first round left.
  expect(told).toHaveLength(1_000)
  expect(told.filter((id) => reached.has(id))).toEqual([])
})

it('kinds of rounds do not wait for each other, nor one for what runs when it begins', async () => {
  const { store, other, alarm, started, ring } = directory(60)
  const hung = Promise.withResolvers<void>()
  const rolledUp: string[] = []
  const told: string[] = []
  const rollUp: Round = {
    name: 'roll-up',
    store: other,
    atOnce: 50,
    pages: 20,
    visit: async (id) => {
      rolledUp.push(id)
      await hung.promise
    },
  }
  const rounds = started(async (id) => void told.push(id), [rollUp])
  other.begin()
  await rounds.arm()
  alarm.at = null
  const share = rounds.run()
  await expect.poll(() => rolledUp.length).toBe(50)
  store.begin()
  await rounds.arm()
  await expect.poll(() => told.length).toBe(60)
  expect(other.progress().pending).toBe(60)
  hung.resolve()
  await share
  await ring(rounds)
  expect(rolledUp).toHaveLength(60)
  expect(alarm.at).toBeNull()
})

it('what follows a round runs after all were tried, again after it failed', async () => {
  const { store, other, started, ring } = directory(60)
  let left = 2
  let failures = 1
  const visited: string[] = []
  const round: Round = {
    name: 'roll-up',
    store: other,
    atOnce: 20,
    pages: 1,
    visit: async (id) => void visited.push(id),
    after: {
      isDue: () => left > 0,
      run: async ({ pending }) => {
        expect(pending).toBe(0)
        if (failures-- > 0) throw new Error('no answer')
        left -= 1
        if (left > 0) other.begin()
      },
    },
  }
  const rounds = started(async () => {}, [round])
  other.begin()
  await rounds.arm()
  await ring(rounds)
  expect(left).toBe(0)
  expect(visited).toHaveLength(120)
  expect(store.progress().pending).toBe(0)
})

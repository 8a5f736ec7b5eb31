import { beforeEach, describe, expect, it } from 'vitest'
import { BotCallLedger } from '../../../../src/durable/registry/ledger/bot-calls.ts'
import type { BotCallEnded } from '../../../../src/durable/registry/ledger/bot-calls.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import { ledgerEntries } from '../../../../src/durable/registry/ledger/pages.ts'
import type { LedgerPlace } from '../../../../src/durable/registry/records/ledger.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { NOON } from '../../../support/sample.ts'
import { nodeSql } from '../../../support/node-sql.ts'
import { EMPTY_DAY } from '../../../../src/durable/registry/records/day.ts'
import { MINUTE_MS } from '../../../../src/core/time/time.ts'

const ALL = { fromAt: 0, untilAt: Number.MAX_SAFE_INTEGER }
const TODAY = new Date(NOON).toISOString().slice(0, 10)

let store: RegistryStore
let handles: ManagedCacheStore
let books: BotCallLedger

beforeEach(() => {
  const sql = nodeSql()
  store = new RegistryStore(sql)
  handles = new ManagedCacheStore(sql)
  books = new BotCallLedger(store)
})

const begin = (call: string, worstNanos: number | null, budget: number | null = 100, now = NOON): string | null =>
  books.begin({ bot: 'bot_1', call, worstNanos }, budget, now)

function end(call: string, more: Partial<BotCallEnded> = {}, now = NOON): boolean {
  return books.end({ bot: 'bot_1', call, outcome: 'answered', costNanos: 7, why: 'answered', ...more }, now)
}

const day = () => store.days.load(TODAY) ?? EMPTY_DAY

describe('a bot in the books of its account', () => {
  it('reserves the worst case before a call, and is charged what it cost', () => {
    expect(begin('evt_1', 60)).toBeNull()
    expect(store.reservedNanos()).toBe(60)
    expect(begin('evt_2', 60)).toContain('does not fit')
    expect(end('evt_1')).toBe(true)
    expect([store.reservedNanos(), store.spentNanos(NOON)]).toEqual([0, 7])
    expect(begin('evt_2', 60)).toBeNull()
    expect(day()).toMatchObject({ botCalls: 1, botCostNanos: 7, calls: 0, costNanos: 0 })
  })

  it('shares the budget of the day with what keeps prefixes warm', () => {
    store.days.save(TODAY, { ...EMPTY_DAY, costNanos: 50 })
    expect(begin('evt_1', 51)).toContain('does not fit')
    expect(begin('evt_1', 50)).toBeNull()
    expect(begin('evt_2', 1, 100, NOON + 24 * 60 * MINUTE_MS)).toBeNull()
  })

  it('is charged once, whoever tells it twice, and by its last try', () => {
    begin('evt_1', 60)
    expect(begin('evt_1', 80)).toBeNull() // its own former try does not stand in its way
    expect(store.reservedNanos()).toBe(80)
    expect([end('evt_1'), end('evt_1'), end('evt_of_nobody')]).toEqual([true, false, false])
    expect(day().botCostNanos).toBe(7)
  })

  it('costs nothing where the provider refused it', () => {
    begin('evt_1', 60)
    end('evt_1', { outcome: 'refused', costNanos: null, why: 'provider_limited' })
    expect(day()).toMatchObject({ botCalls: 1, botCostNanos: 0, botUnpricedCalls: 0 })
  })

  it.each([
    ['an end that nobody told', () => books.giveUp(NOON + 10 * MINUTE_MS)],
    ['an outcome that nobody knows', () => void end('evt_1', { outcome: 'unknown', costNanos: null })],
    ['an answer without its usage', () => void end('evt_1', { outcome: 'failed', costNanos: null })],
  ])('is charged the worst case for %s', (_, happens) => {
    begin('evt_1', 60)
    happens()
    expect([store.reservedNanos(), day().botCostNanos]).toEqual([0, 60])
    expect(end('evt_1')).toBe(false)
  })

  it('is in no sum where no price is known, and not made where a budget would have to hold it', () => {
    expect(begin('evt_1', null, null)).toBeNull()
    end('evt_1', { costNanos: null })
    expect(day()).toMatchObject({ botCalls: 1, botCostNanos: 0, botUnpricedCalls: 1 })
    expect(begin('evt_2', null, 100)).toContain('no price is known')
  })

  it('has its calls in the ledger, page by page, the newest first, and only those that ended', () => {
    for (let n = 0; n < 5; n += 1) {
      begin(n === 4 ? 'evt_9#s0' : `evt_${n}`, 1, null, NOON + n)
      if (n !== 3) end(n === 4 ? 'evt_9#s0' : `evt_${n}`, {}, NOON + n)
    }
    const seen: unknown[] = []
    let place: LedgerPlace | null = null
    for (let page = 0; page < 10; page += 1) {
      const { entries, next }: ReturnType<typeof ledgerEntries> = ledgerEntries(store, handles, ALL, place, 2)
      for (const entry of entries) if ('bot' in entry) seen.push([entry.bot.turn, entry.bot.purpose])
      place = next
      if (next === null) break
    }
    expect(seen).toEqual([
      ['evt_9', 'summary'],
      ['evt_2', 'answer'],
      ['evt_1', 'answer'],
      ['evt_0', 'answer'],
    ])
    store.botCalls.drop(NOON + 2)
    expect(ledgerEntries(store, handles, ALL, null, 10).entries).toHaveLength(2)
  })
})

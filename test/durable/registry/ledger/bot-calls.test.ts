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
let ledger: BotCallLedger

beforeEach(() => {
  const sql = nodeSql()
  store = new RegistryStore(sql)
  handles = new ManagedCacheStore(sql)
  ledger = new BotCallLedger(store)
})

const begin = (call: string, worstNanos: number | null, budget: number | null = 100, now = NOON): string | null =>
  ledger.begin({ bot: 'bot_1', call, worstNanos }, budget, now)

function end(call: string, more: Partial<BotCallEnded> = {}): boolean {
  return ledger.end({ bot: 'bot_1', call, outcome: 'answered', costNanos: 7, why: 'answered', ...more })
}

const day = () => store.days.load(TODAY) ?? EMPTY_DAY

describe('calls of a bot in the ledger of its account', () => {
  it('a call reserves its worst case, and is charged what it cost', () => {
    expect(begin('evt_1', 60)).toBeNull()
    expect(store.reservedNanos()).toBe(60)
    expect(begin('evt_2', 60)).toContain('does not fit')
    expect(end('evt_1')).toBe(true)
    expect([store.reservedNanos(), store.spentNanos(NOON)]).toEqual([0, 7])
    expect(begin('evt_2', 60)).toBeNull()
    expect(day()).toMatchObject({ botCalls: 1, botCostNanos: 7, calls: 0, costNanos: 0 })
  })

  it('bots and keep-alives share the budget of the day', () => {
    store.days.save(TODAY, { ...EMPTY_DAY, costNanos: 50 })
    expect(begin('evt_1', 51)).toContain('does not fit')
    expect(begin('evt_1', 50)).toBeNull()
    expect(begin('evt_2', 1, 100, NOON + 24 * 60 * MINUTE_MS)).toBeNull()
  })

  it('a call is charged once, for its last attempt, also when its end is reported twice', () => {
    begin('evt_1', 60)
    expect(begin('evt_1', 80)).toBeNull() // its own earlier attempt does not count against it
    expect(store.reservedNanos()).toBe(80)
    expect([end('evt_1'), end('evt_1'), end('evt_of_nobody')]).toEqual([true, false, false])
    expect(day().botCostNanos).toBe(7)
  })

  it('a call that the provider refused costs nothing', () => {
    begin('evt_1', 60)
    end('evt_1', { outcome: 'refused', costNanos: null, why: 'provider_limited' })
    expect(day()).toMatchObject({ botCalls: 1, botCostNanos: 0, botUnpricedCalls: 0 })
  })

  it.each([
    ['an end that was not reported', () => ledger.giveUp(NOON + 10 * MINUTE_MS)],
    ['an unknown outcome', () => void end('evt_1', { outcome: 'unknown', costNanos: null })],
    ['an answer without its usage', () => void end('evt_1', { outcome: 'failed', costNanos: null })],
  ])('is charged the worst case for %s', (_, happens) => {
    begin('evt_1', 60)
    happens()
    expect([store.reservedNanos(), day().botCostNanos]).toEqual([0, 60])
    expect(end('evt_1')).toBe(false)
  })

  it('a call without a price is in no sum, and is refused where a budget exists', () => {
    expect(begin('evt_1', null, null)).toBeNull()
    end('evt_1', { costNanos: null })
    expect(day()).toMatchObject({ botCalls: 1, botCostNanos: 0, botUnpricedCalls: 1 })
    expect(begin('evt_2', null, 100)).toContain('no price is known')
  })

  it('ended calls are in the ledger in pages, newest first', () => {
    for (let n = 0; n < 5; n += 1) {
      begin(n === 4 ? 'evt_9#s0' : `evt_${n}`, 1, null, NOON + n)
      if (n !== 3) end(n === 4 ? 'evt_9#s0' : `evt_${n}`)
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

/** The books of a storm: all bookings of calls, with their instants in the lab's clock, and what the days' totals say. */
import type { Booking } from './reconcile.ts'
import type { BotEntry, BotTraffic } from './traffic/bots.ts'
import type { Account, StormWorld } from './world.ts'

export interface StormBooks {
  /** Of prefixes and bots. Those of managed caches are in their histories. */
  bookings: Booking[]
  /** What the days' totals of keeping warm have more than their single entries, in nano-dollars, by account. */
  beyondEntries: Map<string, number>
  /** The same of bots, in all. */
  botsBeyondEntriesNanos: number
}

interface CallEntry {
  type: 'call' | 'saving' | 'cache'
  prefix_id: string
  at: string
  cost_usd: number | null
  why: string
}

interface Totals {
  cost_usd: number
  bot_cost_usd: number
}

export async function readBooks(
  world: StormWorld,
  accounts: readonly Account[],
  bots: BotTraffic,
): Promise<StormBooks> {
  const bookings: Booking[] = []
  const beyondEntries = new Map<string, number>()
  let botsBeyondEntriesNanos = 0
  for (const account of accounts) {
    const call = world.client(account.key)
    const names = new Map<string, string>()
    const views = await world.pages<{ id: string; name: string }>(call, '/prefixes?limit=200')
    for (const { id, name } of views.data) names.set(id, name)
    const { data, totals } = await world.pages<CallEntry | BotEntry, Totals>(call, '/ledger?limit=1000')
    let kept = 0
    let conversed = 0
    for (const entry of data) {
      const cost = entry.cost_usd === null ? null : nanosOf(entry.cost_usd)
      if (entry.type === 'bot') conversed += cost ?? 0
      else if (entry.type !== 'saving') kept += cost ?? 0
      if (entry.type !== 'call') continue
      const mark = names.get(entry.prefix_id) ?? entry.prefix_id
      bookings.push({ mark, at: world.labTime(Date.parse(entry.at)), costNanos: cost, why: entry.why })
    }
    const entriesOfBots = data.filter((entry): entry is BotEntry => entry.type === 'bot')
    bookings.push(...bots.booked(entriesOfBots, (at) => world.labTime(at)))
    beyondEntries.set(account.id, nanosOf(totals?.cost_usd ?? 0) - kept)
    botsBeyondEntriesNanos += Math.abs(nanosOf(totals?.bot_cost_usd ?? 0) - conversed)
  }
  return { bookings, beyondEntries, botsBeyondEntriesNanos }
}

function nanosOf(dollars: number): number {
  return Math.round(dollars * 1e9)
}

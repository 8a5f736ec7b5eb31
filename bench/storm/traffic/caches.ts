/** Managed caches in the storm: made, asked for, renewed, ended and made again, while their provider evicts and fails. */
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { PLACES, SENTENCE } from '../bodies.ts'
import type { CacheAtRest } from './judge.ts'
import type { Booking } from '../reconcile.ts'
import type { Account, StormWorld } from '../world.ts'

const TTLS = ['8m', '12m', '20m']
const SENTENCES = 80

interface Made {
  account: Account
  id: string
  mark: string
}

export class CacheTraffic {
  readonly caches: Made[] = []
  readonly #world: StormWorld
  readonly #roll: () => number
  #next = 0

  constructor(world: StormWorld, roll: () => number) {
    this.#world = world
    this.#roll = roll
  }

  async create(accounts: readonly Account[], count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const account = accounts[n % accounts.length]
      if (account === undefined) return
      const mark = `storm-cache-${String(n).padStart(4, '0')}`
      const { status, body } = await this.#make(account, mark)
      if (status >= 300) throw new Error(`POST /caches for ${mark} answered ${status}: ${JSON.stringify(body)}`)
      this.caches.push({ account, id: body.id, mark })
    }
  }

  #make(account: Account, mark: string) {
    const { provider, model } = PLACES.gemini
    return this.#world.client(account.key)<{ id: string }>('POST', '/caches', {
      provider,
      model,
      display_name: mark,
      ttl: TTLS[0],
      request: { systemInstruction: { parts: [{ text: `${mark} ${SENTENCE.repeat(SENTENCES)}` }] } },
      keep: { idle: null, budget_usd_per_day: null },
    })
  }

  /** The next cache has something done to it. */
  async act(): Promise<void> {
    const cache = this.caches[this.#next++ % Math.max(1, this.caches.length)]
    if (cache === undefined) return
    const call = this.#world.client(cache.account.key)
    const roll = this.#roll()
    try {
      if (roll < 0.4) await call('GET', `/caches/${cache.id}`)
      else if (roll < 0.6)
        await call('PATCH', `/caches/${cache.id}`, { ttl: TTLS[Math.floor(this.#roll() * TTLS.length)] })
      else if (roll < 0.7) await call('POST', `/caches/${cache.id}/report-gone`, {})
      else if (roll < 0.85) {
        const until = new Date(this.#world.now() + this.#world.aheadMs + 2 * MINUTE_MS).toISOString()
        await call('PATCH', `/caches/${cache.id}`, { keep: { idle: null, budget_usd_per_day: null, until } })
      } else await this.#make(cache.account, cache.mark)
    } catch {
      return // it was killed in the middle
    }
  }

  /** What the product says of all managed caches, and their histories. */
  async atRest(): Promise<{ rest: CacheAtRest[]; bookings: (labTime: (at: number) => number) => Booking[] }> {
    const rest: CacheAtRest[] = []
    const rows: (Row & { mark: string })[] = []
    for (const { account, id, mark } of this.caches) {
      const call = this.#world.client(account.key)
      const { data } = await this.#world.pages<Row>(call, `/caches/${id}/history?limit=200`)
      const listed = await this.#world.pages<View>(call, '/caches?limit=200')
      const view = listed.data.find((one) => one.id === id)
      if (view === undefined) throw new Error(`GET /caches does not list ${mark}`)
      const shown = data.reduce((sum, row) => sum + nanosOf(row.cost_usd ?? 0) + nanosOf(row.storage_usd ?? 0), 0)
      const counted = data.filter(({ event }) => COUNTING.has(event)).map((row) => Date.parse(row.at))
      rest.push({
        mark,
        account: account.id,
        pendingNanos: view.cost.total_usd === null ? null : nanosOf(view.cost.total_usd) - shown,
        pendingMs: this.#world.now() + this.#world.aheadMs - Math.max(0, ...counted),
        handle: view.handle,
        state: view.state,
        storageNanos: view.cost.storage_usd === null ? null : nanosOf(view.cost.storage_usd),
        known: new Set(data.flatMap(({ handle }) => (handle === null ? [] : [handle]))),
      })
      rows.push(...data.map((row) => ({ ...row, mark })))
    }
    const bookings = (labTime: (at: number) => number): Booking[] =>
      rows.flatMap(({ mark, at, event, cost_usd: cost, why }) =>
        cost === 0
          ? []
          : [
              {
                mark,
                at: labTime(Date.parse(at)),
                costNanos: cost === null ? null : nanosOf(cost),
                why: `${event}: ${why}`,
              },
            ],
      )
    return { rest, bookings }
  }
}

/** Rows that show the storage until then. */
const COUNTING: ReadonlySet<string> = new Set(['created', 'renewed', 'lost', 'adopted'])

function nanosOf(dollars: number): number {
  return Math.round(dollars * 1e9)
}

interface Row {
  at: string
  event: string
  handle: string | null
  cost_usd: number | null
  storage_usd: number | null
  why: string
}

interface View {
  id: string
  handle: string | null
  state: string
  cost: { storage_usd: number | null; total_usd: number | null }
}

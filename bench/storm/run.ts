import { setTimeout as pause } from 'node:timers/promises'
import pLimit from 'p-limit'
import { HOUR_MS, MINUTE_MS, DAY_MS } from '../../src/core/time/time.ts'
import { die } from '../../test/scenarios/random.ts'
import { say } from '../figure.ts'
import { stormPrefix } from './bodies.ts'
import type { StormPrefix } from './bodies.ts'
import type { Sample } from './flat.ts'
import type { StormOptions } from './options.ts'
import { stormPlan } from './plan.ts'
import type { StormEvent } from './plan.ts'
import { readBooks } from './ledger.ts'
import type { StormBooks } from './ledger.ts'
import type { Booking } from './reconcile.ts'
import type { FolderSample } from './folders.ts'
import { BotTraffic } from './traffic/bots.ts'
import { CacheTraffic } from './traffic/caches.ts'
import type { BotAtRest, CacheAtRest, Message } from './traffic/judge.ts'
import { Witness } from './witness.ts'
import { StormWorld } from './world.ts'
import type { Account, Disturbance } from './world.ts'

const ACCOUNTS = 4
const REGISTERED_AT_ONCE = 8
const READ_EVERY_MS = 1_000
/** Virtual time between two looks at everything, for each so many prefixes: to look at all of them is work for the product too. */
const LOOK_EVERY_MS = MINUTE_MS
const LOOKED_AT = 500
const SAMPLED_EVERY_MS = MINUTE_MS / 2
/** One bot for so many prefixes, and one managed cache; at least one of each wire format. */
const PREFIXES_PER_BOT = 100
const LEAST_BOTS = 5
const PREFIXES_PER_CACHE = 250
const LEAST_CACHES = 4
/** Virtual time between two messages to one bot, and between two requests about one managed cache. */
const MESSAGE_EVERY_MS = 4 * MINUTE_MS
const CACHE_EVERY_MS = 5 * MINUTE_MS
/** Share of cron ticks that are skipped, beside the outages. */
const SKIPPED_TICKS = 0.1
/** Plans that a person starts again after each look. */
const RESTARTED_AT_ONCE = 20
/** Calm at the end: the longest time-out of a call, and the grace of the judge. */
const CALM_MS = 8 * MINUTE_MS
/** Words of the prompts. */
const PROMPTS = ['storm-prefix-', 'storm-bot-', 'storm-cache-', 'harbour master', 'next boat']
const REGIONS = ['wnam', 'weur', 'apac']

export interface StormRecord {
  prefixes: StormPrefix[]
  /** Prefixes whose registration the product confirmed. */
  registered: string[]
  witness: Witness
  samples: Sample[]
  disturbances: Disturbance[]
  jumps: { at: number; byMs: number; aheadMs: number }[]
  bookings: Booking[]
  books: Omit<StormBooks, 'bookings'>
  messages: Message[]
  bots: BotAtRest[]
  caches: CacheAtRest[]
  folders: FolderSample[]
  /** All that the product's processes wrote, and what must not be in it. */
  said: string
  secrets: string[]
  happened: Record<string, number>
  endedAt: number
  lastedMs: number
}

/** Asks the product while it still runs: what it says of these prefixes, and what their histories have. */
export type AskMore = (marks: ReadonlySet<string>) => Promise<Record<string, unknown>>

/** Runs the product in the storm, and afterwards in calm, and returns what `judge` makes of all that was seen. */
export async function runStorm<Judged>(
  options: StormOptions,
  judge: (record: StormRecord, ask: AskMore) => Promise<Judged>,
): Promise<Judged> {
  const lastsMs = options.hours * HOUR_MS
  // A day of UTC ends in the middle of the storm.
  const startAt = (Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS - Math.round(lastsMs * 0.4)
  say('storm: the lab and the product start …')
  const world = await StormWorld.start(options.rate, startAt)
  try {
    const storm = new Storm(world, options, lastsMs)
    return await judge(await storm.run(), (marks) => storm.more(marks))
  } finally {
    await world.stop()
  }
}

class Storm {
  readonly #world: StormWorld
  readonly #options: StormOptions
  readonly #lastsMs: number
  readonly #witness: Witness
  readonly #prefixes: StormPrefix[]
  readonly #registered: string[] = []
  readonly #samples: Sample[] = []
  readonly #happened: Record<string, number> = {}
  readonly #random
  readonly #bots: BotTraffic
  readonly #caches: CacheTraffic
  readonly #folders: FolderSample[] = []
  #isCalm = false
  #accounts: Account[] = []
  #over = false
  #cronOutUntil = 0

  constructor(world: StormWorld, options: StormOptions, lastsMs: number) {
    this.#world = world
    this.#options = options
    this.#lastsMs = lastsMs
    this.#witness = new Witness(world)
    this.#random = die(options.seed + 1)
    this.#bots = new BotTraffic(world, () => this.#random.roll())
    this.#caches = new CacheTraffic(world, () => this.#random.roll())
    this.#prefixes = Array.from({ length: options.prefixes }, (_, n) => stormPrefix(n))
  }

  async run(): Promise<StormRecord> {
    const world = this.#world
    for (let n = 0; n < ACCOUNTS; n++) this.#accounts.push(await world.account(`harbour-tenant-${n}`))
    const readers = [this.#repeat(READ_EVERY_MS, () => this.#witness.read()), this.#cron()]
    const { prefixes } = this.#options
    await this.#caches.create(this.#accounts, Math.max(LEAST_CACHES, Math.round(prefixes / PREFIXES_PER_CACHE)))
    await this.#bots.create(this.#accounts, Math.max(LEAST_BOTS, Math.round(prefixes / PREFIXES_PER_BOT)))
    await this.#register()
    const beginsAt = world.now()
    readers.push(this.#repeat(world.realMs(SAMPLED_EVERY_MS), () => this.#sample()))
    const lookEveryMs = LOOK_EVERY_MS * Math.max(1, prefixes / LOOKED_AT)
    readers.push(this.#repeat(world.realMs(lookEveryMs), () => this.#lookAndRestart()))
    const bots = this.#traffic(MESSAGE_EVERY_MS / this.#bots.bots.length, () => this.#bots.send())
    const caches = this.#traffic(CACHE_EVERY_MS / this.#caches.caches.length, () => this.#caches.act())
    await this.#weather(beginsAt)
    say('storm: calm …')
    this.#cronOutUntil = 0
    this.#isCalm = true
    await Promise.all([bots, caches])
    await world.calm()
    await this.#bots.sendRest()
    await this.#wait(world.now() + CALM_MS)
    this.#over = true
    await Promise.all(readers)
    await this.#witness.look(this.#accounts, this.#prefixes)
    const { bookings, ...books } = await readBooks(world, this.#accounts, this.#bots)
    const cachesAtRest = await this.#caches.atRest()
    const botsAtRest = await this.#bots.atRest()
    await this.#count()
    return {
      prefixes: this.#prefixes,
      registered: this.#registered,
      witness: this.#witness,
      samples: this.#samples,
      disturbances: world.disturbances,
      jumps: world.jumps,
      bookings: [...bookings, ...cachesAtRest.bookings((at) => world.labTime(at))],
      books,
      messages: this.#bots.messages,
      bots: botsAtRest,
      caches: cachesAtRest.rest,
      folders: this.#folders,
      said: await world.said(),
      secrets: [...this.#accounts.flatMap(({ id, key }) => [id, key]), ...PROMPTS],
      happened: this.#happened,
      endedAt: world.now(),
      lastedMs: this.#lastsMs,
    }
  }

  #accountOf(n: number): Account {
    const account = this.#accounts[n % ACCOUNTS]
    if (account === undefined) throw new Error('there is no account yet')
    return account
  }

  async #register(): Promise<void> {
    const limit = pLimit(REGISTERED_AT_ONCE)
    let done = 0
    await Promise.all(
      this.#prefixes.map((prefix, n) =>
        limit(async () => {
          // By account in blocks, so that each account has every wire format.
          const account = this.#accountOf(Math.floor(n / 5))
          const { status, body } = await this.#world.client(account.key)<unknown>('POST', '/warm', prefix.registration)
          if (status !== 200 && status !== 202)
            throw new Error(`POST /warm for ${prefix.mark} answered ${status}: ${JSON.stringify(body)}`)
          this.#registered.push(prefix.mark)
          done += 1
          if (done % 200 === 0) say(`storm: ${done} of ${this.#prefixes.length} prefixes are registered`)
        }),
      ),
    )
  }

  /** Plays the events of the storm, one after the other, each at its time. */
  async #weather(beginsAt: number): Promise<void> {
    const plan = stormPlan(this.#options.seed, this.#lastsMs, this.#options.prefixes)
    let saidAt = 0
    for (const event of plan) {
      await this.#wait(beginsAt + event.at)
      await this.#play(event)
      this.#note(event.do)
      if (Date.now() - saidAt < 15_000) continue
      saidAt = Date.now()
      const done = Math.round((100 * event.at) / this.#lastsMs)
      say(`storm: ${done} %, ${this.#witness.rows} calls, ${this.#happened['kill'] ?? 0} kills`)
    }
    await this.#wait(beginsAt + this.#lastsMs)
  }

  async #play(event: StormEvent): Promise<void> {
    const world = this.#world
    switch (event.do) {
      case 'fault': {
        const { kind, how, delayMs, times, untilMs } = event
        return world.fault({
          kind,
          times,
          until: world.now() + untilMs,
          probability: 0.5,
          ...(how === undefined ? {} : { how }),
          ...(delayMs === undefined ? {} : { delay_ms: delayMs }),
          // Half of the silent calls were processed all the same.
          ...(kind === 'timeout' ? { charged: this.#random.roll() < 0.5 } : {}),
        })
      }
      case 'end': {
        const { object, n } = event
        const account = this.#accountOf(n)
        const bots = this.#bots.bots
        const bot = bots[n % bots.length]
        const name = {
          Registry: account.id,
          Directory: '',
          Egress: REGIONS[n % REGIONS.length] ?? '',
          Bot: bot === undefined ? 'nobody' : `${bot.account.id}/${bot.id}`,
        }
        this.#note((await world.end(object, name[object])) ? `ended_${object}` : 'ends_failed')
        return
      }
      case 'cron_out':
        this.#cronOutUntil = world.now() + event.forMs
        return
      case 'kill':
        await this.#count()
        return world.restart()
      case 'bundle':
        await this.#count()
        return world.restart({ bundle: true })
      case 'jump':
        await this.#count()
        return world.restart({ jumpMs: event.byMs })
    }
  }

  #note(what: string, times = 1): void {
    this.#happened[what] = (this.#happened[what] ?? 0) + times
  }

  /** Adds what the queue did in this life of the product. */
  async #count(): Promise<void> {
    const { counts } = await this.#world.counts()
    this.#note('messages', counts.messages)
    this.#note('messages_lost', counts.lost)
    this.#note('messages_doubled', counts.twice)
  }

  async #cron(): Promise<void> {
    const world = this.#world
    while (!this.#over) {
      await this.#wait((Math.floor(world.now() / MINUTE_MS) + 1) * MINUTE_MS)
      if (world.now() < this.#cronOutUntil || this.#random.roll() < SKIPPED_TICKS) this.#note('ticks_skipped')
      else this.#note((await world.tick()) ? 'ticks' : 'ticks_failed')
    }
  }

  async #lookAndRestart(): Promise<void> {
    await this.#witness.look(this.#accounts, this.#prefixes)
    for (const { account, id } of this.#witness.stopped.slice(0, RESTARTED_AT_ONCE)) {
      try {
        const { status } = await this.#world.client(account.key)('POST', `/prefixes/${id}/warm`, { background: true })
        this.#note(status < 300 ? 'plans_restarted' : 'restarts_refused')
      } catch {
        return // it was killed in the middle
      }
    }
  }

  async #sample(): Promise<void> {
    const [memoryMb, storageBytes] = [this.#world.memoryMb(), await this.#world.storageBytes()]
    this.#folders.push({ at: this.#world.now(), bytes: await this.#world.folders() })
    // Between a kill and the next start there is no process to measure.
    this.#samples.push({
      at: this.#world.now(),
      memoryMb: memoryMb === null || memoryMb === 0 ? null : memoryMb,
      storageBytes,
      calls: this.#witness.rows,
    })
  }

  /** Repeats something through the storm, until the calm. */
  async #traffic(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#isCalm) {
      await work()
      await pause(this.#world.realMs(everyMs))
    }
  }

  /** What the product says of prefixes, bots and managed caches, and all rows of their histories. */
  async more(marks: ReadonlySet<string>): Promise<Record<string, unknown>> {
    const found: Record<string, unknown> = {}
    const add = async (mark: string, account: Account, path: string, isListed: boolean): Promise<void> => {
      const call = this.#world.client(account.key)
      try {
        const { body: view } = await call('GET', path)
        const history = isListed ? await this.#world.pages(call, `${path}/history?limit=200`) : undefined
        found[mark] = { view, history: history?.data }
      } catch (thrown) {
        found[mark] = { missing: String(thrown) }
      }
    }
    for (const { mark } of this.#prefixes) {
      const known = this.#witness.known.get(mark)
      if (marks.has(mark) && known !== undefined) await add(mark, known.account, `/prefixes/${known.id}`, true)
    }
    for (const { mark, account, id } of this.#caches.caches)
      if (marks.has(mark)) await add(mark, account, `/caches/${id}`, true)
    for (const { mark, account, id } of this.#bots.bots)
      if ([...marks].some((one) => one.startsWith(mark))) await add(mark, account, `/bots/${id}`, false)
    return found
  }

  async #wait(at: number): Promise<void> {
    await pause(Math.max(0, this.#world.realMs(at - this.#world.now())))
  }

  async #repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#over) {
      await work()
      await pause(everyMs)
    }
  }
}

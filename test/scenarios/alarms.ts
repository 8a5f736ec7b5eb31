import { alarmsAfter } from '../../src/core/cache/alarms/alarms.ts'
import { learnedRetention } from '../../src/core/cache/retention.ts'
import { applyArrivals } from '../../src/core/events/arrived.ts'
import type { RetentionOffer } from '../../src/core/model/facts.ts'
import type { Usage } from '../../src/core/model/usage.ts'
import type { Alarm } from '../../src/core/prefix/parts.ts'
import { newState } from '../../src/core/prefix/state.ts'
import type { PrefixState } from '../../src/core/prefix/state.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/core/time/time.ts'

/** Months of traffic of one prefix, in which nothing happens that an alarm should tell. */

const START = Date.UTC(2031, 0, 6)
const TOKENS = 20_000
/** A month of more requests tells nothing new. */
const MOST_REQUESTS = 4_000

const offer = (name: string, ttlMs: number, assumed = false): RetentionOffer => ({
  name,
  kind: 'sliding',
  ttlMs,
  assumed,
  minTtlMs: ttlMs,
  maxTtlMs: assumed ? ttlMs * 6 : ttlMs,
})
const STATED = [offer('5m', 5 * MINUTE_MS), offer('1h', HOUR_MS)]
const ASSUMED = [offer('implicit', 10 * MINUTE_MS, true)]

type Random = () => number

/** Uniform in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** When requests start, as a step to the next one in ms. */
const ARRIVALS: Record<string, (random: Random) => (at: number) => number> = {
  steady: (random) => () => -10 * MINUTE_MS * Math.log(1 - random()),
  busy: (random) => () => -2 * MINUTE_MS * Math.log(1 - random()),
  idle: (random) => () => -9 * HOUR_MS * Math.log(1 - random()),
  sessions: (random) => () => -(random() < 0.06 ? 5 * HOUR_MS : 40 * SECOND_MS) * Math.log(1 - random()),
  crowds: (random) => () => (random() < 0.15 ? -2 * HOUR_MS * Math.log(1 - random()) : 400 * random()),
  office: (random) => (at) => {
    const step = -6 * MINUTE_MS * Math.log(1 - random())
    const hour = ((at + step) % DAY_MS) / HOUR_MS
    return hour < 8 ? step + (8 - hour) * HOUR_MS : hour > 18 ? step + (32 - hour) * HOUR_MS : step
  },
}

/** Whether an entry that should be there is found, by the share of the month that has passed. */
const CACHES: Record<string, (random: Random) => (share: number) => boolean> = {
  good: (random) => () => random() < 0.995,
  usual: (random) => () => random() < 0.97,
  nine: (random) => () => random() < 0.9,
  middling: (random) => () => random() < 0.7,
  low: (random) => () => random() < 0.25,
  never: () => () => false,
  falling: (random) => (share) => random() < 0.95 - 0.25 * share,
  rising: (random) => (share) => random() < 0.5 + 0.45 * share,
  daily: (random) => (share) => random() < 0.92 + 0.06 * Math.sin(share * 30 * 2 * Math.PI),
  spells: (random) => {
    let left = 0
    return () => {
      if (left > 0) left -= 1
      else if (random() < 0.004) left = 1 + Math.floor(random() * 5)
      return left === 0 && random() < 0.98
    }
  },
  sticky: (random) => {
    let isMissing = false
    return () => {
      isMissing = random() < (isMissing ? 0.6 : 0.03)
      return !isMissing
    }
  },
}

export const KINDS: readonly string[] = Object.keys(ARRIVALS).flatMap((arrivals) =>
  Object.keys(CACHES).map((cache) => `${arrivals}, ${cache}`),
)

/** One prefix with its own provider: requests go in, alarms come out. */
export class Watched {
  #state: PrefixState
  #lastUseAt = Number.NEGATIVE_INFINITY
  readonly #offers: readonly RetentionOffer[]
  readonly #retention: RetentionOffer
  readonly #reportsWrites: boolean
  readonly #hasBodies: boolean
  readonly raised: Alarm[] = []
  requests = 0

  constructor(seed: number) {
    this.#reportsWrites = seed % 2 === 0
    this.#hasBodies = seed % 3 !== 0
    this.#offers = this.#reportsWrites ? STATED : ASSUMED
    const retention = this.#offers[seed % this.#offers.length]
    if (retention === undefined) throw new Error('no retention')
    this.#retention = retention
    this.#state = newState(START, '2031-01-06', learnedRetention(retention))
  }

  /** A request at `at`. `isKept`: the provider has the entry, unless its lifetime has passed. */
  request(at: number, isKept: boolean): void {
    const hit = isKept && at - this.#lastUseAt < this.#retention.ttlMs
    this.#lastUseAt = at
    this.requests += 1
    const [retentions, usage] = [this.#offers, this.#usage(hit)]
    const arrival = { startedAt: at, usage, ttftMs: null, ...(this.#hasBodies ? { bytes: 'same' as const } : {}) }
    const size = { estimatedTokens: TOKENS }
    const { state } = applyArrivals(this.#state, [arrival], at + SECOND_MS, START, { offers: retentions, size })
    const after = alarmsAfter(this.#state, state)
    this.#state = after.state
    this.raised.push(...after.raised)
  }

  #usage(hit: boolean): Usage {
    const written = this.#reportsWrites ? (hit ? 0 : TOKENS) : null
    return {
      inputTokens: TOKENS + 300,
      uncachedTokens: null,
      cacheReadTokens: hit ? TOKENS : 0,
      cacheWriteTokens: written,
      cacheWriteByRetention: written === null || written === 0 ? {} : { [this.#retention.name]: written },
      outputTokens: 200,
      reasoningTokens: null,
    }
  }
}

/** Alarms of a month of one kind of traffic; all of them are false. */
export function quietMonth(kind: string, seed: number): { alarms: readonly Alarm[]; requests: number } {
  const random = randomFrom(seed)
  const [arrivals = '', cache = ''] = kind.split(', ')
  const step = ARRIVALS[arrivals]?.(random)
  const isKept = CACHES[cache]?.(random)
  if (step === undefined || isKept === undefined) throw new Error(`no traffic of the kind "${kind}"`)
  const watched = new Watched(seed)
  const end = START + 30 * DAY_MS
  for (let at = START + step(START); at < end && watched.requests < MOST_REQUESTS; at += step(at))
    watched.request(at, isKept((at - START) / (30 * DAY_MS)))
  return { alarms: watched.raised, requests: watched.requests }
}

/** Requests until a fall of the hit rate is told; null: not within `most`. */
export function requestsUntilTold(from: number, to: number, seed: number, learnt = 1_000, most = 400): number | null {
  const random = randomFrom(seed)
  const watched = new Watched(seed)
  let at = START
  for (let n = 0; n < learnt; n++) watched.request((at += 50 * SECOND_MS), random() < from)
  if (watched.raised.length > 0) return null
  for (let n = 1; n <= most; n++) {
    watched.request((at += 50 * SECOND_MS), random() < to)
    if (watched.raised.length > 0) return n
  }
  return null
}

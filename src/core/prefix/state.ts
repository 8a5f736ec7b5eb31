import type { Lifetime } from '../../contract/lifetime.ts'
import type { FailureValue } from '../../contract/failure.ts'
import type { RequestRate } from '../demand/request-rate.ts'
import type { Receipt } from './receipt.ts'
import type {
  Stop,
  CacheUse,
  LearnedRetention,
  LongerHead,
  ArrivalTally,
  Alarm,
  Drift,
  HitRate,
  RenewedByLonger,
  Announcement,
  Signal,
  AlertedStop,
  HoldoutGap,
  Loss,
  OpenGap,
  Losses,
  Finding,
  CountsDoubt,
  ServedModel,
  Upstream,
} from './parts.ts'
import type { TtlSeen } from '../model/ttl-seen.ts'
import { NO_LOSS, NO_GAP } from './parts.ts'
import type { FirstTokenTimes } from './first-token.ts'
import type { HistoryRow } from './history.ts'

/**
 * The changing state of one prefix, stored as one row: what receipts proved, what the plan does next, what it cost. Nothing
 * about a prefix is in memory alone. Member names are stored and keep their names; instants are epoch milliseconds.
 */
export interface PrefixState {
  /** Rises with every change of the schedule, so that an older claim is recognised. */
  generation: number
  /** What the last conclusive evidence said of the entry at `anchorAt`. `none`: there was none yet. */
  verdict: 'none' | 'warm' | 'cold' | 'uncacheable' | 'unknown'
  /** Start of the last request that wrote or read the entry. */
  anchorAt: number | null
  /** The last renewal by a request of a longer prefix; absent: there was none. */
  inside?: RenewedByLonger
  retention: LearnedRetention | null
  /** Its head, where markers give that a longer lifetime; absent: all of it has one, or no answer has counted the head. */
  longer?: LongerHead
  /** Real requests write at this retention, not at the one that the planner chose. The planner chooses no more. */
  asWritten?: true
  /** The retention that a real request last wrote at, by its usage; absent: unknown. */
  realWrites?: string
  /** Tokens of the prefix as a provider counted them; null before the first such answer. */
  measuredTokens: number | null
  /** Tokens of the whole prompt of the last probe whose answer counted them, read and written ones among them. Absent: none did. */
  countedTokens?: number
  everHit: boolean
  /** Consecutive answers that read less than half, where the provider does not report writes. A stored name. */
  readZeroInRow: number
  /** Gap before the first of them: evidence about the retention once the next answer confirms it. */
  readZeroGapMs: number | null
  /** Consecutive answers whose usage did not mention the cache. */
  silentInRow: number
  /** Keep-alives that found the entry, and that did not: the evidence behind `p_warm`. */
  keepHits: number
  keepColds: number
  /** Evictions of this prefix alone; absent before the first request that was to find it, and in rows written before it was kept. */
  survival?: Losses
  primitiveIndex: number

  lastReceipt: Receipt | null
  /** `againAt`: the provider asked for no call before then. */
  lastFailure: { at: number; failure: FailureValue; againAt: number } | null
  /**
   * When the last call of unknown outcome began, until the next answer: it may have read or written the entry. Absent: none did, or the row is older.
   */
  unsettledAt?: number
  failuresInRow: number
  /** Sequence number of the last settled claim, for callers that wait for it. */
  settledSeq: number

  probes: number
  hits: number
  misses: number
  costNanos: number
  /** Calls of unknown cost, which no sum contains. */
  unpricedCalls: number
  /** The current idle time, which decides whether a keep-alive caused the next hit. */
  gap: OpenGap
  /** What keep-alives saved, less revoked savings. `unpricedSavings` counts those of unknown price. */
  savedNanos: number
  credits: number
  unpricedSavings: number
  loss: Loss
  /** The current idle gap in the holdout; absent before the first real request, and for plans that are not measured. */
  trial?: HoldoutGap
  lastHit: { at: number; cachedTokens: number; ttftMs: number | null } | null
  /** Measured times to the first token; absent: none was. */
  ttft?: FirstTokenTimes
  lastArrivalAt: number | null
  /** Idle gaps between real requests, packed by core/demand/idle-gaps.ts; absent before the first one. */
  gaps?: readonly number[]
  /** Recent request rate; absent before the first request, and in rows written before it was counted. */
  requests?: RequestRate
  tally: ArrivalTally | null
  /** Real requests that do not use the registered prefix, or may not; absent: none. */
  drift?: Drift
  /** How often real requests find the entry, and how often keep-alives do. Absent: none that should have. */
  hitRate?: HitRate
  keptRate?: HitRate
  /** The upstream that a router answers with; absent: no answer said it. */
  upstream?: Upstream
  /** Odds that the model keeps entries for less than it states; absent: nothing was learnt against what it states. */
  shortOdds?: number
  /** Alarms that have not ended; absent: none. */
  alarms?: Alarm[]
  /** What the planner chose where the caller leaves the kind of cache open; absent: nothing. */
  managed?: CacheUse

  /** Keep-alives sent since the last real request (or since the plan was set). */
  probesSinceArrival: number
  /** When the plan was last set or restarted. Idle time and `probes` count from here until the next real request. */
  plannedAt: number
  stopped: Stop | null
  /** The stop that the account's webhook was last alerted of; absent: none. */
  told?: AlertedStop
  /** What a caller said of the session, until the next real request. Absent in older rows: null. */
  signal?: Signal | null
  /** How long sessions that use it live, as callers told. Absent: nobody did. */
  lifetime?: Lifetime
  /** Announced traffic, soonest first. Past announcements go when the next one is added. Absent: none. */
  announcements?: Announcement[]
  nextAt: number | null
  why: string
  /** The last decision in the history; a row is added when it changes. */
  decided: string
  /** Ids of background jobs that the next settlement answers. */
  jobs: string[]

  /** UTC day (YYYY-MM-DD) that `spentNanos` belongs to. */
  day: string
  spentNanos: number
  /** The most that a call was charged beyond the amount reserved for it. The next reservation is not smaller. Absent: none was. */
  exceededNanos?: number
  /** The most tokens that an answer counted beyond those expected of it. The next reservation is not for fewer. Absent: none did. */
  exceededTokens?: number
  /** Another model than was asked for answers real requests, or our own calls; absent: none does. */
  servedModel?: ServedModel
  probeServedModel?: ServedModel
  /** Lifetimes that were sent, honoured and observed; absent: no call showed one. */
  ttl?: TtlSeen
  /** The latest counts of an answer that were not as expected; absent: none. */
  doubt?: CountsDoubt
}

/** Members that are missing in rows written before savings were counted. */
const NOTHING_SAVED = { gap: NO_GAP, savedNanos: 0, credits: 0, unpricedSavings: 0, loss: NO_LOSS }

/** Reads a state that this version or an older one stored. */
export function readState(text: string): PrefixState {
  return { ...NOTHING_SAVED, ...(JSON.parse(text) as PrefixState) }
}

export function newState(now: number, day: string, retention: LearnedRetention | null): PrefixState {
  return {
    generation: 1,
    verdict: 'none',
    anchorAt: null,
    retention,
    measuredTokens: null,
    everHit: false,
    readZeroInRow: 0,
    readZeroGapMs: null,
    silentInRow: 0,
    keepHits: 0,
    keepColds: 0,
    primitiveIndex: 0,
    lastReceipt: null,
    lastFailure: null,
    failuresInRow: 0,
    settledSeq: 0,
    probes: 0,
    hits: 0,
    misses: 0,
    costNanos: 0,
    unpricedCalls: 0,
    ...NOTHING_SAVED,
    lastHit: null,
    lastArrivalAt: null,
    tally: null,
    probesSinceArrival: 0,
    plannedAt: now,
    stopped: null,
    nextAt: null,
    why: '',
    decided: '',
    jobs: [],
    day,
    spentNanos: 0,
  }
}

/** The instant until which evidence says the entry is reusable; null when none does. */
export function warmUntil(state: PrefixState): number | null {
  if (state.anchorAt === null || state.retention === null) return null
  if (state.verdict !== 'warm' && state.verdict !== 'unknown') return null
  return state.anchorAt + state.retention.ttlMs
}

/** Whether an entry is believed reusable at `now`. */
export function isWarm(state: PrefixState, now: number): boolean {
  const until = warmUntil(state)
  return state.verdict === 'warm' && until !== null && now < until
}

/** A new state and the history rows that explain it. Functions that return one do not change their arguments. */
export interface Transition {
  state: PrefixState
  rows: HistoryRow[]
  /** What the change shows of the lifetime of entries; absent: nothing. */
  findings?: Finding[]
}

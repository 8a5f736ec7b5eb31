import type { FailureValue } from '../../contract/failure.ts'
import type { RequestRate } from '../demand/request-rate.ts'
import type { Receipt } from './receipt.ts'
import type {
  Stop,
  LearnedRetention,
  ArrivalTally,
  RenewedByLonger,
  Announcement,
  Signal,
  AlertedStop,
  HoldoutGap,
  Loss,
  OpenGap,
} from './parts.ts'
import { NO_LOSS, NO_GAP } from './parts.ts'
import type { HistoryRow } from './history.ts'

/**
 * Everything that changes about one prefix, as one row: what receipts proved, what the plan does next, what it cost.
 * The row is the truth; nothing about a prefix lives only in memory.
 */
export interface PrefixState {
  /** Rises whenever the schedule moves, so that a claim made before is recognised as old. */
  generation: number
  /** What the last conclusive evidence said of the entry at `anchorAt`. `none`: nothing was ever proved. */
  verdict: 'none' | 'warm' | 'cold' | 'uncacheable' | 'unknown'
  /** Start of the last request that wrote or read the entry. */
  anchorAt: number | null
  /** How the clock was last renewed through a longer prefix; absent: it never was. */
  inside?: RenewedByLonger
  retention: LearnedRetention | null
  /** Real requests were seen to write at this retention and not at the one that the planner chose: it chooses no more. */
  asWritten?: true
  /** The retention that a real request which found nothing was last seen to write at; absent: no usage has said it. */
  realWrites?: string
  /** Tokens of the prefix as a provider counted them; null before the first such answer. */
  measuredTokens: number | null
  everHit: boolean
  /** Answers in a row that read nothing, where the provider does not report writes. */
  readZeroInRow: number
  /** Gap after which the first of them came: evidence about the retention, once the next answer confirms it. */
  readZeroGapMs: number | null
  /** Answers in a row whose usage said nothing at all. */
  silentInRow: number
  /** Keep-alives that found the entry, and that did not: the evidence behind `p_warm`. */
  keepHits: number
  keepColds: number
  primitiveIndex: number

  lastReceipt: Receipt | null
  /** `againAt`: the provider asked us not to come back before. */
  lastFailure: { at: number; failure: FailureValue; againAt: number } | null
  failuresInRow: number
  /** Sequence number of the last claim that was settled, so that callers who waited for it can tell. */
  settledSeq: number

  probes: number
  hits: number
  misses: number
  costNanos: number
  /** Calls whose cost is not known: they are in no sum. */
  unpricedCalls: number
  /** The idle time that is running: what decides whether the next hit was a keep-alive's doing. */
  gap: OpenGap
  /** What keep-alives saved, take-backs taken off; savings whose price is not known are in `unpricedSavings` alone. */
  savedNanos: number
  credits: number
  unpricedSavings: number
  loss: Loss
  /** What the holdout has to do with the idle gap that is running; absent before the first real request, and for other plans than `auto`. */
  trial?: HoldoutGap
  lastHit: { at: number; cachedTokens: number; ttftMs: number | null } | null
  lastArrivalAt: number | null
  /** Idle gaps between real requests, packed by core/demand/idle-gaps.ts; absent before the first one. */
  gaps?: readonly number[]
  /** Requests of late; absent before the first one, and in rows that are older than it, which would count too few. */
  requests?: RequestRate
  tally: ArrivalTally | null

  /** Keep-alives sent since the last real request (or since the plan was set). */
  probesSinceArrival: number
  /** When the plan was last set or restarted: idle time and `probes` count from here when nothing has arrived since. */
  plannedAt: number
  stopped: Stop | null
  /** The stop that the account's webhook was last told of; absent: none. */
  told?: AlertedStop
  /** What a caller said of the session; the next real request answers it. Absent in rows that are older than it: null. */
  signal?: Signal | null
  /** Announced traffic, soonest first; what has passed is dropped with the next one. Absent: none. */
  announcements?: Announcement[]
  nextAt: number | null
  why: string
  /** The last decision that the history has a row for; a row is added when it changes. */
  decided: string
  /** Background jobs that the next settlement answers. */
  jobs: string[]

  /** UTC day (YYYY-MM-DD) that `spentNanos` belongs to. */
  day: string
  spentNanos: number
}

/** Members that rows written before there was a ledger of savings lack. */
const NOTHING_SAVED = { gap: NO_GAP, savedNanos: 0, credits: 0, unpricedSavings: 0, loss: NO_LOSS }

/** A state as it was stored, by this version or an older one. */
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

/** The instant up to which evidence says the entry is reusable; null when nothing says so. */
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

/** What happened to a prefix, and the rows that tell it. Every function here returns new state and changes nothing. */
export interface Transition {
  state: PrefixState
  rows: HistoryRow[]
}

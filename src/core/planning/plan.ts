import type { KeepWarmValue } from '../../contract/keep-warm.ts'
import type { HoldBack } from './rate-limit.ts'
import type { Survival } from '../cache/survival-curve.ts'
import type { LatencyEstimate } from '../time/latency.ts'
import type { ModelFacts } from '../model/facts.ts'
import type { Purpose } from '../prefix/receipt.ts'
import type { Stop } from '../prefix/parts.ts'
import type { StopReason } from '../prefix/stop-reasons.ts'

/** What the caller asked for, normalised. */
export type KeepWarm = KeepWarmValue

/** Why no request can reach the entry any more. */
export interface Gone {
  reason: Extract<StopReason, 'credential_replaced' | 'address_changed'>
  why: string
}

/** What a decision needs beside the state of the prefix. */
export interface PlanContext {
  keepWarm: KeepWarm
  facts: ModelFacts
  /** How long entries of this size were readable, by name of the retention; absent: no answer shows it. */
  curves?: Readonly<Record<string, Survival>>
  /** Estimated size of the prefix, used until an answer counts it. */
  estimatedTokens: number
  /** Output tokens that a probe cannot avoid. */
  outputFloor: number
  /** The newer version of the same name; absent: this one is the current version, or has no name. */
  newer?: Newer
  /** The planner chooses the retention of writes; absent: a caller does. */
  open?: true
  /** Lifetimes of the markers of its body, the longest first, where they have several. Absent: one for all. */
  layout?: string[]
  /** No caller said at which retention real requests write, by name or by a marker in the body; absent: one did. */
  unmarked?: true
  /** Why the entry cannot be reached any more: another credential or another address; absent while it can. */
  gone?: Gone
  killed: boolean
  /** Granularity of queue delays on this clock, in milliseconds. */
  grainMs: number
  /** The learned latency of calls to this provider; absent: the cautious assumption. */
  latency?: LatencyEstimate
  /** Why calls to this provider with this credential should pause; absent: they need not. */
  holdBack?: HoldBack
  /** What the account may still spend today, less reservations; null: no account budget. */
  accountLeftNanos: number | null
  /** The rest of the account's budget goes to prefixes with a higher expected net saving per dollar; absent: it is enough for all. */
  outbid?: true
  /** In [0, 1): spreads retries. */
  random: number
}

/**
 * What a plan waits for: the time before the lapse, a window, announced traffic, a second probe, the end of a backoff,
 * tomorrow's budget, the provider's rate limit, or the circuit breaker.
 */
export type WaitCode = 'hold' | 'window' | 'announced' | 'verify' | 'backoff' | 'budget' | HoldBack['code']

/** `rest`: why the plan itself would stop, where it prepares for announced traffic or waits for a window instead. */
export type Decision =
  | { do: 'send'; purpose: Purpose; why: string; worstNanos: number | null; deadlineAt: number | null; rest?: Rest }
  | { do: 'wait'; code: WaitCode; untilAt: number; why: string; rest?: Rest }
  | { do: 'lapse'; why: string }
  | { do: 'stop'; reason: StopReason; why: string }

type Rest = Pick<Stop, 'reason' | 'why'>

/** A newer version took the name at `takenAt` and is warm since `warmAt` (epoch ms); null: it is not warm yet. */
export interface Newer {
  takenAt: number
  warmAt: number | null
  /** Too many versions took the name since, so that this one waits for none of them any more, from `warmAt` on. */
  passed?: true
}

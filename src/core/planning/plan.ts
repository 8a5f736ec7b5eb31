import type { KeepWarmValue } from '../../contract/keep-warm.ts'
import type { HoldBack } from './rate-limit.ts'
import type { LatencyEstimate } from '../time/latency.ts'
import type { ModelFacts } from '../model/facts.ts'
import type { Purpose } from '../prefix/receipt.ts'
import type { Stop } from '../prefix/parts.ts'
import type { StopReason } from '../prefix/stop-reasons.ts'

/** What the caller asked for, normalised. */
export type KeepWarm = KeepWarmValue

/** A prefix whose entry nobody here can reach. */
export interface Gone {
  reason: Extract<StopReason, 'credential_replaced' | 'address_changed'>
  why: string
}

/** What a decision needs beside the state of the prefix: all of it data, none of it remembered. */
export interface PlanContext {
  keepWarm: KeepWarm
  facts: ModelFacts
  /** The prefix's size before an answer counted it. */
  estimatedTokens: number
  /** Output tokens that a probe cannot avoid. */
  outputFloor: number
  /** A newer body took the name; absent: this version is the current one, or has no name. */
  newer?: Newer
  /** Nobody but the planner says at which retention it is written; absent: a caller does. */
  open?: true
  /** Nobody said at which retention a real request writes it: neither a name nor a marker in its body; absent: a caller did. */
  unmarked?: true
  /** Why what was written cannot be reached any more: another credential, or another address; absent while it can. */
  gone?: Gone
  killed: boolean
  /** Coarseness of queue delays in this clock. */
  grainMs: number
  /** What was learned of the road to this provider; absent: the cautious assumption. */
  pace?: LatencyEstimate
  /** Why calls to this provider, with this credential, should pause; absent while they need not. */
  holdBack?: HoldBack
  /** What the account may still spend today, reservations taken off; null: no account budget. */
  accountLeftNanos: number | null
  /** What the account has left today goes to prefixes of a higher expected net per dollar; absent: it has enough. */
  outbid?: true
  /** In [0, 1): spreads retries. */
  random: number
}

/**
 * What is waited for: the moment before the lapse, a window, announced traffic, a second look, a provider's recovery,
 * tomorrow's budget, room in the provider's limits, an end of failures.
 */
export type WaitCode = 'hold' | 'window' | 'announced' | 'verify' | 'backoff' | 'budget' | HoldBack['code']

/** `rest`: announced traffic is seen to although the plan itself rests, and why it does. */
export type Decision =
  | { do: 'send'; purpose: Purpose; why: string; worstNanos: number | null; deadlineAt: number | null; rest?: Rest }
  | { do: 'wait'; code: WaitCode; untilAt: number; why: string; rest?: Rest }
  | { do: 'lapse'; why: string }
  | { do: 'stop'; reason: StopReason; why: string }

type Rest = Pick<Stop, 'reason' | 'why'>

/** A newer body took the name: when, and since when it was warm (epoch ms); null: it is not yet. */
export interface Newer {
  takenAt: number
  warmAt: number | null
  /** So many versions took the name since that this one waits for none of them any more; `warmAt` says since when. */
  passed?: true
}

import type { Primitive } from '../core/model/facts.ts'
import type { RateLimit } from '../core/planning/rate-limit.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { ManagedCacheOp, ReportedManagedCache, ManagedCacheFailure } from '../core/managed-cache/state.ts'
import type { PriceFrom } from '../core/model/price.ts'
import type { Usage } from '../core/model/usage.ts'
import type { Purpose } from '../core/prefix/receipt.ts'
import type { SealedCredentials } from '../runtime/seal.ts'

/** Permission to send one probe, once, within a time window. `begin` creates it; its settlement or its expiry ends it. */
export interface Lease {
  /** Unique: made of claim, prefix and attempt. */
  id: string
  seq: number
  k: number
  purpose: Purpose
  primitive: Primitive
  /** Earliest instant at which the call may start. */
  notBeforeAt: number
  /** Latest instant at which the call may start. A lease that is not used by then settles as `not_sent`. */
  sendBy: number
  timeoutMs: number
  /** From this instant on the call counts as lost: its outcome is unknown, and its worst case is charged. */
  expiresAt: number
  reservedNanos: number
  attempt: number
  provider: string
  model: string
  /** The model whose facts hold; absent: `model`. */
  baseModel?: string
  credential: string
  credentialGeneration: number
  /** Region or location in the provider's address that a caller or the credential named. Absent: the deployment's. */
  region?: string
  /** Region whose `Egress` sends the call. Absent: the object or Worker that holds the lease sends it. */
  via?: DurableObjectLocationHint
  retention: string
  maxOutputTokens: number | null
  /** The prices that hold while it may be sent. Absent in leases written before this member existed: the price of the day. */
  prices?: PriceFrom[]
  /**
   * Whether somebody was given the body that the call needs. False: nobody was, so the call certainly never left. Absent: not noted,
   * because a caller's own request sends it, or in leases written before this member existed. It may have left.
   */
  bodyGiven?: boolean
}

/** Result of a probe lease, as it is settled. `accepted`: false if the provider did not process the request, null if unknown. */
export type Outcome =
  | {
      lease: string
      k: number
      kind: 'answered'
      startedAt: number
      latencyMs: number
      primitive: Primitive
      usage: Usage
      /** The kept part of the provider's own usage object, as JSON text. */
      rawUsage?: string
      model: string | null
      limits?: RateLimit[]
    }
  | {
      lease: string
      k: number
      kind: 'failed'
      startedAt: number
      latencyMs: number
      primitive: Primitive
      failure: FailureValue
      accepted: false | null
      permanent: boolean
      primitiveRefused: boolean
      retryAfterMs: number | null
      /** What the provider counted although it answered with an error; absent: nothing. */
      usage?: Usage
      /** Rate limits read from the answer's headers; absent when it had none. */
      limits?: RateLimit[]
    }
  | { lease: string; k: number; kind: 'not_sent'; why: string }

/** Returns the earliest expiry of some leases. */
export function expiryOf(leases: readonly Lease[]): number {
  return Math.min(...leases.map((lease) => lease.expiresAt))
}

/**
 * Row that a queue message or a lease is about: a managed cache (`handle`), or a provider's name that is to be deleted (`drop`).
 * Queue messages carry these words, so they keep them.
 */
export interface ManagedCacheTarget {
  of: 'handle' | 'drop'
  k: number
}

/** Permission to make one managed-cache call, once, within a time window. */
export interface ManagedCacheLease {
  /** Unique. */
  id: string
  target: ManagedCacheTarget
  op: ManagedCacheOp
  provider: string
  model: string
  fingerprint: string
  /** Credential that the call uses. Absent in leases written before this member existed: the deployment's secret. */
  credential?: string
  credentialGeneration?: number
  /** Region or location in the provider's address. Absent: the deployment's. */
  region?: string
  /** The credentials that the contents of a creation hold placeholders for, sealed. Absent: none. */
  contentCredentials?: SealedCredentials
  /** Handle, the provider's name of the managed cache; null for a creation. */
  name: string | null
  /** Time to live that a creation or a renewal asks for. */
  ttlMs: number
  sendBy: number
  timeoutMs: number
  /** From this instant on the call counts as lost. */
  expiresAt: number
  reservedNanos: number
  /** Price of a million tokens when the cost was reserved; null: not known. Absent in older leases: the price of the day. */
  inputNanosPerMTok?: number | null
  why: string
  /** The creation looks first for a cache of ours in the provider's list, and adopts it. Absent: it does not. */
  adopts?: { measuredTokens: number | null; estimatedTokens: number }
}

export type ManagedCacheOutcome = { lease: string; target: ManagedCacheTarget; startedAt: number } & (
  | {
      kind: 'answered'
      seen: ReportedManagedCache | null
      /** The provider listed it as ours, so nothing was created. `surplus`: others of the same content. Absent: it was created. */
      adopted?: { surplus: ReportedManagedCache[] }
    }
  | { kind: 'gone' }
  | ({ kind: 'failed' } & ManagedCacheFailure)
  | { kind: 'not_sent'; why: string }
)

import type { Primitive } from '../core/model/facts.ts'
import type { RateLimit } from '../core/planning/rate-limit.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { ManagedCacheOp, ReportedManagedCache, ManagedCacheFailure } from '../core/managed-cache/state.ts'
import type { Usage } from '../core/model/usage.ts'
import type { Purpose } from '../core/prefix/receipt.ts'

/**
 * The right to send one request, once, in time. Exists only from `begin`; spent by its settlement or its expiry.
 */
export interface Lease {
  /** Never given twice: claim, prefix and attempt. */
  id: string
  seq: number
  k: number
  purpose: Purpose
  primitive: Primitive
  /** The call may start from here … */
  notBeforeAt: number
  /** … to here. A lease that did not get its turn by then is given back unused. */
  sendBy: number
  timeoutMs: number
  /** From here the call is taken as lost: outcome unknown, worst case charged. */
  expiresAt: number
  reservedNanos: number
  attempt: number
  provider: string
  model: string
  credential: string
  credentialGeneration: number
  /** The region whose `Egress` the call leaves through; absent: it leaves from where it is made. */
  via?: DurableObjectLocationHint
  retention: string
  maxOutputTokens: number | null
}

/** What became of a lease. */
export type Outcome =
  | {
      lease: string
      k: number
      kind: 'answered'
      startedAt: number
      latencyMs: number
      primitive: Primitive
      usage: Usage
      /** The provider's own usage object, as much of it as is kept: JSON text. */
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
      /** Rate limits in the answer's headers, as far as it had any. */
      limits?: RateLimit[]
    }
  | { lease: string; k: number; kind: 'not_sent'; why: string }

/** When the first of some leases is taken as lost. */
export function expiryOf(leases: readonly Lease[]): number {
  return Math.min(...leases.map((lease) => lease.expiresAt))
}

/** Which row a message or a lease speaks of: a managed cache, or a handle that is to be deleted. */
export interface ManagedCacheTarget {
  of: 'handle' | 'drop'
  k: number
}

/** The right to make one call about a handle, once, in time. */
export interface ManagedCacheLease {
  /** Never given twice. */
  id: string
  target: ManagedCacheTarget
  op: ManagedCacheOp
  provider: string
  model: string
  fingerprint: string
  /** Whose key the call is made with; absent in leases that are older than it: the deployment's. */
  credential?: string
  credentialGeneration?: number
  /** The handle that it is about; null for a creation. */
  name: string | null
  /** What a creation or a renewal buys. */
  ttlMs: number
  sendBy: number
  timeoutMs: number
  /** From here the call is taken as lost. */
  expiresAt: number
  reservedNanos: number
  why: string
}

export type ManagedCacheOutcome = { lease: string; target: ManagedCacheTarget; startedAt: number } & (
  | { kind: 'answered'; seen: ReportedManagedCache | null }
  | { kind: 'gone' }
  | ({ kind: 'failed' } & ManagedCacheFailure)
  | { kind: 'not_sent'; why: string }
)

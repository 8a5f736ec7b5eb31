import type { FailureValue } from '../contract/failures.ts'
import type { Newer } from '../core/draining.ts'
import type { Asked } from '../core/honoured.ts'
import type { Limit } from '../core/limit.ts'
import type { KeepWarm } from '../core/plan.ts'
import type { PrefixState, Purpose, Receipt } from '../core/state.ts'
import type { Advice, Breakpoint, Primitive, Usage } from '../core/types.ts'

/** The name that stands for the Worker secret of a provider's card; every other is a credential of the account itself. */
export const DEFAULT_CREDENTIAL = 'default'

/** What is registered about a prefix and changes only when somebody asks: everything but its state and its body. */
export interface PrefixRecord {
  id: string
  fingerprint: string
  createdAt: number
  provider: string
  model: string
  /** The label it was last registered under, and which version of that label it is. */
  name: string | null
  version: number
  superseded: boolean
  /** Which prefix took its name, when, and since when that one is warm. Absent in rows that are older than it: they stopped at once. */
  newer?: Newer & { k: number }
  /** Older versions that go on until this one is warm, the newest first; absent: none. */
  olders?: number[]
  credential: string
  /** Which secret of that name; absent: the first. */
  credentialGeneration?: number
  cacheKey: string | null
  /** Breakpoints beside the one that ends it, as they were asked for; absent: none. */
  breakpoints?: string
  /** True where a caller required the cache, and none has taken it back since: each of its calls is judged by that. */
  required?: boolean
  /** Where its provider was reached when it was registered, hashed; null: at the address of its card. Absent in older rows. */
  place?: string | null
  /** Headers of the caller's requests that probes carry; absent: none. */
  headers?: Record<string, string>
  /** What it was first written at; the one in force stands in its state. */
  retention: string
  /** Nobody asked for that retention, and no marker of the body's own says one: the planner chose it, and may choose anew. */
  retentionOpen?: true
  breakpoint: Breakpoint
  estimatedTokens: number
  bodyBytes: number
  advice: Advice[]
  keepWarm: KeepWarm
  /** Fingerprints of the prefixes that its probes mark inside of it, and so renew; absent: none. */
  heads?: string[]
  /** Overrides the output floor of the primitive, where the caller gave one. */
  maxOutputTokens: number | null
  /** Output tokens that each of the primitives cannot avoid with this body: what a probe costs beside its read. */
  outputFloors: number[]
  /** Primitives that this very body allows, best first. */
  primitives: Primitive[]
}

/** The name of the retention that probes write at: the one that was registered, unless the planner chose anew since. */
export function retentionInForce(
  { retention }: Pick<PrefixRecord, 'retention'>,
  state: Pick<PrefixState, 'retention'> | null,
): string {
  return state?.retention?.name ?? retention
}

/** What a probe of a prefix is built from; the body is compressed. */
export interface StoredPrefix {
  bytes: Uint8Array
  breakpoint: Breakpoint
  cacheKey: string | null
  headers: Record<string, string>
  place?: string | null
}

/**
 * A prefix inside a claim: it counts only while the state still has this generation. A generation of 0 means that
 * somebody asked for this very warm: it counts whatever the plan says.
 */
export type ClaimEntry = [k: number, generation: number]

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
      limits?: Limit[]
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
      limits?: Limit[]
    }
  | { lease: string; k: number; kind: 'not_sent'; why: string }

/** When the first of some leases is taken as lost. */
export function expiryOf(leases: readonly Lease[]): number {
  return Math.min(...leases.map((lease) => lease.expiresAt))
}

/** What a caller who waited is told. */
export interface Settled {
  receipt: Receipt | null
  failure: FailureValue | null
}

/** The end of one prefix's call, for whoever waits for it. */
export interface Ended {
  k: number
  seq: number
  settled: Settled
}

/** A claim to be put on the queue, to arrive after `delayMs`. */
export interface Message {
  seq: number
  delayMs: number
}

/** Why somebody's warm is not sent; `untilAt`: when there is room again. */
export interface Refused {
  kind: 'budget_exhausted' | 'forbidden' | 'provider_limited'
  why: string
  untilAt?: number
}

export interface Job {
  id: string
  prefixId: string
  status: 'queued' | 'running' | 'succeeded' | 'failed'
  createdAt: number
  finishedAt: number | null
  receipt: Receipt | null
  failure: FailureValue | null
  /** Where the cache is required: what the receipt is judged by, and the receipt that left a doubt. */
  required?: Asked & { doubt: Receipt | null }
}

/** An account's settings: the administrator's, kept where they are used. */
export interface AccountSettings {
  account: string
  createdAt: number
  /** Nano-dollars a UTC day for all prefixes together; null: no limit but the prefixes' own. */
  budgetNanosPerDay: number | null
  killSwitch: boolean
  globalKillSwitch: boolean
  /** Names of Worker secrets this account may use. Accounts that share one share the provider's cache. */
  allowedSecrets: string[]
}

/** A provider's key of one account, by what may be known of it. */
export interface NamedCredential {
  account: string
  name: string
  provider: string
  /** The only host that it is sent to, with its port where it is not the usual one. */
  host: string
  generation: number
  createdAt: number
}

/** With the key itself, sealed. Only who calls the provider opens it, and sends it to `host` alone. */
export interface StoredCredential extends NamedCredential {
  sealed: string
}

/** What leases may be used with: names of the deployment's secrets, and the account's own credentials, sealed. */
export interface Grants {
  allowedSecrets: string[]
  credentials: StoredCredential[]
}

/** Totals of one UTC day: of what was booked on it. */
export interface DayTotals {
  calls: number
  costNanos: number
  /** Calls whose cost is not known: they are in no sum. */
  unpricedCalls: number
  /** Savings credited, and credited ones taken back: what was saved is the one less the other. */
  creditedNanos: number
  credits: number
  revokedNanos: number
  revocations: number
  /** Savings whose price is not known, take-backs taken off. */
  unpricedSavings: number
  unknownOutcomes: number
  /** Bots' calls to models: apart, because they are conversations and keep nothing warm. */
  botCalls: number
  botCostNanos: number
  botUnpricedCalls: number
  receipts: Record<string, number>
  failures: Record<string, number>
  hits: number
  misses: number
  cachedTokens: number
}

export const EMPTY_DAY: DayTotals = {
  calls: 0,
  costNanos: 0,
  unpricedCalls: 0,
  creditedNanos: 0,
  credits: 0,
  revokedNanos: 0,
  revocations: 0,
  unpricedSavings: 0,
  unknownOutcomes: 0,
  botCalls: 0,
  botCostNanos: 0,
  botUnpricedCalls: 0,
  receipts: {},
  failures: {},
  hits: 0,
  misses: 0,
  cachedTokens: 0,
}

import type { Newer, KeepWarm } from '../core/planning/plan.ts'
import type { Breakpoint, Advice } from '../core/model/advice.ts'
import type { Primitive } from '../core/model/facts.ts'
import type { PrefixState } from '../core/prefix/state.ts'
import type { TokenBound } from '../core/prompt/token-bound.ts'
import type { SealedCredentials } from '../runtime/seal.ts'

/** What is registered of a prefix. Only calls of the API change it. Its state and its body are stored beside it. */
export interface PrefixRecord {
  id: string
  fingerprint: string
  createdAt: number
  provider: string
  model: string
  /** The model that `model` is, where its name does not say so; absent: `model` itself. */
  baseModel?: string
  /** The label of its last registration, and its version under that label, from 1. */
  name: string | null
  version: number
  superseded: boolean
  /** The prefix that took its name: which, when, and when it became warm. Rows written before this member existed: their plans stopped when the name moved. */
  newer?: Newer & { k: number }
  /** Older versions that are kept warm until this one is warm, the newest first; absent: none. */
  olders?: number[]
  credential: string
  /** Which secret of that name; absent: the first. */
  credentialGeneration?: number
  cacheKey: string | null
  /** What the body says of the server that answers: see `Compared`. Absent: no member says it there, or an older row. */
  routing?: string
  /** Breakpoints that the caller asked for, as sorted JSON, where there are several; absent: one. */
  breakpoints?: string
  /** True while the last caller who named a mode required the cache: each call is judged by that. */
  required?: boolean
  /** Hash of the provider's address at registration; null: the address of its card. Absent in older rows. */
  place?: string | null
  /** Region or location that a caller named; absent: the deployment's. */
  region?: string
  /** Headers of the caller's requests that probes carry; absent: none. */
  headers?: Record<string, string>
  /** The retention at registration. The one in force is in the state. */
  retention: string
  /** Lifetimes of its markers, the longest first, where they have several: `retention` is that of the end. Absent: one for all. */
  layout?: string[]
  /** The planner chose the retention and may choose again: neither the caller nor a marker of the body names one. */
  retentionOpen?: true
  /** Nothing says at which retention real requests write it: neither a wish nor a marker. Absent: a caller said it. */
  unmarked?: true
  /** The caller leaves the kind of cache to the planner, at a provider with managed caches; absent or false: not. */
  cacheOpen?: boolean
  breakpoint: Breakpoint
  estimatedTokens: number
  /** The most tokens that a probe with this body can be billed for; absent in rows of older versions. */
  bound?: TokenBound
  bodyBytes: number
  advice: Advice[]
  keepWarm: KeepWarm
  /** Fingerprints of the shorter prefixes whose markers its probes carry, and so renew; absent: none. */
  heads?: string[]
  /** Hashes by which requests find it. Absent: none yet; the Registry makes them of its body (rows of older versions). */
  lookups?: string[]
  /** Overrides the output floor of the primitive, where the caller gave one. */
  maxOutputTokens: number | null
  /** Fewest output tokens of a probe with this body, for each of `primitives`: a probe costs them beside its read. */
  outputFloors: number[]
  /** Primitives that this body allows, best first. */
  primitives: Primitive[]
}

/** Whether nothing says at which retention real requests write it. Rows without `unmarked` have `retentionOpen` instead. */
export function isUnmarked({ retentionOpen, unmarked }: Pick<PrefixRecord, 'retentionOpen' | 'unmarked'>): boolean {
  return retentionOpen === true || unmarked === true
}

/** The name of the retention that probes write at: the registered one, unless the planner has chosen another since. */
export function retentionInForce(
  { retention }: Pick<PrefixRecord, 'retention'>,
  state: Pick<PrefixState, 'retention'> | null,
): string {
  return state?.retention?.name ?? retention
}

/** The model whose facts hold for a prefix. */
export function factsModelOf({ model, baseModel }: Pick<PrefixRecord, 'model' | 'baseModel'>): string {
  return baseModel ?? model
}

/** The size of a prefix, as decisions take it. */
export function sizeOf({ estimatedTokens, bound }: Pick<PrefixRecord, 'estimatedTokens' | 'bound'>): {
  estimatedTokens: number
  bound?: TokenBound
} {
  return bound === undefined ? { estimatedTokens } : { estimatedTokens, bound }
}

/** What a probe is built from. `bytes`: the compressed body. */
export interface StoredPrefix {
  bytes: Uint8Array
  breakpoint: Breakpoint
  cacheKey: string | null
  headers: Record<string, string>
  place?: string | null
  region?: string
  /** The credentials that the body holds placeholders for; absent: none. */
  credentials?: SealedCredentials
}

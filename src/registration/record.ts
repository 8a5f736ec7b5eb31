import type { Newer, KeepWarm } from '../core/planning/plan.ts'
import type { Breakpoint, Advice } from '../core/model/advice.ts'
import type { Primitive } from '../core/model/facts.ts'
import type { PrefixState } from '../core/prefix/state.ts'

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
  /** Neither a name nor a marker said at which retention real requests write it, whoever chose the one above; absent: a caller said it. */
  unmarked?: true
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

/** Whether nobody said at which retention real requests write it. In rows that are older than the mark, it is open then. */
export function isUnmarked({ retentionOpen, unmarked }: Pick<PrefixRecord, 'retentionOpen' | 'unmarked'>): boolean {
  return retentionOpen === true || unmarked === true
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

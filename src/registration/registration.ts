import { DEFAULT_HOLDOUT } from '../contract/keep-warm.ts'
import type { KeepWarm } from '../core/planning/plan.ts'
import type { PrefixRecord } from './record.ts'

/** What the Worker sends to register: everything decided at the door, and the body, compressed. */
export type Registration = Omit<
  PrefixRecord,
  'id' | 'createdAt' | 'version' | 'superseded' | 'newer' | 'olders' | 'keepWarm' | 'required'
> & {
  /** Whether the cache is required; null or absent: nothing was said of it, and what stands stays. */
  required?: boolean | null
  /** Null: the default plan for a new prefix, the standing one for a known prefix. */
  keepWarm: KeepWarm | null
  body: Uint8Array
}

/** The plan of a prefix that was registered without one. */
export const DEFAULT_KEEP_WARM: KeepWarm = {
  plan: 'auto',
  untilAt: null,
  idleTimeoutMs: null,
  windows: [],
  budgetNanosPerDay: 1_000_000_000,
  latencyValueNanos: 0,
  holdoutShare: DEFAULT_HOLDOUT,
}

/** A plan as text, for comparison: a member that is newer than the stored row stands at its default. */
export function wholeText(keepWarm: KeepWarm): string {
  return JSON.stringify({ ...DEFAULT_KEEP_WARM, ...keepWarm })
}

import { DEFAULT_HOLDOUT, DEFAULT_TTFT_SHARE } from '../contract/keep-warm.ts'
import type { Lifetime } from '../contract/lifetime.ts'
import type { KeepWarm } from '../core/planning/plan.ts'
import type { PrefixRecord } from './record.ts'

/** A prepared prefix as the Worker sends it to the Registry, with its compressed body. */
export type Registration = Omit<
  PrefixRecord,
  'id' | 'createdAt' | 'version' | 'superseded' | 'newer' | 'olders' | 'keepWarm' | 'required'
> & {
  /** Whether the cache is required; null or absent: a known prefix keeps its own answer. */
  required?: boolean | null
  /** How long its session lives, where the caller says it; absent: a known prefix keeps what was told. */
  lifetime?: Lifetime
  /** The pool that it is warmed through, and its model there; absent: none. */
  pool?: { gateway: string; model: string }
  /** Null: a new prefix gets the default plan, and a known one keeps its own. */
  keepWarm: KeepWarm | null
  body: Uint8Array
  /** Credentials that the body holds placeholders for, in its order. The Registry seals them before it stores them. */
  credentials?: readonly string[]
}

/** The plan of a prefix that was registered without one. */
export const DEFAULT_KEEP_WARM: KeepWarm = {
  plan: 'auto',
  untilAt: null,
  idleTimeoutMs: null,
  windows: [],
  budgetNanosPerDay: 1_000_000_000,
  maxNanosPerCall: null,
  latencyValueNanos: 0,
  ttftTargetMs: null,
  ttftShare: DEFAULT_TTFT_SHARE,
  holdoutShare: DEFAULT_HOLDOUT,
}

/** A plan as text, for comparison. Members that an older row lacks get their defaults. */
export function wholeText(keepWarm: KeepWarm): string {
  return JSON.stringify({ ...DEFAULT_KEEP_WARM, ...keepWarm })
}

import type { Belief } from '../../../core/cache/belief.ts'
import type { Arrival } from '../../../core/events/arrived.ts'
import type { EditTrial } from '../../../core/ledger/edit-trial.ts'
import { needsSomebody } from '../../../core/prefix/alert.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** A prefix as it is read: its record, its state, and the belief at `now`. */
export interface PrefixView {
  record: PrefixRecord
  state: PrefixState
  belief: Belief
  now: number
  inFlight: boolean
  /** The managed cache that the planner keeps it in; absent: none. */
  kept?: KeptInCache
  /** Calls to its model with edits of the gateway and without; absent: none asked for an edit. */
  edits?: EditTrial
}

/** A managed cache that the planner keeps a prefix in, at an instant. */
export interface KeptInCache {
  id: string
  /** Its handle while it lives; null: there is none now. */
  handle: string | null
  expiresAt: number | null
  tokens: number | null
  /** Creation and storage up to now; null: a price or a count is unknown. */
  costNanos: number | null
  why: string
}

/** The filter of a list. An absent member matches every prefix. */
export interface PrefixFilter {
  state?: string
  provider?: string
  name?: string
  stopped?: boolean
  needsSomebody?: boolean
  drifted?: boolean
  alarmed?: boolean
}

/** Whether a prefix matches a filter. `named`: the prefix holds the name of the filter, even if its record shows another. */
export function matches({ record, state, belief }: PrefixView, filter: PrefixFilter, named: boolean): boolean {
  if (filter.state !== undefined && belief.state !== filter.state) return false
  if (filter.provider !== undefined && record.provider !== filter.provider) return false
  if (filter.name !== undefined && !named && record.name !== filter.name) return false
  if (filter.needsSomebody !== undefined && needsSomebody(state) !== filter.needsSomebody) return false
  if (filter.drifted !== undefined && (state.drift?.shown !== undefined) !== filter.drifted) return false
  if (filter.alarmed !== undefined && (state.alarms !== undefined) !== filter.alarmed) return false
  return filter.stopped === undefined || (state.stopped !== null) === filter.stopped
}

/** What a report about a prefix is read by. `routing`: what the body says of the server that answers. */
export interface RegisteredPrefix {
  provider: string
  routing?: string
}

export function registeredPrefix({ provider, routing }: PrefixRecord): RegisteredPrefix {
  return { provider, ...(routing === undefined ? {} : { routing }) }
}

/** Prefixes by hash. Objects of the version before do not say what they know of them. */
export interface FoundByLookup {
  ids: Record<string, string>
  isWhole: boolean
  registered?: Record<string, RegisteredPrefix>
}

/** Real requests of one prefix. `provider`: the one by which their usage was read. */
export interface Observed {
  id: string
  arrivals: Arrival[]
  provider?: string | undefined
}

/** Numbers of an account. `alarms`: those that were raised, by kind; members of it are absent in answers of an older version. */
export interface Counts {
  prefixes: number
  drifted: number
  alarmed?: number
  alarms?: Record<string, number>
  storedBytes: number
  /** Models for which the gateway edits no body. */
  editsAside: number
}

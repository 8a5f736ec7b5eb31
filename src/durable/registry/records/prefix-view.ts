import type { Belief } from '../../../core/cache/belief.ts'
import { needsSomebody } from '../../../core/prefix/alert.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** A prefix as it is read: record, state, and what to believe at `now`. */
export interface PrefixView {
  record: PrefixRecord
  state: PrefixState
  belief: Belief
  now: number
  inFlight: boolean
}

/** What a list is narrowed to; an absent member narrows nothing. */
export interface PrefixFilter {
  state?: string
  provider?: string
  name?: string
  stopped?: boolean
  needsSomebody?: boolean
}

/** Whether a list shows it. `named`: it holds the name that was asked for, whichever it shows. */
export function matches({ record, state, belief: held }: PrefixView, filter: PrefixFilter, named: boolean): boolean {
  if (filter.state !== undefined && held.state !== filter.state) return false
  if (filter.provider !== undefined && record.provider !== filter.provider) return false
  if (filter.name !== undefined && !named && record.name !== filter.name) return false
  if (filter.needsSomebody !== undefined && needsSomebody(state) !== filter.needsSomebody) return false
  return filter.stopped === undefined || (state.stopped !== null) === filter.stopped
}

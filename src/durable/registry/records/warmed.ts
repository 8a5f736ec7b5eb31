import type { Grants } from '../../../calls/credential.ts'
import type { Lease } from '../../../calls/lease.ts'
import type { Job, Refused } from './claim.ts'
import type { PrefixView } from './prefix-view.ts'

/**
 * How a warm continues: the caller makes the call, waits for claim `seq`, gets a job, or is refused. `waits`: the caller asked for
 * an answer and not for a job, and waits for its end as long as it would for a call of its own.
 */
export type Flight =
  | ({ role: 'leader'; lease: Lease } & Grants)
  | { role: 'follower'; k: number; seq: number }
  | { role: 'queued'; job: Job; waits?: true }
  | ({ role: 'refused' } & Refused)

export interface Warmed {
  view: PrefixView
  created: boolean
  flight: Flight
}

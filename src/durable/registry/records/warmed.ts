import type { Grants } from '../../../calls/credential.ts'
import type { Lease } from '../../../calls/lease.ts'
import type { Job, Refused } from './claim.ts'
import type { PrefixView } from './prefix-view.ts'

/** How a warm continues: the caller makes the call, waits for claim `seq`, gets a job, or is refused. */
export type Flight =
  | ({ role: 'leader'; lease: Lease } & Grants)
  | { role: 'follower'; k: number; seq: number }
  | { role: 'queued'; job: Job }
  | ({ role: 'refused' } & Refused)

export interface Warmed {
  view: PrefixView
  created: boolean
  flight: Flight
}

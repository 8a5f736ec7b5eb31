import type * as z from 'zod'
import type { leaseAnswer } from '../contract/prefix.ts'
import { ask } from './connection.ts'
import type { CallOptions, Connection } from './connection.ts'

/** Barrier before a fan-out of real requests with one prefix. */

export interface LeaseOptions extends CallOptions {
  /** Longest wait for the leader's write, as a duration. Default: `10s`; at most `60s`. */
  wait?: string
  /** Time after which a silent leader is replaced, as a duration. Default: `20s`. */
  leadFor?: string
}

type Answer = z.output<typeof leaseAnswer>

export interface Lease {
  /** `leader`: send your request now and report its result. `ready`: send it; it reads the cache. `wait`: no leader finished in time. */
  role: Answer['role']
  until: Answer['until']
  why: Answer['why']
  /** Reports that the leader's answer has begun, so that the others may send. Does nothing for the other roles. */
  readable(): Promise<void>
  /** Reports that the leader's request failed, so that another caller leads. Does nothing for the other roles. */
  failed(): Promise<void>
}

/** Enters the barrier of a prefix. Each process calls it before its request; one of them becomes the leader. */
export async function lease(connection: Connection, prefixId: string, options: LeaseOptions = {}): Promise<Lease> {
  const { wait, leadFor, ...call } = options
  const path = `/prefixes/${encodeURIComponent(prefixId)}/lease`
  const body = { ...(wait === undefined ? {} : { wait }), ...(leadFor === undefined ? {} : { lead_for: leadFor }) }
  const given = await ask<Answer>(connection, 'POST', path, { ...call, body })
  const report = async (outcome: 'readable' | 'failed'): Promise<void> => {
    if (given.role !== 'leader') return
    await ask(connection, 'POST', path, { body: { lease: given.lease, outcome } })
  }
  const { role, until, why } = given
  return { role, until, why, readable: () => report('readable'), failed: () => report('failed') }
}

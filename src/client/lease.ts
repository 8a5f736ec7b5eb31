import type * as z from 'zod'
import type { leaseAnswer } from '../contract/prefix.ts'
import { ask } from './connection.ts'
import type { CallOptions, Connection } from './connection.ts'

/** A barrier before a fan-out of real requests with one prefix. */

export interface LeaseOptions extends CallOptions {
  /** How long to wait for somebody else's write: `10s` when absent, `60s` at most. */
  wait?: string
  /** How long a leader has before it is replaced: `20s` when absent. */
  leadFor?: string
}

type Answer = z.output<typeof leaseAnswer>

export interface Lease {
  /** `leader`: send your request now, and say how it went. `ready`: send it, it can read. `wait`: nobody finished in time. */
  role: Answer['role']
  until: Answer['until']
  why: Answer['why']
  /** The leader's word that its answer has begun: the others may go. Nothing for the other roles. */
  readable(): Promise<void>
  /** The leader's word that its request failed: another one leads. Nothing for the other roles. */
  failed(): Promise<void>
}

/** Asks for the barrier of a prefix. Everybody calls it before a request; one of them leads. */
export async function lease(connection: Connection, prefixId: string, options: LeaseOptions = {}): Promise<Lease> {
  const { wait, leadFor, ...call } = options
  const path = `/prefixes/${encodeURIComponent(prefixId)}/lease`
  const body = { ...(wait === undefined ? {} : { wait }), ...(leadFor === undefined ? {} : { lead_for: leadFor }) }
  const given = await ask<Answer>(connection, 'POST', path, { ...call, body })
  const say = async (outcome: 'readable' | 'failed'): Promise<void> => {
    if (given.role !== 'leader') return
    await ask(connection, 'POST', path, { body: { lease: given.lease, outcome } })
  }
  const { role, until, why } = given
  return { role, until, why, readable: () => say('readable'), failed: () => say('failed') }
}

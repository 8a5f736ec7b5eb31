import type { FailureValue } from '../../../contract/failure.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { Receipt } from '../../../core/prefix/receipt.ts'

/**
 * A prefix in a claim. It is sent only while its state still has this generation. Generation 0 is a warm that a caller asked
 * for: it is sent even where the plan would not send it.
 */
export type ClaimEntry = [k: number, generation: number]

/** How a call ended, as the callers that waited for it see it. */
export interface Settled {
  receipt: Receipt | null
  failure: FailureValue | null
}

/** The end of one prefix's call. */
export interface Ended {
  k: number
  seq: number
  settled: Settled
}

/** A message to send for a claim, which is to arrive after `delayMs`. */
export interface Message {
  seq: number
  delayMs: number
}

/** Why a warm is not sent. `untilAt`: when it may be sent again. */
export interface Refused {
  kind: 'budget_exhausted' | 'forbidden' | 'provider_limited'
  why: string
  untilAt?: number
}

/** A background warm. */
export interface Job {
  id: string
  prefixId: string
  status: 'queued' | 'running' | 'succeeded' | 'failed'
  createdAt: number
  finishedAt: number | null
  receipt: Receipt | null
  failure: FailureValue | null
  /** A caller's word stands for a call at an unknown price. Absent: none, and in rows written before this member existed. */
  unpriced?: true
  /** Where the cache is required: what the receipt is judged by, and the last receipt that left it in doubt. */
  required?: Asked & { doubt: Receipt | null }
  /** The job of the pool's next model, which was warmed because this one failed. */
  fallback?: string
}

/** A message on the probe queue: a claim of an account. Its entries are read when the message arrives. */
export interface ProbeMessage {
  account: string
  seq: number
}

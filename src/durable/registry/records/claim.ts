import type { FailureValue } from '../../../contract/failure.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { Receipt } from '../../../core/prefix/receipt.ts'
/**
 * A prefix inside a claim: it counts only while the state still has this generation. A generation of 0 means that
 * somebody asked for this very warm: it counts whatever the plan says.
 */
export type ClaimEntry = [k: number, generation: number]

/** What a caller who waited is told. */
export interface Settled {
  receipt: Receipt | null
  failure: FailureValue | null
}

/** The end of one prefix's call, for whoever waits for it. */
export interface Ended {
  k: number
  seq: number
  settled: Settled
}

/** A claim to be put on the queue, to arrive after `delayMs`. */
export interface Message {
  seq: number
  delayMs: number
}

/** Why somebody's warm is not sent; `untilAt`: when there is room again. */
export interface Refused {
  kind: 'budget_exhausted' | 'forbidden' | 'provider_limited'
  why: string
  untilAt?: number
}

export interface Job {
  id: string
  prefixId: string
  status: 'queued' | 'running' | 'succeeded' | 'failed'
  createdAt: number
  finishedAt: number | null
  receipt: Receipt | null
  failure: FailureValue | null
  /** Where the cache is required: what the receipt is judged by, and the receipt that left a doubt. */
  required?: Asked & { doubt: Receipt | null }
}

/** A message on the probe queue: which claim of which Registry. What is in it is looked up when it arrives. */
export interface ProbeMessage {
  account: string
  seq: number
}

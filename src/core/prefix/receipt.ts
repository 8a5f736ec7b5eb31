import type { Primitive } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'

/**
 * What one answer proved. `written`: an intended write. `full`, `partial`: a read of all or of a part. `cold`: a keep-alive
 * had to write. `uncacheable`: too small, or not cached at all. `unknown`: the provider did not say.
 */
export type ReceiptKind = 'written' | 'full' | 'partial' | 'cold' | 'uncacheable' | 'unknown'

/** What one of our calls proved and cost. */
export interface Receipt {
  at: number
  kind: ReceiptKind
  /** Why the call was made: `write` pays a write on purpose, `keep` renews an entry, `verify` settles an open question. */
  purpose: Purpose
  primitive: Primitive
  usage: Usage
  /** The provider's usage object as JSON text, where known; stored with the last receipt only. */
  rawUsage?: string
  /** Null when the price or the usage is unknown. */
  costNanos: number | null
  latencyMs: number
  model: string | null
  why: string
}

export type Purpose = 'write' | 'keep' | 'verify'

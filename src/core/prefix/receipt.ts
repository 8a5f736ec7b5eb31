import type { Primitive } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'

/**
 * What one answer proved. `written`: the write we meant to pay. `full`, `partial`: read. `cold`: a keep-alive that had to
 * write, a surprise. `uncacheable`: too small, or not cached at all. `unknown`: the provider did not say.
 */
export type ReceiptKind = 'written' | 'full' | 'partial' | 'cold' | 'uncacheable' | 'unknown'

/** What one of our calls proved, kept for people and for the ledger. */
export interface Receipt {
  at: number
  kind: ReceiptKind
  /** What the call was for: `write` pays a write on purpose, `keep` renews, `verify` settles a doubt. */
  purpose: Purpose
  primitive: Primitive
  usage: Usage
  /** The provider's own usage object as JSON text, where it is known; kept of the last receipt only. */
  rawUsage?: string
  /** Null when the price or the usage is not known. */
  costNanos: number | null
  latencyMs: number
  model: string | null
  why: string
}

export type Purpose = 'write' | 'keep' | 'verify'

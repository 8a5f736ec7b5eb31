import type { ModelFacts } from '../../../src/core/model/facts.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import type { Lease, Outcome } from '../../../src/calls/lease.ts'
import { usage } from '../sample.ts'
import type { Bills } from './bills.ts'
import { reckoned } from './prices.ts'

/** Tokens that the provider counts; the worst case before the first answer assumes twice as many. */
export const TOKENS = 10_000

/** Figures that cannot be true, as a broken proxy reports them. */
const IMPOSSIBLE: Partial<Usage>[] = [
  { inputTokens: 1e15, cacheReadTokens: 1e15 },
  { inputTokens: 10, cacheReadTokens: 20_000 },
  { inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, uncachedTokens: 0 },
  { outputTokens: -5 },
  { inputTokens: 10_000.5 },
  { contradictory: true },
]
/** A lease, and what it is for. */
export interface Given {
  lease: Lease
  content: string
  used: boolean
}

/** An outcome to settle. `nanos`: what the ledger must hold for it; null: the worst case. */
export interface Reported {
  seq: number
  outcome: Outcome
  nanos: number | null
}

/** Serves leased calls, and bills them. */
export class Provider {
  readonly written = new Set<string>()
  readonly #bills: Bills
  /** Whether it sometimes bills more than the most that was expected. */
  readonly #isBeyond: boolean
  readonly #facts: () => ModelFacts

  constructor(bills: Bills, isBeyond: boolean, facts: () => ModelFacts) {
    this.#bills = bills
    this.#isBeyond = isBeyond
    this.#facts = facts
  }

  serve({ lease, content }: Given, which: number, how: number, now: number): Reported {
    const about = { lease: lease.id, k: lease.k, startedAt: now, latencyMs: 300, primitive: lease.primitive }
    const failure = { kind: 'provider_unavailable', message: 'down' } as const
    const failed = { permanent: false, primitiveRefused: false, retryAfterMs: null, failure }
    const read = how < 0.4
    if (how >= 0.7 && how < 0.8) {
      const refused: Outcome = { ...about, ...failed, kind: 'failed', accepted: false }
      return { seq: lease.seq, outcome: refused, nanos: 0 }
    }
    if (!read) this.written.add(lease.retention)
    const tokens = this.#isBeyond && which > 0.5 ? TOKENS * 7 : TOKENS
    const counts = read ? { read: tokens, written: 0 } : { read: 0, written: tokens }
    const output = 3
    const nanos = reckoned(this.#facts(), { ...counts, retention: lease.retention, uncached: 5, output })
    if (nanos > lease.reservedNanos) {
      this.#bills.beyond += 1
      if (!this.#isBeyond) this.#bills.broken.push(`${content}: ${nanos} billed and ${lease.reservedNanos} reserved`)
    }
    this.#bills.add(content, nanos, now)
    // Some answers name the retention written, some do not.
    const named = how < 0.55 ? { cacheWriteByRetention: { [lease.retention]: tokens } } : {}
    const told: Usage = {
      ...usage(counts.read, counts.written, read ? {} : named),
      uncachedTokens: 5,
      inputTokens: tokens + 5,
      outputTokens: output,
    }
    const kind = Math.floor(which * 40)
    if (kind < IMPOSSIBLE.length) {
      // Counts that cannot be true, for a call that was served.
      const wrong = { ...told, ...IMPOSSIBLE[kind] }
      const outcome: Outcome = { ...about, kind: 'answered', model: 'sample-1', usage: wrong }
      return { seq: lease.seq, outcome, nanos: null }
    }
    if (kind < IMPOSSIBLE.length + 4) {
      // An error, with the counts of what was done before it.
      const outcome: Outcome = { ...about, ...failed, kind: 'failed', accepted: null, usage: told }
      return { seq: lease.seq, outcome, nanos }
    }
    // The provider did the work, and its answer was lost.
    const outcome: Outcome =
      how >= 0.8
        ? { ...about, ...failed, kind: 'failed', accepted: null }
        : { ...about, kind: 'answered', model: 'sample-1', usage: told }
    return { seq: lease.seq, outcome, nanos: how >= 0.8 ? null : nanos }
  }
}

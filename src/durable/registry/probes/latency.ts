import { CAUTIOUS, newLatencySamples, estimateLatency, recordAnswer } from '../../../core/time/latency.ts'
import type { LatencySamples, LatencyEstimate } from '../../../core/time/latency.ts'
import { observe } from '../../../core/time/histogram.ts'
import type { Claim } from '../tables/claims.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'

/** Settlements between two writes of what was learned. What an eviction takes is less than so many. */
export const SETTLEMENTS_A_SAVE = 64

/** What an account learned about its own lateness: memory, and one row that is written now and then. */
export class LatencyTracker {
  readonly #store: RegistryStore
  readonly #lateness: LatencySamples
  readonly #paces: Map<string, LatencyEstimate>
  #unsaved = 0

  constructor(store: RegistryStore) {
    this.#store = store
    const saved = store.setting('paces')
    const known =
      saved === null ? null : (JSON.parse(saved) as { lateness: LatencySamples; paces: [string, LatencyEstimate][] })
    this.#lateness = known?.lateness ?? newLatencySamples()
    this.#paces = new Map(known?.paces)
  }

  of(provider: string): LatencyEstimate {
    return this.#paces.get(provider) ?? CAUTIOUS
  }

  /** When a message is sent again. Messages carry calls to any provider, so the most patient decides; all have the same. */
  get resendMs(): number {
    return Math.max(...[...this.#paces.values()].map(({ resendMs }) => resendMs), 0) || CAUTIOUS.resendMs
  }

  /** A message arrived, for the first time. */
  began({ dueAt }: Claim, now: number): void {
    observe(this.#lateness.messages, now - dueAt)
  }

  /** A call ended. Late starts are counted for first tries that came through the queue and were not made to wait. */
  settled(claim: Claim, lease: Lease, outcome: Outcome): void {
    const queued = claim.entries.some(([k, generation]) => k === lease.k && generation !== 0)
    if (lease.purpose !== 'keep' || !queued) return
    const startedAt = outcome.kind === 'not_sent' ? lease.sendBy : outcome.startedAt
    if (lease.attempt === 1) observe(this.#lateness.starts, startedAt - claim.dueAt)
    if (outcome.kind === 'answered') recordAnswer(this.#lateness, lease.provider, outcome.latencyMs)
    else if (outcome.kind === 'failed' && outcome.accepted === null)
      recordAnswer(this.#lateness, lease.provider, Math.max(outcome.latencyMs, lease.timeoutMs) * 1.5)
  }

  /** Part of a settlement's transaction: once in many, paces are computed anew and written down. */
  save(): void {
    this.#unsaved += 1
    if (this.#unsaved < SETTLEMENTS_A_SAVE) return
    this.#unsaved = 0
    for (const provider of Object.keys(this.#lateness.answers))
      this.#paces.set(provider, estimateLatency(this.#lateness, provider, this.of(provider)))
    this.#store.saveSetting('paces', JSON.stringify({ lateness: this.#lateness, paces: [...this.#paces] }))
  }
}

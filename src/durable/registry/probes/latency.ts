import { CAUTIOUS, newLatencySamples, estimateLatency, recordAnswer } from '../../../core/time/latency.ts'
import type { LatencySamples, LatencyEstimate } from '../../../core/time/latency.ts'
import { observe } from '../../../core/time/histogram.ts'
import type { Claim } from '../tables/claims.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'

/** Settlements between two writes of the samples. An eviction loses fewer than this. */
export const SETTLEMENTS_A_SAVE = 64

/** Measured latency of an account's messages and providers: held in memory, and saved to one row every 64 settlements. */
export class LatencyTracker {
  readonly #store: RegistryStore
  readonly #samples: LatencySamples
  readonly #estimates: Map<string, LatencyEstimate>
  readonly #timeoutOf: (provider: string) => number | null
  #unsaved = 0

  /** `timeoutOf`: time that a provider is given for an answer, in ms; null: the usual one. */
  constructor(store: RegistryStore, timeoutOf: (provider: string) => number | null = () => null) {
    this.#store = store
    this.#timeoutOf = timeoutOf
    // The names `paces` and `lateness` are stored data.
    const saved = store.setting('paces')
    const known =
      saved === null ? null : (JSON.parse(saved) as { lateness: LatencySamples; paces: [string, LatencyEstimate][] })
    this.#samples = known?.lateness ?? newLatencySamples()
    this.#estimates = new Map(known?.paces)
  }

  of(provider: string): LatencyEstimate {
    return this.#estimates.get(provider) ?? CAUTIOUS
  }

  /** Delay until a message is sent again: the longest of all providers, because one message carries calls to any of them. */
  get resendMs(): number {
    return Math.max(...[...this.#estimates.values()].map(({ resendMs }) => resendMs), 0) || CAUTIOUS.resendMs
  }

  /** Samples the delay of a message that arrived for the first time. */
  began({ dueAt }: Claim, now: number): void {
    observe(this.#samples.messages, now - dueAt)
  }

  /** Samples the outcome of a keep-alive from the queue. Late starts count for first attempts alone. */
  settled(claim: Claim, lease: Lease, outcome: Outcome): void {
    const queued = claim.entries.some(([k, generation]) => k === lease.k && generation !== 0)
    if (lease.purpose !== 'keep' || !queued) return
    const startedAt = outcome.kind === 'not_sent' ? lease.sendBy : outcome.startedAt
    if (lease.attempt === 1) observe(this.#samples.starts, startedAt - claim.dueAt)
    if (outcome.kind === 'answered') recordAnswer(this.#samples, lease.provider, outcome.latencyMs)
    else if (outcome.kind === 'failed' && outcome.accepted === null)
      recordAnswer(this.#samples, lease.provider, Math.max(outcome.latencyMs, lease.timeoutMs) * 1.5)
  }

  /** Every 64th time, computes the estimates again and saves them; runs inside the transaction of a settlement. */
  save(): void {
    this.#unsaved += 1
    if (this.#unsaved < SETTLEMENTS_A_SAVE) return
    this.#unsaved = 0
    for (const provider of Object.keys(this.#samples.answers))
      this.#estimates.set(
        provider,
        estimateLatency(this.#samples, provider, this.of(provider), this.#timeoutOf(provider)),
      )
    this.#store.saveSetting('paces', JSON.stringify({ lateness: this.#samples, paces: [...this.#estimates] }))
  }
}

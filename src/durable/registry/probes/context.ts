import { isWarm } from '../../../core/prefix/state.ts'
import type { Gone, PlanContext } from '../../../core/planning/plan.ts'
import { SLOT_MS } from '../../../core/time/schedule.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { ProviderGuards } from './provider-guards.ts'
import { LatencyTracker } from './latency.ts'
import { BudgetRanking } from './budget-ranking.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Row } from '../tables/states.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import { spread } from '../../../core/time/backoff.ts'
import type { AccountSettings } from '../records/account.ts'
import { isUnmarked } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** Of records that are older than draining: their plans stopped the moment the name was taken. */
const LONG_SUPERSEDED = { takenAt: 0, warmAt: 0 }

/** What a Keeper is given beside its tables: facts, and how coarse this clock's queue delays are. */
export interface ProbeSchedulerPorts {
  factsOf: (provider: string, model: string, now: number) => ModelFacts
  grainMs: number
  /** Generation in force of a credential of the account; null when there is none of that name. */
  generationOf?: (credential: string) => number | null
  /** Which place a provider is reached at, as prefixes remember it; null: the one that its card names. */
  placeOf?: (provider: string) => string | null
}

/** What stands in place of a belief about an entry at an address that is not used any more. */
export const MOVED =
  'the provider is reached at another address now; what was written at the former one cannot be read there. POST /warm registers the prefix anew'

/** What claims, leases and settlements of one account decide upon: its tables, settings, guards and paces. */
export class PlanningContext {
  readonly store: RegistryStore
  readonly ports: ProbeSchedulerPorts
  readonly guards: ProviderGuards
  readonly paces: LatencyTracker
  readonly rationing: BudgetRanking
  /** A copy of which prefixes have a call in flight: claim by prefix. The claims are the truth. */
  readonly inFlight = new Map<number, number>()
  settings: AccountSettings

  constructor(store: RegistryStore, ports: ProbeSchedulerPorts, settings: AccountSettings) {
    this.store = store
    this.ports = ports
    this.guards = new ProviderGuards(store)
    this.paces = new LatencyTracker(store)
    this.rationing = new BudgetRanking(store)
    this.settings = settings
    this.#readInFlight()
  }

  /** Commits, or undoes everything: what the tables take back, the copy in memory takes back too. */
  transaction<Result>(work: () => Result): Result {
    try {
      return this.store.transaction(work)
    } catch (thrown) {
      this.#readInFlight()
      throw thrown
    }
  }

  #readInFlight(): void {
    this.inFlight.clear()
    for (const claim of this.store.claims.leased())
      for (const lease of claim.leases ?? []) this.inFlight.set(lease.k, claim.seq)
  }

  /** What a faster clock adds to every wait: its grain beyond the second that production has. */
  get coarse(): number {
    return this.ports.grainMs - 1_000
  }

  /** What the budget of the account has left today; null: it has none. */
  accountLeft(now: number): number | null {
    const budget = this.settings.budgetNanosPerDay
    if (budget === null) return null
    return budget - this.store.spentNanos(now) - this.store.reservedNanos()
  }

  /** All that a decision about a prefix is given beside its state. */
  context(
    k: number,
    record: PrefixRecord,
    state: PrefixState,
    now: number,
    accountLeftNanos: number | null,
  ): PlanContext {
    const context: PlanContext = {
      keepWarm: record.keepWarm,
      facts: this.ports.factsOf(record.provider, record.model, now),
      estimatedTokens: record.estimatedTokens,
      outputFloor: record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0,
      killed: this.settings.killSwitch || this.settings.globalKillSwitch,
      grainMs: this.ports.grainMs,
      latency: this.paces.of(record.provider),
      accountLeftNanos,
      random: spread(k, state.generation),
      ...(record.retentionOpen === true && record.required !== true ? { open: true as const } : {}),
      ...(isUnmarked(record) ? { unmarked: true as const } : {}),
      ...(record.superseded ? { newer: record.newer ?? LONG_SUPERSEDED } : {}),
      ...this.#gone(record),
      ...this.#holdBack(record, state, now),
    }
    const outbid = accountLeftNanos !== null && this.rationing.isOutbid(k, state, context, now)
    return outbid ? { ...context, outbid } : context
  }

  /** Looks, now and then, whether what the account has left today reaches all that is scheduled. */
  reckon(now: number): void {
    this.rationing.reckon(now, this.accountLeft(now), (k, state) => {
      const record = this.store.prefixes.record(k)
      return record === null ? null : this.context(k, record, state, now, null)
    })
  }

  #holdBack({ provider, credential, estimatedTokens }: PrefixRecord, state: PrefixState, now: number) {
    // A read is small where cached tokens are not counted, and the rewrite that its lapse would cost is not.
    const tokens = isWarm(state, now) ? 0 : (state.measuredTokens ?? estimatedTokens)
    const holdBack = this.guards.holdBack(provider, credential, tokens, now)
    return holdBack === null ? {} : { holdBack }
  }

  /** Whether the provider is reached at another place now than when a prefix was registered. */
  hasMoved({ provider, place }: Pick<PrefixRecord, 'provider' | 'place'>): boolean {
    const { placeOf } = this.ports
    return place !== undefined && placeOf !== undefined && placeOf(provider) !== place
  }

  #gone(record: PrefixRecord): { gone?: Gone } {
    if (this.hasMoved(record)) return { gone: { reason: 'address_changed', why: MOVED } }
    const { credential, credentialGeneration = 1 } = record
    const { generationOf } = this.ports
    if (credential === DEFAULT_CREDENTIAL || generationOf === undefined) return {}
    const current = generationOf(credential)
    if (current === credentialGeneration) return {}
    const what = current === null ? 'deleted' : 'replaced'
    const why = `the credential ${credential} that this prefix was written with was ${what}; what another key wrote, it cannot read. POST /warm registers the prefix under one that exists`
    return { gone: { reason: 'credential_replaced', why } }
  }

  /** Saves, and leaves a hint in the schedule wherever the old one may be gone or comes too late. */
  save(before: Row, change: Transition, now: number, consumed: boolean): void {
    this.store.states.save(before.k, change.state, change.rows)
    const { nextAt } = change.state
    if (nextAt === null) return
    if (consumed || before.state.nextAt === null || nextAt < before.state.nextAt)
      this.store.slots.hint(before.k, Math.max(nextAt, now - SLOT_MS))
  }
}

import { sizesCounted, TYPICAL_TOKENS } from '../../../core/cache/survival-curve.ts'
import { holdingOf } from '../../../core/planning/break-even.ts'
import { isWarm } from '../../../core/prefix/state.ts'
import type { Decision, Gone, PlanContext } from '../../../core/planning/plan.ts'
import { KEEP_TIMEOUT_MS, LEASE_WAIT_MS, machineTime, SLOT_MS, WRITE_TIMEOUT_MS } from '../../../core/time/schedule.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import { leadMs } from '../../../core/time/latency.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import { dearest, pricesWithin } from '../../../core/model/price.ts'
import type { PriceFrom } from '../../../core/model/price.ts'
import { ProviderGuards } from './provider-guards.ts'
import { LatencyTracker } from './latency.ts'
import { LifetimeTracker } from './lifetimes.ts'
import { BudgetRanking } from './budget-ranking.ts'
import type { KeptInCache } from '../records/prefix-view.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Row } from '../tables/states.ts'
import { REMOVED } from '../../../runtime/cards.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import { spread } from '../../../core/time/backoff.ts'
import type { AccountSettings } from '../records/account.ts'
import type { LifetimeView } from '../records/lifetime.ts'
import { isUnmarked, factsModelOf, sizeOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** Time from a failure to the next attempt: one settlement and the shortest wait. */
const NEXT_ATTEMPT_MS = 500

/** Decision of a plan to send a call. */
type Sending = Extract<Decision, { do: 'send' }>

/** Records written before draining existed: their plans stopped when the name moved. */
const LONG_SUPERSEDED = { takenAt: 0, warmAt: 0 }

/** Collaborators that `ProbeScheduler` needs beside its tables. `grainMs`: granularity of queue delays on this clock. */
export interface ProbeSchedulerPorts {
  factsOf: (provider: string, model: string, now: number) => ModelFacts
  grainMs: number
  /** Generation in force of a credential of the account; null when there is none of that name. */
  generationOf?: (credential: string) => number | null
  /** Address of a provider as prefix records store it; null: the address in its card. */
  placeOf?: (provider: string, region?: string) => string | null
  /** Whether there is a card of a provider: an administrator removes those that were added. Absent: there is. */
  isKnown?: (provider: string) => boolean
  /** Time that a provider is given for an answer, in ms; null: the usual one. */
  timeoutOf?: (provider: string) => number | null
  /** What a decision needs of the managed cache that a prefix is kept in; an empty object: of none. Absent: there is none. */
  inManagedCache?: (state: PrefixState, now: number) => Pick<PlanContext, 'handle' | 'besideNanos'>
  /** That managed cache as it is shown; null: none. */
  keptIn?: (state: PrefixState, now: number) => KeptInCache | null
}

/** Reason shown instead of a belief about an entry at an address that is no longer used. */
export const MOVED =
  'the address of the provider has changed, and entries at the former address cannot be read there. Register the prefix again with POST /warm'

const ERASED =
  'the prompts of this account were erased, so nothing can be sent. Register the prefix anew with POST /warm'

/** Input of every planning decision of one account: tables, settings, provider guards and measured latency. */
export class PlanningContext {
  readonly store: RegistryStore
  readonly ports: ProbeSchedulerPorts
  readonly guards: ProviderGuards
  readonly latency: LatencyTracker
  readonly lifetimes: LifetimeTracker
  readonly budgetRanking: BudgetRanking
  /** Claim of the call in flight, by prefix. A copy: the table of claims is the truth. */
  readonly inFlight = new Map<number, number>()
  settings: AccountSettings

  constructor(store: RegistryStore, ports: ProbeSchedulerPorts, settings: AccountSettings) {
    this.store = store
    this.ports = ports
    this.guards = new ProviderGuards(store)
    this.latency = new LatencyTracker(store, ports.timeoutOf)
    this.lifetimes = new LifetimeTracker(store, ports.factsOf)
    this.budgetRanking = new BudgetRanking(store)
    this.settings = settings
    this.#readInFlight()
    store.readAgainAfterRollback(() => this.#readInFlight())
  }

  #readInFlight(): void {
    this.inFlight.clear()
    for (const claim of this.store.claims.leased())
      for (const lease of claim.leases ?? []) this.inFlight.set(lease.k, claim.seq)
  }

  /**
   * Time-out of a call in ms. A keep-alive gets a short one only where another attempt still fits before its deadline. A provider
   * that is given a time of its own has it for every call: an entry that it lost is read as slowly as the first time.
   */
  timeoutMs({ purpose, deadlineAt }: Sending, provider: string, notBeforeAt: number): number {
    const ownMs = this.ports.timeoutOf?.(provider) ?? null
    if (ownMs !== null) return ownMs + this.extraGrainMs
    if (purpose === 'write') return machineTime(WRITE_TIMEOUT_MS, this.ports.grainMs)
    const { answerMs } = this.latency.of(provider)
    const isRepeatable = deadlineAt !== null && deadlineAt - notBeforeAt > answerMs + NEXT_ATTEMPT_MS
    return (isRepeatable ? answerMs : KEEP_TIMEOUT_MS) + this.extraGrainMs
  }

  /** Extra wait of an accelerated clock: its grain beyond the one second of production. */
  get extraGrainMs(): number {
    return this.ports.grainMs - 1_000
  }

  /** Nano-dollars left today in the budget of the account; null: it has no budget. */
  accountLeft(now: number): number | null {
    const budget = this.settings.budgetNanosPerDay
    if (budget === null) return null
    return budget - this.store.spentNanos(now) - this.store.reservedNanos()
  }

  /** Input of a decision about one prefix, beside its state. */
  context(
    k: number,
    record: PrefixRecord,
    state: PrefixState,
    now: number,
    accountLeftNanos: number | null,
  ): PlanContext {
    const facts = this.#factsAhead(record, now)
    const curves = this.lifetimes.curves(record, state, facts, now)
    const context: PlanContext = {
      keepWarm: record.keepWarm,
      facts,
      ...(curves === undefined ? {} : { curves }),
      ...sizeOf(record),
      outputFloor: record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0,
      killed: this.settings.killSwitch || this.settings.globalKillSwitch,
      grainMs: this.ports.grainMs,
      latency: this.latency.of(record.provider),
      accountLeftNanos,
      random: spread(k, state.generation),
      ...(record.retentionOpen === true && record.required !== true ? { open: true as const } : {}),
      ...(record.layout === undefined ? {} : { layout: record.layout }),
      ...(isUnmarked(record) ? { unmarked: true as const } : {}),
      ...(record.superseded ? { newer: record.newer ?? LONG_SUPERSEDED } : {}),
      ...(state.managed?.cache == null ? {} : this.ports.inManagedCache?.(state, now)),
      ...this.#gone(k, record),
      ...this.#holdBack(record, state, now),
    }
    const outbid = accountLeftNanos !== null && this.budgetRanking.isOutbid(k, state, context, now)
    return outbid ? { ...context, outbid } : context
  }

  /** Facts of a prefix's model. Where its price changes before a call of now has left, the dearer price counts. */
  #factsAhead(record: PrefixRecord, now: number): ModelFacts {
    const model = factsModelOf(record)
    const facts = this.ports.factsOf(record.provider, model, now)
    const prices = this.pricesFor({ provider: record.provider, model }, now, now + this.longestWaitMs)
    return prices.length === 1 ? facts : { ...facts, price: dearest(prices) }
  }

  /** The prices that hold while a call may be sent. */
  pricesFor({ provider, model }: { provider: string; model: string }, fromAt: number, untilAt: number): PriceFrom[] {
    return pricesWithin((at) => this.ports.factsOf(provider, model, at).price, fromAt, untilAt)
  }

  /** Longest time from the decision to send a call until it is sent. */
  get longestWaitMs(): number {
    return Math.max(machineTime(LEASE_WAIT_MS, this.ports.grainMs), LEASE_WAIT_MS + 2 * this.extraGrainMs)
  }

  /** Ranks the scheduled prefixes, every few minutes, if the budget left today does not suffice for all of them. */
  rankBudget(now: number): void {
    this.budgetRanking.rankBudget(now, this.accountLeft(now), (k, state) => {
      const record = this.store.prefixes.record(k)
      return record === null ? null : this.context(k, record, state, now, null)
    })
  }

  /** The curves of the account's models by size, each with the time after which a keep-alive of such a prefix is sent. */
  lifetimeViews(now: number): LifetimeView[] {
    return this.lifetimes.models().flatMap(({ provider, model, retention, lifetimes: { curve: counts, at } }) => {
      const facts = this.ports.factsOf(provider, model, now)
      const offer = facts.retentions.find(({ name }) => name === retention)
      if (offer === undefined) return []
      return sizesCounted(counts, now).flatMap(({ size, samples }) => {
        const curve = this.lifetimes.curve(provider, model, offer, size, now)
        if (curve === undefined) return []
        const tokens = TYPICAL_TOKENS[size] ?? 0
        const [latency, { grainMs }] = [this.latency.of(provider), this.ports]
        const usualMs = offer.ttlMs - leadMs(offer.ttlMs, grainMs, latency)
        const context = { facts, estimatedTokens: tokens, outputFloor: facts.outputFloorTokens ?? 0, grainMs, latency }
        const holding = holdingOf(
          { measuredTokens: tokens },
          { ...context, curves: { [retention]: curve } },
          retention,
          offer.ttlMs,
        )
        const intervalMs = offer.kind === 'fixed' ? null : (holding?.everyMs ?? usualMs)
        const { ttlMs, assumed } = offer
        const isPriced = holding !== null
        return [{ provider, model, retention, size, samples, at, ttlMs, assumed, curve, intervalMs, usualMs, isPriced }]
      })
    })
  }

  #holdBack(record: PrefixRecord, state: PrefixState, now: number) {
    // Cached tokens may not count against the rate limit, so a read counts as 0 tokens; a write counts in full.
    const tokens = isWarm(state, now) ? 0 : (state.measuredTokens ?? record.estimatedTokens)
    const holdBack = this.guards.holdBack(record, tokens, now)
    return holdBack === null ? {} : { holdBack }
  }

  /** Why the entry of a prefix cannot be reached: its provider was removed, or has another address; null where it can. */
  unreachable({ provider, place, region }: Pick<PrefixRecord, 'provider' | 'place' | 'region'>): string | null {
    const { placeOf, isKnown } = this.ports
    if (isKnown?.(provider) === false) return REMOVED
    return place !== undefined && placeOf !== undefined && placeOf(provider, region) !== place ? MOVED : null
  }

  #gone(k: number, record: PrefixRecord): { gone?: Gone } {
    const { promptsErasedAt = Number.NEGATIVE_INFINITY } = this.settings
    if (record.createdAt <= promptsErasedAt && !this.store.prefixes.hasBody(k))
      return { gone: { reason: 'prompt_erased', why: ERASED } }
    const unreachable = this.unreachable(record)
    if (unreachable !== null) return { gone: { reason: 'address_changed', why: unreachable } }
    const why = this.credentialGone(record)
    return why === null ? {} : { gone: { reason: 'credential_replaced', why } }
  }

  /** Why the credential that wrote a prefix cannot read it: it was deleted, or replaced by another key; null where it can. */
  credentialGone({
    credential,
    credentialGeneration = 1,
  }: Pick<PrefixRecord, 'credential' | 'credentialGeneration'>): string | null {
    const { generationOf } = this.ports
    if (credential === DEFAULT_CREDENTIAL || generationOf === undefined) return null
    const current = generationOf(credential)
    if (current === credentialGeneration) return null
    const what = current === null ? 'deleted' : 'replaced'
    return `the credential ${credential} that wrote this prefix was ${what}, and other keys cannot read its entries. Register the prefix with an existing credential (POST /warm)`
  }

  /** Saves a transition. Adds a hint to the schedule where the old hint was consumed, or is later than the new due time. */
  save(before: Row, change: Transition, now: number, consumed: boolean): void {
    this.store.states.save(before.k, change.state, change.rows)
    const { nextAt } = change.state
    if (nextAt === null) return
    if (consumed || before.state.nextAt === null || nextAt < before.state.nextAt)
      this.store.slots.hint(before.k, Math.max(nextAt, now - SLOT_MS))
  }
}

import { distanceOf, learnt, newLifetimes, oddsBelow, usedAt } from '../../../core/cache/lifetimes.ts'
import type { Lifetimes } from '../../../core/cache/lifetimes.ts'
import { grantedRetention } from '../../../core/cache/retention.ts'
import { sizeOf, survivalOf } from '../../../core/cache/survival-curve.ts'
import type { Survival } from '../../../core/cache/survival-curve.ts'
import type { ModelFacts, RetentionOffer } from '../../../core/model/facts.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import { HOUR_MS } from '../../../core/time/time.ts'
import { factsModelOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { oldRows } from '../tables/lifetimes.ts'
import type { KnownModel } from '../tables/lifetimes.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Answers that tell nothing new between two writes of a row. A restart of the object loses fewer than these. */
export const FINDINGS_A_SAVE = 64
/** An answer that moves the odds of limits by this much tells something new. */
const NEWS = 0.01
/** Models and retentions that are kept: those that taught something last. A row has at most 4 kB. */
export const MOST_KEPT = 500
/** Curves that are remembered for one provider before all are computed again. */
const MOST_CURVES = 2_000

/** A prefix without a retention: nothing is believed of its entry. */
const UNKNOWN = { ttlMs: HOUR_MS, assumed: true }

/** A model in memory. */
interface Held extends KnownModel {
  /** Answers that its row does not hold yet. */
  unsaved: number
  /** As read from its row: not held against the facts and the prefixes of today yet. */
  asRead: boolean
}

/** How the models of an account keep entries: held in memory, and saved to one row for each. */
export class LifetimeTracker {
  readonly #store: RegistryStore
  readonly #factsOf: (provider: string, model: string, now: number) => ModelFacts
  readonly #held = new Map<string, Held>()
  readonly #saved = new Set<string>()
  /** Curves by provider, then by model, retention and size, until an answer about the provider, or the next hour. */
  readonly #curves = new Map<string, Map<string, Survival | undefined>>()
  #hour = 0

  constructor(store: RegistryStore, factsOf: (provider: string, model: string, now: number) => ModelFacts) {
    this.#store = store
    this.#factsOf = factsOf
    const inOneSetting = store.setting('lifetimes')
    if (inOneSetting !== null)
      store.transaction(() => {
        for (const row of oldRows(inOneSetting).slice(0, MOST_KEPT)) store.lifetimes.save(row)
        store.deleteSetting('lifetimes')
      })
    for (const row of store.lifetimes.all()) {
      const key = keyOf(row.provider, row.model, row.retention)
      this.#held.set(key, { ...row, unsaved: 0, asRead: true })
      this.#saved.add(key)
    }
  }

  /** What is known of the model of a prefix at the retention of its entry. */
  of(record: PrefixRecord, state: PrefixState, now: number): Lifetimes {
    return this.#find(record, state, now).lifetimes
  }

  /** The state after a change of a prefix, with what the change taught about it. The model learns from it too. */
  after(k: number, record: PrefixRecord, { state, findings = [] }: Transition, now: number): PrefixState {
    const found = this.#find(record, state, now)
    const tokens = state.measuredTokens ?? record.estimatedTokens
    let [model, own] = [found.lifetimes, state.survival]
    let news = 0
    for (const finding of findings) {
      const distance = distanceOf(model, k, finding.at - finding.ageMs, finding.at, true)
      const before = model
      ;({ model, own } = learnt(model, own, distance, finding, tokens))
      // A loss may mean a new rule, and is rare.
      news += finding.found && movedBy(before, model) < NEWS ? 1 : FINDINGS_A_SAVE
    }
    this.#keep(this.#used(found, model, k, state.anchorAt, news), model)
    const stated = findings.length === 0 ? undefined : state.retention?.statedTtlMs
    const odds = stated === undefined ? {} : { shortOdds: digits(oddsBelow(model, stated)) }
    return own === undefined || own === state.survival ? state : { ...state, survival: own, ...odds }
  }

  /** Notes that a call used a prefix at `at`. */
  used(k: number, record: PrefixRecord, state: PrefixState, at: number): void {
    const found = this.#find(record, state, at)
    this.#keep(this.#used(found, found.lifetimes, k, at, 0), found.lifetimes)
  }

  /** Notes a use beside what was learnt. The order of known prefixes is read from their states after a restart; a further prefix is news. */
  #used(found: Held, learned: Lifetimes, k: number, at: number | null, news: number): Held {
    const lifetimes = at === null ? learned : usedAt(learned, k, at)
    const isLonger = lifetimes.used.length > learned.used.length
    return { ...found, lifetimes, unsaved: found.unsaved + news + (isLonger ? FINDINGS_A_SAVE : 0) }
  }

  #keep(after: Held, learned: Lifetimes): void {
    const key = keyOf(after.provider, after.model, after.retention)
    const before = this.#held.get(key)
    if (before === undefined && after.lifetimes.seen === 0 && after.lifetimes.used.length === 0) return
    this.#held.set(key, after)
    if (before?.lifetimes.curve !== learned.curve) this.#curves.delete(after.provider)
    if (this.#held.size > MOST_KEPT) this.#held.delete(this.#oldest())
  }

  #oldest(): string {
    const [first] = [...this.#held].toSorted(([, a], [, b]) => a.lifetimes.at - b.lifetimes.at)
    return first?.[0] ?? ''
  }

  /** Saves the models of which enough is unsaved; runs inside the transaction that changed them. */
  save(): void {
    for (const [key, held] of this.#held) {
      if (held.unsaved < FINDINGS_A_SAVE) continue
      this.#store.lifetimes.save(held)
      this.#saved.add(key)
      held.unsaved = 0
    }
    if (this.#saved.size <= MOST_KEPT) return
    this.#store.lifetimes.keep(MOST_KEPT)
    this.#saved.clear()
    for (const { provider, model, retention } of this.#store.lifetimes.all())
      this.#saved.add(keyOf(provider, model, retention))
  }

  /** The curves for a prefix of that size, by the retentions that its model offers. Undefined: there is none. */
  curves(
    record: PrefixRecord,
    state: PrefixState,
    facts: ModelFacts,
    now: number,
  ): Record<string, Survival> | undefined {
    if (facts.untilDisplaced === true || this.#held.size === 0) return undefined
    const tokens = state.measuredTokens ?? record.estimatedTokens
    const model = factsModelOf(record)
    const found = facts.retentions.flatMap((offer) => {
      const curve = this.curve(record.provider, model, offer, sizeOf(tokens), now)
      if (curve === undefined) return []
      const { retention } = state
      // An entry lives by what was granted, and is asked for by another name.
      const isInForce = retention !== null && grantedRetention(retention) === offer.name
      return [[isInForce ? retention.name : offer.name, curve]]
    })
    return found.length === 0 ? undefined : (Object.fromEntries(found) as Record<string, Survival>)
  }

  /** The curve of a model at one retention, for a class of size. Undefined: there is no answer at all. */
  curve(provider: string, model: string, offer: RetentionOffer, size: number, now: number): Survival | undefined {
    const hour = Math.floor(now / HOUR_MS)
    if (hour !== this.#hour) this.#curves.clear()
    this.#hour = hour
    const known = this.#curves.get(provider) ?? new Map<string, Survival | undefined>()
    this.#curves.set(provider, known)
    const key = JSON.stringify([model, offer.name, size])
    if (known.has(key)) return known.get(key)
    if (known.size >= MOST_CURVES) known.clear()
    const own = this.#held.get(keyOf(provider, model, offer.name))?.lifetimes.curve
    const others = () =>
      [...this.#held.values()].flatMap((one) =>
        one.provider === provider && one.retention === offer.name && one.model !== model ? [one.lifetimes.curve] : [],
      )
    const curve = survivalOf(own, size, hour * HOUR_MS, offer.assumed ? offer.maxTtlMs : offer.ttlMs, others)
    known.set(key, curve)
    return curve
  }

  /** Models with answers that prove how long entries last, in the order of their names. */
  models(): KnownModel[] {
    return [...this.#held]
      .filter(([, { lifetimes }]) => lifetimes.curve !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { provider, model, retention, lifetimes }]) => ({ provider, model, retention, lifetimes }))
  }

  #find(record: PrefixRecord, { retention: inForce }: PrefixState, now: number): Held {
    const { provider } = record
    const model = factsModelOf(record)
    const retention = inForce === null ? '' : grantedRetention(inForce)
    const key = keyOf(provider, model, retention)
    const held = this.#held.get(key)
    if (held !== undefined && !held.asRead) return held
    const { retentions, untilDisplaced } = this.#factsOf(provider, model, now)
    const offer = retentions.find((one) => one.name === retention) ?? inForce ?? UNKNOWN
    const fresh = newLifetimes(offer, retentions, untilDisplaced === true)
    const read = held === undefined || !isOfToday(held.lifetimes, fresh) ? fresh : this.#sinceThen(held.lifetimes)
    const found = { provider, model, retention, lifetimes: read, unsaved: 0, asRead: false }
    if (held !== undefined) this.#held.set(key, found)
    return found
  }

  /** The last uses of the prefixes that were known, which their own states hold. */
  #sinceThen(read: Lifetimes): Lifetimes {
    if (read.by === 'age') return read
    return read.used.reduce((known, [k]) => {
      const at = this.#store.states.load(k)?.anchorAt ?? null
      return at === null ? known : usedAt(known, k, at)
    }, read)
  }
}

const digits = (odds: number): number => Number(odds.toFixed(4))

const keyOf = (provider: string, model: string, retention: string): string =>
  JSON.stringify([provider, model, retention])

/** How far the odds of limits have moved, 0 to 1. */
function movedBy(before: Lifetimes, after: Lifetimes): number {
  return after.limits.reduce((sum, [, odds], index) => sum + Math.abs(odds - (before.limits[index]?.[1] ?? 0)) / 2, 0)
}

/** Whether what was learnt is about the facts of the model as they are today. */
function isOfToday(saved: Lifetimes, fresh: Lifetimes): boolean {
  const limitsOf = ({ by, ttlMs, limits }: Lifetimes) => `${by} ${ttlMs} ${limits.map(([limit]) => limit).join(' ')}`
  return limitsOf(saved) === limitsOf(fresh)
}

import { distanceOf, learnt, newLifetimes, usedAt } from '../../../core/cache/lifetimes.ts'
import type { Lifetimes } from '../../../core/cache/lifetimes.ts'
import { grantedRetention } from '../../../core/cache/retention.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import { HOUR_MS } from '../../../core/time/time.ts'
import { factsModelOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Answers between two writes of what is known. An eviction of the object loses fewer than these. */
export const FINDINGS_A_SAVE = 64
/** Models and retentions in the row: those that taught something last. At most 1 kB each, and a row holds 2 MB. */
const MOST_KEPT = 500

/** A prefix without a retention: nothing is believed of its entry. */
const UNKNOWN = { ttlMs: HOUR_MS, assumed: true }

/** How the models of an account keep entries: held in memory, and saved to one row. */
export class LifetimeTracker {
  readonly #store: RegistryStore
  readonly #factsOf: (provider: string, model: string, now: number) => ModelFacts
  /** As saved: not held against the facts of today yet. */
  readonly #saved: Map<string, Lifetimes>
  readonly #known = new Map<string, Lifetimes>()
  #unsaved = 0

  constructor(store: RegistryStore, factsOf: (provider: string, model: string, now: number) => ModelFacts) {
    this.#store = store
    this.#factsOf = factsOf
    this.#saved = readSaved(store.setting('lifetimes'))
  }

  /** What is known of the model of a prefix at the retention of its entry. */
  of(record: PrefixRecord, state: PrefixState, now: number): Lifetimes {
    return this.#load(record, state, now).lifetimes
  }

  /** The state after a change of a prefix, with what the change taught about it. The model learns from it too. */
  after(k: number, record: PrefixRecord, { state, findings = [] }: Transition, now: number): PrefixState {
    const { key, lifetimes } = this.#load(record, state, now)
    let [model, own] = [lifetimes, state.survival]
    for (const finding of findings) {
      const distance = distanceOf(model, k, finding.at - finding.ageMs, finding.at, true)
      ;({ model, own } = learnt(model, own, distance, finding))
      // A loss may mean a new rule, and is rare.
      this.#unsaved += finding.found ? 1 : FINDINGS_A_SAVE
    }
    this.#use(key, model, k, state.anchorAt)
    return own === undefined || own === state.survival ? state : { ...state, survival: own }
  }

  /** Notes that a call used a prefix at `at`. */
  used(k: number, record: PrefixRecord, state: PrefixState, at: number): void {
    const { key, lifetimes } = this.#load(record, state, at)
    this.#use(key, lifetimes, k, at)
  }

  #use(key: string, before: Lifetimes, k: number, at: number | null): void {
    const after = at === null ? before : usedAt(before, k, at)
    this.#known.set(key, after)
    // Which prompt takes whose place depends on the last few requests.
    if (after !== before) this.#unsaved += FINDINGS_A_SAVE
  }

  /** Saves what is known once it has changed enough; runs inside the transaction that changed it. */
  save(): void {
    if (this.#unsaved < FINDINGS_A_SAVE) return
    this.#unsaved = 0
    const all = [...new Map([...this.#saved, ...this.#known])]
    const latest = all.toSorted(([, a], [, b]) => b.at - a.at).slice(0, MOST_KEPT)
    this.#store.saveSetting('lifetimes', JSON.stringify(latest))
  }

  #load(record: PrefixRecord, { retention }: PrefixState, now: number): { key: string; lifetimes: Lifetimes } {
    const { provider } = record
    const model = factsModelOf(record)
    const name = retention === null ? '' : grantedRetention(retention)
    const key = JSON.stringify([provider, model, name])
    const known = this.#known.get(key)
    if (known !== undefined) return { key, lifetimes: known }
    const { retentions, untilDisplaced } = this.#factsOf(provider, model, now)
    const offer = retentions.find((one) => one.name === name) ?? retention ?? UNKNOWN
    const fresh = newLifetimes(offer, retentions, untilDisplaced === true)
    const saved = this.#saved.get(key)
    const lifetimes = saved !== undefined && isOfToday(saved, fresh) ? saved : fresh
    this.#known.set(key, lifetimes)
    return { key, lifetimes }
  }
}

/** What was saved. A row that cannot be read teaches nothing, and keeps no prefix cold. */
function readSaved(text: string | null): Map<string, Lifetimes> {
  try {
    const rows: unknown = JSON.parse(text ?? '[]')
    const whole = (row: unknown): row is [string, Lifetimes] =>
      Array.isArray(row) &&
      Array.isArray((row[1] as Partial<Lifetimes> | null)?.limits) &&
      Array.isArray((row[1] as Lifetimes).used)
    return new Map(Array.isArray(rows) ? rows.filter(whole) : [])
  } catch {
    return new Map()
  }
}

/** Whether what was learnt is about the facts of the model as they are today. */
function isOfToday(saved: Lifetimes, fresh: Lifetimes): boolean {
  const limitsOf = ({ by, ttlMs, limits }: Lifetimes) => `${by} ${ttlMs} ${limits.map(([limit]) => limit).join(' ')}`
  return limitsOf(saved) === limitsOf(fresh)
}

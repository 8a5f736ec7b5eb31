import { distanceOf, learnt, newLifetimes, usedAt } from '../../../core/cache/lifetimes.ts'
import type { Lifetimes } from '../../../core/cache/lifetimes.ts'
import { grantedRetention } from '../../../core/cache/retention.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import { HOUR_MS } from '../../../core/time/time.ts'
import { factsModelOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Answers between two writes of what is known of a model. An eviction loses fewer than these. */
export const FINDINGS_A_SAVE = 64

/** A prefix without a retention: nothing is believed of its entry. */
const UNKNOWN = { ttlMs: HOUR_MS, assumed: true }

interface Held {
  lifetimes: Lifetimes
  unsaved: number
}

/** How the models of an account keep entries: held in memory, one row for each model and retention. */
export class LifetimeTracker {
  readonly #store: RegistryStore
  readonly #factsOf: (provider: string, model: string, now: number) => ModelFacts
  readonly #held = new Map<string, Held>()

  constructor(store: RegistryStore, factsOf: (provider: string, model: string, now: number) => ModelFacts) {
    this.#store = store
    this.#factsOf = factsOf
  }

  /** What is known of the model of a prefix at the retention of its entry. */
  of(record: PrefixRecord, state: PrefixState, now: number): Lifetimes {
    return this.#load(record, state, now).lifetimes
  }

  /** The state after a change of a prefix, with what the change taught about it. The model learns from it too. */
  after(k: number, record: PrefixRecord, { state, findings = [] }: Transition, now: number): PrefixState {
    const held = this.#load(record, state, now)
    let own = state.survival
    for (const finding of findings) {
      const distance = distanceOf(held.lifetimes, k, finding.at - finding.ageMs, finding.at, true)
      const after = learnt(held.lifetimes, own, distance, finding)
      held.lifetimes = after.model
      own = after.own
      // A loss may mean a new rule, and is rare.
      held.unsaved += finding.found ? 1 : FINDINGS_A_SAVE
    }
    if (state.anchorAt !== null) this.#use(held, k, state.anchorAt)
    return own === undefined || own === state.survival ? state : { ...state, survival: own }
  }

  /** Notes that a call used a prefix at `at`. */
  used(k: number, record: PrefixRecord, state: PrefixState, at: number): void {
    this.#use(this.#load(record, state, at), k, at)
  }

  #use(held: Held, k: number, at: number): void {
    const { lifetimes } = held
    held.lifetimes = usedAt(lifetimes, k, at)
    // Which prompt takes whose place depends on the last few requests.
    if (held.lifetimes !== lifetimes) held.unsaved += FINDINGS_A_SAVE
  }

  /** Saves what has changed enough; runs inside the transaction that changed it. */
  save(): void {
    for (const [key, held] of this.#held) {
      if (held.unsaved < FINDINGS_A_SAVE) continue
      held.unsaved = 0
      this.#store.saveSetting(key, JSON.stringify(held.lifetimes))
    }
  }

  #load(record: PrefixRecord, { retention }: PrefixState, now: number): Held {
    const { provider } = record
    const model = factsModelOf(record)
    const name = retention === null ? '' : grantedRetention(retention)
    const key = `lifetimes ${JSON.stringify([provider, model, name])}`
    const known = this.#held.get(key)
    if (known !== undefined) return known
    const { retentions, untilDisplaced } = this.#factsOf(provider, model, now)
    const offer = retentions.find((one) => one.name === name) ?? retention ?? UNKNOWN
    const fresh = newLifetimes(offer, retentions, untilDisplaced === true)
    const saved = this.#store.setting(key)
    const held = { lifetimes: saved === null ? fresh : stillValid(JSON.parse(saved) as Lifetimes, fresh), unsaved: 0 }
    this.#held.set(key, held)
    return held
  }
}

/** What was learnt, unless the facts of the model have changed since. */
function stillValid(saved: Lifetimes, fresh: Lifetimes): Lifetimes {
  const limitsOf = ({ by, ttlMs, limits }: Lifetimes) => `${by} ${ttlMs} ${limits.map(([limit]) => limit).join(' ')}`
  return limitsOf(saved) === limitsOf(fresh) ? saved : fresh
}

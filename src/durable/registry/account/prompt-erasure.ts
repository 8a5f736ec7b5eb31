import { readFailure } from '../../../contract/failure.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { Card } from '../../../providers/card.ts'
import { withMarkers } from '../../../providers/prefix/with-markers.ts'
import { keptSketch } from '../../../registration/misses/kept-sketch.ts'
import type { KeptSketch } from '../../../registration/misses/kept-sketch.ts'
import { retentionInForce } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { unpack } from '../../../runtime/bytes.ts'
import { cardById } from '../../../runtime/cards.ts'
import { newKeySeed } from '../../../runtime/ids.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { BodyKey } from '../../body-key.ts'
import type { ManagedCacheScheduler } from '../managed-caches/scheduler.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Idempotency } from '../tables/idempotency.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Collaborators that `PromptErasure` needs. */
export interface PromptErasurePorts {
  store: RegistryStore
  cacheStore: ManagedCacheStore
  idempotency: Idempotency
  bodyKey: BodyKey
  scheduler: ProbeScheduler
  registrar: Registrar
  factsOf: ProbeSchedulerPorts['factsOf']
  cacheScheduler: ManagedCacheScheduler
  /** Lets the Directory forget the account's key. */
  forgetElsewhere: () => Promise<void>
}

const DRIFTS_AT_ONCE = 500
/** Prefixes of which something is kept: the newest, and the bytes of their bodies. */
const MOST_SKETCHES = 500
const MOST_SKETCHED_BYTES = 8 * 1024 * 1024

/** What is kept of a registered prefix, with the markers that real requests should have; null: it cannot be read, or is too long. */
function sketchOfPrefix(
  card: Card,
  record: PrefixRecord,
  stored: string,
  state: PrefixState | null,
  facts: (model: string) => ModelFacts,
): KeptSketch | null {
  const { model, cacheKey, headers = {} } = record
  const text = withMarkers(card, stored, retentionInForce(record, state)) ?? stored
  const cache =
    cacheKey === null ? {} : { cache: { mode: 'best_effort', strategy: 'automatic', key: cacheKey } as const }
  try {
    return keptSketch(card, { request: { text, model, ...cache }, headers }, newKeySeed(), facts)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

/** Erases what an account stores of prompts. What it knows about them stays: records, states, history, ledger. */
export class PromptErasure {
  readonly #ports: PromptErasurePorts

  constructor(ports: PromptErasurePorts) {
    this.#ports = ports
  }

  /**
   * Forgets the key first: from then on no copy of the rows tells a prompt, even where what follows fails and must be repeated. Nothing is
   * sealed meanwhile; afterwards it is under another key.
   */
  async run(now: () => number): Promise<{ prefixes: number; managedCaches: number }> {
    const { store, cacheStore, idempotency, bodyKey, scheduler, registrar, cacheScheduler } = this.#ports
    const sketches = await this.#sketches(now())
    await bodyKey.replace(() => this.#ports.forgetElsewhere())
    const erased = { prefixes: store.prefixes.count(), managedCaches: cacheStore.count() }
    const at = now()
    store.transaction(() => {
      store.prefixes.eraseBodies()
      cacheStore.eraseBodies()
      idempotency.erase()
      store.candidates.erase()
      store.passedCalls.drop()
      for (const [k, kept] of sketches) store.prefixSketches.save(k, kept)
      store.deleteSetting('candidate_salt') // what is counted from now on shows no likeness to what was
      const settings = store.settings()
      if (settings === null) return
      store.saveSettings({ ...settings, promptsErasedAt: at })
      scheduler.settings = { ...settings, promptsErasedAt: at }
    })
    this.#forgetDrifts()
    registrar.replanAll(at)
    cacheScheduler.promptsErased(at)
    return erased
  }

  /**
   * What is kept of the newest bodies, to say later why a request misses: hashes and lengths. Nothing where the account has no hashes kept. Nothing
   * that fails here stands in the way of the erasure.
   */
  async #sketches(now: number): Promise<[k: number, kept: KeptSketch][]> {
    const { store, bodyKey, factsOf } = this.#ports
    if ((store.settings()?.learn ?? 'observe') === 'off') {
      store.prefixSketches.drop()
      return []
    }
    const made: [number, KeptSketch][] = []
    try {
      await bodyKey.ready()
      let bytes = 0
      for (const k of store.prefixes.keysBefore(Number.MAX_SAFE_INTEGER, MOST_SKETCHES)) {
        const record = store.prefixes.record(k)
        const card = record === null ? undefined : cardById(record.provider)
        if (record === null || card === undefined || (bytes += record.bodyBytes) > MOST_SKETCHED_BYTES) continue
        const body = store.prefixes.body(k)
        const kept =
          body === null
            ? null
            : sketchOfPrefix(card, record, unpack(body), store.states.load(k), (model) => factsOf(card.id, model, now))
        if (kept !== null) made.push([k, kept])
      }
    } catch (thrown) {
      console.error('sketches of erased prefixes were not made', thrown instanceof Error ? thrown.name : 'unknown')
    }
    return made
  }

  /** Drops what drifts quote in clear, as an older version stored it. What is sealed was sealed under the former key. */
  #forgetDrifts(): void {
    const { states } = this.#ports.store
    for (;;) {
      const ks = states.driftsInClear(DRIFTS_AT_ONCE)
      if (ks.length === 0) return
      this.#ports.store.transaction(() => {
        for (const k of ks) {
          const state = states.load(k)
          if (state?.drift === undefined) continue
          const { first: _, ...drift } = state.drift
          states.save(k, { ...state, drift }, [])
        }
      })
    }
  }
}

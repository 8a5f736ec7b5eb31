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
  cacheScheduler: ManagedCacheScheduler
  /** Lets the Directory forget the account's key. */
  forgetElsewhere: () => Promise<void>
}

const DRIFTS_AT_ONCE = 500

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
    await bodyKey.replace(() => this.#ports.forgetElsewhere())
    const erased = { prefixes: store.prefixes.count(), managedCaches: cacheStore.count() }
    const at = now()
    store.transaction(() => {
      store.prefixes.eraseBodies()
      cacheStore.eraseBodies()
      idempotency.erase()
      store.candidates.erase()
      store.passedCalls.drop()
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

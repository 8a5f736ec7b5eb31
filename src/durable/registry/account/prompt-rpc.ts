import { Failure, readFailure } from '../../../contract/failure.ts'
import { printOf } from '../../../runtime/sealed-bytes.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { BodyKey } from '../../body-key.ts'
import type { ManagedCacheScheduler } from '../managed-caches/scheduler.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Idempotency, IdempotencyVerdict } from '../tables/idempotency.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PromptErasure } from './prompt-erasure.ts'

/** Collaborators that `PromptRpc` needs. */
export interface PromptRpcPorts {
  clock: Clock
  store: RegistryStore
  scheduler: ProbeScheduler
  cacheScheduler: ManagedCacheScheduler
  idempotency: Idempotency
  bodyKey: BodyKey
  promptErasure: PromptErasure
  rearm: () => Promise<void>
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
  /** Throws `unauthenticated` where the account was erased, or is being deleted. */
  requireAccount: () => void
}

/** RPC methods about the key of the account's prompts, and about stored answers, which quote prompts. */
export class PromptRpc {
  readonly #ports: PromptRpcPorts
  readonly #store: RegistryStore
  readonly #clock: Clock

  constructor(ports: PromptRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
    this.#clock = ports.clock
  }

  /** Ends the account before it is erased: nothing is sent, stored or sealed any more, and no key of it is valid. */
  async close(): Promise<void> {
    const settings = this.#store.settings()
    this.#ports.bodyKey.forget()
    if (settings === null) return
    const closed = { ...settings, killSwitch: true, deletingAt: settings.deletingAt ?? this.#clock.now() }
    this.#store.saveSettings(closed)
    this.#ports.scheduler.settings = closed
    this.#ports.cacheScheduler.replanAll(this.#clock.now())
    await this.#ports.rearm()
  }

  /** Erases the account's prompts, but for those of its bots. */
  async erasePrompts(): Promise<{ prefixes: number; managedCaches: number }> {
    this.#ports.requireAccount()
    const erased = await this.#ports.promptErasure.run(() => this.#clock.now())
    await this.#ports.rearm()
    return erased
  }

  /** Why the account's prompts cannot be sealed or opened; null: they can be. */
  async promptsProblem(): Promise<string | null> {
    if (this.#store.setting('body_key') === null) return null
    try {
      await this.#ports.bodyKeyReady()
      return null
    } catch (thrown) {
      const failure = readFailure(thrown)
      if (failure === null) throw thrown
      return failure.message
    }
  }

  /**
   * The key of the account's prompts, for a bot, which seals its conversation with it. `print`: fingerprint of the key that sealed it; null:
   * nothing is sealed. Throws `not_found` where that key was forgotten.
   */
  async bodyKey(print: string | null): Promise<string> {
    this.#ports.requireAccount()
    await this.#ports.bodyKeyReady()
    const { key } = this.#ports.bodyKey
    if (print === null || print === printOf(key)) return key
    const text =
      'The conversation of this bot cannot be opened: the key that sealed it was forgotten. Delete the bot, and create another one.'
    throw new Failure('not_found', text)
  }

  /**
   * Begins a request with an idempotency key; `id` names account, method, path and key, and holds for 24 h. `new`: go on,
   * then finish. `replay`: answer this. `busy`: the first request still runs. `other`: the same key with another body.
   */
  async beginIdempotent(id: string, requestHash: string): Promise<IdempotencyVerdict> {
    this.#ports.requireAccount()
    const verdict = this.#ports.idempotency.begin(id, requestHash, this.#clock.now())
    if (verdict.verdict !== 'replay') return verdict
    if (typeof verdict.body !== 'string') await this.#ports.bodyKeyReady()
    return { ...verdict, body: this.#ports.idempotency.open(id, verdict.body) }
  }

  /** Stores the answer of a request. Where it cannot be sealed it is not stored, as if the request had no idempotency key. */
  async finishIdempotent(id: string, status: number, body: string): Promise<void> {
    try {
      await this.#ports.bodyKeyReady()
      this.#ports.idempotency.finish(id, status, body)
    } catch (thrown) {
      console.error('an answer could not be stored', readFailure(thrown)?.kind ?? 'unknown')
      this.#ports.idempotency.abandon(id)
    }
  }

  abandonIdempotent(id: string): void {
    this.#ports.idempotency.abandon(id)
  }
}

import type { Usage } from '../../src/core/model/usage.ts'
import { Provider } from './provider.ts'
import type { Entry, ProviderFaults } from './provider.ts'
import type { Die } from './random.ts'

/** What real requests begin with after a deploy. `everyTime`: with something else each time, as with a timestamp in front. */
export interface Deploy {
  at: number
  /** Tokens that the changed prefix has more, or fewer. */
  moreTokens: number
  everyTime: boolean
  /** When requests begin with the registered prefix again. */
  backAt?: number
}

/** A provider whose callers changed their prompt: their requests have entries of their own, and never touch the registered ones. */
export class DeployedProvider extends Provider {
  readonly #deploy: Deploy
  readonly #changed: Provider
  /** Requests with the changed prompt, each with when it was sent. */
  readonly sent: { prefix: number; at: number }[] = []

  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die, deploy: Deploy) {
    super(entries, faults, die)
    this.#deploy = deploy
    const changed = entries.map((entry) => ({ ...entry, tokens: entry.tokens + deploy.moreTokens }))
    this.#changed = new Provider(changed, faults, die)
  }

  override arrive(prefix: number, now: number): { usage: Usage; latencyMs: number } {
    const { at, backAt = Number.POSITIVE_INFINITY, everyTime } = this.#deploy
    if (now < at || now >= backAt) return super.arrive(prefix, now)
    if (everyTime) this.#changed.evict(prefix)
    this.sent.push({ prefix, at: now })
    return this.#changed.arrive(prefix, now)
  }
}

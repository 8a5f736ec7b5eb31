import type { Call, CacheFaults, ProviderName, RefusalKind } from './dialect.ts'

/** Refusals in the provider's own shape, breakage on the way, and trouble in the cache. */
export const FAULT_KINDS = [
  'rate_limited',
  'insufficient_quota',
  'overloaded',
  'server_error',
  'geo_refusal',
  'timeout',
  'slow_first_token',
  'malformed',
  'truncated',
  'html',
  'stream_error',
  'stalls',
  'drips',
  'missing_usage',
  'missing_cached',
  'wrong_usage',
  'evict',
  'pressure',
  'downgrade_ttl',
  'no_write',
  'overbilled',
] as const

/**
 * Ways in which a proxy or a server counts wrongly: more cached than the input has; zeros everywhere; 10¹⁵ tokens; less than none; half a
 * token; two members that disagree; the counts of several samplings in one sum, as where a server runs tools.
 */
export const WRONG_USAGES = ['above_input', 'zeros', 'huge', 'negative', 'fraction', 'disagree', 'summed'] as const

export type WrongUsage = (typeof WRONG_USAGES)[number]

export type FaultKind = (typeof FAULT_KINDS)[number]

/** A fault as it is asked for. Without `times` and `until` it lasts until it is deleted. */
export type FaultRequest = {
  kind: FaultKind
  provider?: ProviderName
  model?: string
  /** How many calls it hits. */
  times?: number
  /** Virtual epoch ms until which it holds. */
  until?: number
  /** 0 to 1; default 1. */
  probability?: number
  /** For `rate_limited` and `overloaded`; default 1,000. */
  retry_after_ms?: number
  /** For `timeout` (default 600,000), `slow_first_token` (default 5,000) and `drips` (default 100), in virtual ms. */
  delay_ms?: number
  /** Another status than the usual one, for `server_error`, `overloaded` and `html`. */
  status?: number
  /**
   * `timeout`, `server_error`: the prompt was processed all the same, so its cache entry exists and is billed. The error's body has the usage.
   */
  charged?: boolean
  /** `wrong_usage`: in which way; default `above_input`. */
  how?: WrongUsage
  /** `pressure`: how many prompts of others came before (default 2), of how many tokens each (default 1,000). */
  prompts?: number
  tokens?: number
  /** `downgrade_ttl`: usage still claims the lifetime that was asked for. */
  hidden?: boolean
  /** `overbilled`: how many times the tokens of the prompt are billed; default 2. */
  factor?: number
}

export type Fault = FaultRequest & { id: number; hits: number }

const REFUSALS: ReadonlySet<string> = new Set([
  'rate_limited',
  'insufficient_quota',
  'overloaded',
  'server_error',
  'geo_refusal',
] satisfies RefusalKind[])

export function isRefusalKind(kind: FaultKind): kind is FaultKind & RefusalKind {
  return REFUSALS.has(kind)
}

/** The faults in force. Every kind hits a call at most once; the first that was asked for goes first. */
export class FaultBoard {
  #faults: Fault[] = []
  #nextId = 1
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  add(request: FaultRequest): Fault {
    const fault: Fault = { ...request, id: this.#nextId++, hits: 0 }
    this.#faults.push(fault)
    return fault
  }

  restore(faults: Fault[]): void {
    this.#faults = faults
    this.#nextId = Math.max(0, ...faults.map((fault) => fault.id)) + 1
  }

  list(): Fault[] {
    return this.#faults
  }

  clear(): void {
    this.#faults = []
  }

  /** What hits this call, counted as a hit. Of refusals and breakages only the first applies; cache trouble adds up. */
  take(call: Pick<Call, 'provider' | 'at'>, model: string): Fault[] {
    const taken: Fault[] = []
    let stopped = false
    for (const fault of this.#faults) {
      const exclusive = !isCacheTrouble(fault.kind) && !isUsageTrouble(fault.kind) && fault.kind !== 'slow_first_token'
      if (exclusive && stopped) continue
      if (taken.some((other) => other.kind === fault.kind)) continue
      if (fault.provider !== undefined && fault.provider !== call.provider) continue
      if (fault.model !== undefined && fault.model !== model) continue
      if (fault.until !== undefined && fault.until <= call.at) continue
      if (fault.times !== undefined && fault.hits >= fault.times) continue
      if (fault.probability !== undefined && this.#random() >= fault.probability) continue
      fault.hits += 1
      taken.push(fault)
      if (exclusive) stopped = true
    }
    this.#faults = this.#faults.filter(
      (fault) =>
        (fault.times === undefined || fault.hits < fault.times) && (fault.until === undefined || fault.until > call.at),
    )
    return taken
  }
}

export function isUsageTrouble(kind: FaultKind): boolean {
  return kind === 'missing_usage' || kind === 'missing_cached' || kind === 'wrong_usage'
}

function isCacheTrouble(kind: FaultKind): boolean {
  return (
    kind === 'evict' || kind === 'pressure' || kind === 'downgrade_ttl' || kind === 'no_write' || kind === 'overbilled'
  )
}

export function cacheFaultsOf(faults: readonly Fault[]): CacheFaults {
  const downgrade = faults.find((fault) => fault.kind === 'downgrade_ttl')
  return {
    downgrade: downgrade !== undefined,
    hidden: downgrade?.hidden === true,
    noWrite: faults.some((fault) => fault.kind === 'no_write'),
  }
}

import type { Arrival } from '../../../core/events/arrived.ts'
import { entryModel } from '../../../providers/registry.ts'
import { cardById } from '../../../runtime/cards.ts'
import { countUnregistered } from '../ledger/request-counts.ts'
import { bookArrivals } from '../prefixes/observed-message.ts'
import type { Booking } from '../prefixes/observed-message.ts'
import type { ToldRequest, ToldVerdict, UnnamedWhy } from '../../../registration/told/told-request.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Collaborators that `ToldRpc` needs. */
export interface ToldRpcPorts extends Booking {
  bodyKeyReady: () => Promise<void>
  rearm: () => Promise<void>
}

/** RPC methods about requests that traces and logs of other programs tell of. */
export class ToldRpc {
  readonly #ports: ToldRpcPorts
  readonly #store: RegistryStore

  constructor(ports: ToldRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
  }

  /** Counts each request once, however often it is told. Returns what became of each, in order. */
  async told(requests: ToldRequest[]): Promise<ToldVerdict[]> {
    const isReadable = await this.#ports.bodyKeyReady().then(
      () => true,
      () => false,
    )
    const verdicts = this.#store.transaction(() => this.#count(requests, isReadable))
    await this.#ports.rearm()
    return verdicts
  }

  #count(requests: readonly ToldRequest[], isReadable: boolean): ToldVerdict[] {
    const now = this.#ports.clock.now()
    const { toldCalls, stats } = this.#store
    const seen = toldCalls.known(requests.flatMap(({ key, asAbove }) => [key, ...listed(asAbove)]))
    const added: string[] = []
    const observed = new Map<string, Arrival[]>()
    const verdicts = requests.map((request): ToldVerdict => {
      if (seen.has(request.key)) return 'duplicate'
      const keys = [request.key, ...listed(request.above)]
      added.push(...keys)
      seen.add(request.key)
      if (request.asAbove !== undefined && seen.has(request.asAbove)) return 'repeated'
      const found = this.#prefixOf(request)
      if ('why' in found) return found.why
      const { startedAt, usage, ttftMs } = request
      observed.set(found.id, [...(observed.get(found.id) ?? []), { startedAt, usage, ttftMs }])
      return 'matched'
    })
    const booked = [...observed].map(([id, arrivals]) => ({ id, arrivals }))
    bookArrivals(this.#ports, booked, isReadable)
    const others = requests.filter((_, index) => COUNTED_ALONE.has(verdicts[index] ?? ''))
    countUnregistered(
      stats,
      others.map(({ providers, models, startedAt, usage }) => ({
        provider: providers[0] ?? '',
        model: models[0] ?? '',
        at: startedAt,
        usage,
      })),
      now,
    )
    toldCalls.add(added, now)
    return verdicts
  }

  /** The prefix that a request names: by its id, or as the current version of its name, at the provider and model that answered. */
  #prefixOf({ prefixes, providers, models }: ToldRequest): { id: string } | { why: UnnamedWhy } {
    let why: UnnamedWhy = prefixes.length === 0 ? 'no_prefix' : 'no_such_prefix'
    for (const given of prefixes) {
      const k = this.#store.prefixes.keyOf('id', given) ?? this.#store.prefixes.name(given)?.k ?? null
      const record = k === null ? null : this.#store.prefixes.record(k)
      if (record === null) continue
      const card = cardById(record.provider)
      const same = (model: string): boolean =>
        card !== undefined && entryModel(card, model) === entryModel(card, record.model)
      if (!providers.includes(record.provider)) why = 'other_provider'
      else if (!models.some(same)) why = 'other_model'
      else return { id: record.id }
    }
    return { why }
  }
}

const COUNTED_ALONE: ReadonlySet<string> = new Set<UnnamedWhy>([
  'no_prefix',
  'no_such_prefix',
  'other_provider',
  'other_model',
])

function listed(value: string | undefined): string[] {
  return value === undefined ? [] : [value]
}

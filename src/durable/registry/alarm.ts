import type { Clock } from '../../runtime/clock.ts'
import type { ManagedCacheStore } from './tables/managed-caches.ts'
import type { RegistryStore } from './tables/tables.ts'

/** The Directory is told only of moves that its minute grain can use. */
const TELL_MS = 60_000

/** When something must happen next, and who is told: the object's own alarm, and the Directory. */
export class RegistryAlarm {
  readonly #ctx: Pick<DurableObjectState, 'storage' | 'waitUntil'>
  readonly #store: RegistryStore
  readonly #handles: ManagedCacheStore
  readonly #clock: Clock
  readonly #tell: (nextAt: number) => Promise<void>
  #toldAt = Number.POSITIVE_INFINITY

  constructor(
    ctx: Pick<DurableObjectState, 'storage' | 'waitUntil'>,
    store: RegistryStore,
    handles: ManagedCacheStore,
    clock: Clock,
    tell: (nextAt: number) => Promise<void>,
  ) {
    this.#ctx = ctx
    this.#store = store
    this.#handles = handles
    this.#clock = clock
    this.#tell = tell
  }

  /** The earliest instant at which something must happen to a prefix or a managed cache. */
  nextAt(): number | null {
    const times = [this.#store.nextAt(), this.#handles.nextAt()].filter((at) => at !== null)
    return times.length === 0 ? null : Math.min(...times)
  }

  /** The alarm is the earliest thing that must happen. Computed here and nowhere else, from the tables. */
  async rearm(): Promise<void> {
    const nextAt = this.nextAt()
    if (nextAt === null) return
    const at = Math.ceil(this.#clock.realAt(nextAt))
    const armed = await this.#ctx.storage.getAlarm()
    // One that comes too early finds nothing and re-arms: cheaper than moving it each time.
    if (armed === null || armed > at) await this.#ctx.storage.setAlarm(at)
    if (nextAt < this.#toldAt - TELL_MS) {
      this.#toldAt = nextAt
      this.#ctx.waitUntil(this.#tell(nextAt))
    }
  }

  /** The next due time, for the Directory, which asked for it. */
  answer(): number | null {
    const nextAt = this.nextAt()
    this.#toldAt = nextAt ?? Number.POSITIVE_INFINITY
    return nextAt
  }
}

import type { Clock } from '../../runtime/clock.ts'
import type { ManagedCacheStore } from './tables/managed-caches.ts'
import type { RegistryStore } from './tables/tables.ts'

/** The Directory plans by the minute: smaller moves of the due time are not reported to it. */
const REPORT_MS = 60_000

/** Sets the object's own alarm to the next due time, and reports that time to the Directory. */
export class RegistryAlarm {
  readonly #ctx: Pick<DurableObjectState, 'storage' | 'waitUntil'>
  readonly #store: RegistryStore
  readonly #caches: ManagedCacheStore
  readonly #clock: Clock
  readonly #report: (nextAt: number) => Promise<void>
  #reportedAt = Number.POSITIVE_INFINITY

  constructor(
    ctx: Pick<DurableObjectState, 'storage' | 'waitUntil'>,
    store: RegistryStore,
    caches: ManagedCacheStore,
    clock: Clock,
    report: (nextAt: number) => Promise<void>,
  ) {
    this.#ctx = ctx
    this.#store = store
    this.#caches = caches
    this.#clock = clock
    this.#report = report
  }

  /** The earliest instant at which a prefix or a managed cache is due. Null: nothing is due. */
  nextAt(): number | null {
    const times = [this.#store.nextAt(), this.#caches.nextAt()].filter((at) => at !== null)
    return times.length === 0 ? null : Math.min(...times)
  }

  /** Sets the alarm to the next due time, which is always computed from the tables. */
  async rearm(): Promise<void> {
    const nextAt = this.nextAt()
    if (nextAt === null) return
    const at = Math.ceil(this.#clock.realAt(nextAt))
    const armed = await this.#ctx.storage.getAlarm()
    // An alarm that comes too early finds nothing due and re-arms: cheaper than moving it each time.
    if (armed === null || armed > at) await this.#ctx.storage.setAlarm(at)
    if (nextAt < this.#reportedAt - REPORT_MS) {
      this.#reportedAt = nextAt
      this.#ctx.waitUntil(this.#report(nextAt))
    }
  }

  /** The next due time, as the answer to the Directory's sweep. */
  answer(): number | null {
    const nextAt = this.nextAt()
    this.#reportedAt = nextAt ?? Number.POSITIVE_INFINITY
    return nextAt
  }
}

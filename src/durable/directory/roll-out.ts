import type { Clock } from '../../runtime/clock.ts'
import type { RollOutStore } from './tables/roll-out.ts'

/** Accounts that are told at once. */
const AT_ONCE = 50
/** Pages of one alarm: with each account one call, far below what an invocation may call. */
const PAGES = 20
/** Wait before those are tried again that could not be reached. */
const RETRY_MS = 5_000
/** Real time that an account has to answer. One that hangs must not hold up the others. */
const ANSWER_MS = 20_000

/**
 * Tells every account of the state of the deployment, page by page, by the object's alarm. The table says who was told: after an
 * eviction it goes on with the rest. A change while it runs is told to all, and those who know an older one count as pending.
 */
export class RollOut {
  readonly #store: RollOutStore
  readonly #storage: Pick<DurableObjectStorage, 'setAlarm' | 'getAlarm'>
  readonly #clock: Clock
  readonly #tell: (account: string) => Promise<void>

  /** `tell` passes the state of this moment to one account. */
  constructor(
    store: RollOutStore,
    storage: Pick<DurableObjectStorage, 'setAlarm' | 'getAlarm'>,
    clock: Clock,
    tell: (account: string) => Promise<void>,
  ) {
    this.#store = store
    this.#storage = storage
    this.#clock = clock
    this.#tell = tell
  }

  /** Lets the alarm come now, where somebody has to be told and none is set. */
  async arm(): Promise<void> {
    const { pending, failed } = this.#store.progress()
    if (pending === 0 || (await this.#storage.getAlarm()) !== null) return
    const now = this.#clock.now()
    await this.#storage.setAlarm(this.#clock.realAt(failed === pending ? now + RETRY_MS * this.#clock.rate : now))
  }

  /** One alarm's share. Never throws: an alarm that does is gone after six tries. */
  async run(): Promise<void> {
    try {
      for (let done = 0; done < PAGES; done++) {
        const version = this.#store.version()
        const { ids, failed } = this.#store.page(version, AT_ONCE)
        // The rest has failed already: it waits for the next alarm, unless this alarm came for it.
        if (ids.length === 0 || (failed && done > 0)) break
        const reached = await Promise.all(ids.map((id) => this.#reached(id)))
        const told = ids.filter((_, index) => reached[index])
        const missed = ids.filter((_, index) => !reached[index])
        this.#store.told(version, told, missed)
        if (missed.length > 0) console.error(`roll-out: ${missed.length} registries did not answer`)
        if (failed) break
      }
    } catch (thrown) {
      console.error('roll-out: a page failed', thrown instanceof Error ? thrown.name : 'unknown')
    }
    await this.arm()
  }

  async #reached(id: string): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ANSWER_MS)
    })
    try {
      return await Promise.race([this.#tell(id).then(() => true), late])
    } catch {
      return false
    } finally {
      clearTimeout(timer)
    }
  }
}

import type { Clock } from '../../runtime/clock.ts'
import type { RollOutStore } from './tables/roll-out.ts'

/** Accounts that are told at once. */
const AT_ONCE = 50
/** Pages of one alarm: with each account one call, far below what an invocation may call. */
const PAGES = 20
/** Real time before those are tried again that could not be reached. */
const RETRY_MS = 5_000
/** Real time that an account has to answer. One that hangs must not hold up the others. */
const ANSWER_MS = 20_000

type Storage = Pick<DurableObjectStorage, 'setAlarm' | 'deleteAlarm'>

/**
 * Tells every account of the state of the deployment, page by page, by the object's alarm. The table says who was told: after an
 * eviction it goes on with the rest. A change while it runs is told to all, and those who know an older one count as pending.
 */
export class RollOut {
  readonly #store: RollOutStore
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #tell: (account: string) => Promise<void>
  #runs = false

  /** `tell` passes the state of this moment to one account. */
  constructor(store: RollOutStore, storage: Storage, clock: Clock, tell: (account: string) => Promise<void>) {
    this.#store = store
    this.#storage = storage
    this.#clock = clock
    this.#tell = tell
  }

  /** Lets the alarm come now, where somebody has to be told and nobody is at it. */
  async arm(): Promise<void> {
    if (!this.#runs && this.#store.progress().pending > 0) await this.#storage.setAlarm(this.#realAt(0))
  }

  /** One alarm's share. Never throws: an alarm that does is gone after six tries. */
  async run(): Promise<void> {
    if (this.#runs || this.#store.progress().pending === 0) return
    this.#runs = true
    // Should the object end in the middle, this alarm goes on.
    await this.#storage.setAlarm(this.#realAt(RETRY_MS))
    try {
      for (let done = 0; done < PAGES; done++) if (!(await this.#page(done === 0))) break
    } catch (thrown) {
      console.error('roll-out: a page failed', thrown instanceof Error ? thrown.name : 'unknown')
    }
    this.#runs = false
    const { pending, failed } = this.#store.progress()
    if (pending === 0) await this.#storage.deleteAlarm()
    else await this.#storage.setAlarm(this.#realAt(failed === pending ? RETRY_MS : 0))
  }

  /** Tells one page. False: the rest waits for the next alarm. Accounts that failed are tried by an alarm that has nobody else to tell. */
  async #page(isFirst: boolean): Promise<boolean> {
    const version = this.#store.version()
    const { ids, failed } = this.#store.page(version, AT_ONCE)
    if (ids.length === 0 || (failed && !isFirst)) return false
    const reached = await Promise.all(ids.map((id) => this.#reached(id)))
    const told = ids.filter((_, index) => reached[index])
    const missed = ids.filter((_, index) => !reached[index])
    this.#store.told(version, told, missed)
    if (missed.length > 0) console.error(`roll-out: ${missed.length} registries did not answer`)
    return !failed
  }

  #realAt(inMs: number): number {
    return this.#clock.realAt(this.#clock.now()) + inMs
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

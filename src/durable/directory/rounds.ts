import type { Clock } from '../../runtime/clock.ts'
import type { RoundProgress, RoundStore } from './tables/rounds.ts'

/** Real time before those are tried again that could not be reached. */
const RETRY_MS = 5_000
/** Real time that a visit has. One that hangs must not hold up the others. */
const ANSWER_MS = 20_000

/** Work that is to be done for every account. */
export interface Round {
  /** For logs. */
  name: string
  store: RoundStore
  /** Accounts that are visited at once. */
  atOnce: number
  /** Pages of one alarm: with the calls of each visit far below what an invocation may call. */
  pages: number
  visit: (account: string) => Promise<void>
  /** What is to be done once all accounts were tried, and some perhaps could not be reached. It may begin another round. */
  after?: { isDue: () => boolean; run: (progress: RoundProgress) => Promise<void> }
}

type Storage = Pick<DurableObjectStorage, 'setAlarm' | 'deleteAlarm'>

/**
 * Visits every account for each kind of round, page by page, by the object's alarm. The tables say who was visited: after an eviction it
 * goes on with the rest. A round that begins while one runs is for all, also for those whom the other has reached.
 */
export class Rounds {
  readonly #rounds: readonly Round[]
  readonly #storage: Storage
  readonly #clock: Clock
  /** Shares of the alarm that runs, by round; null: none runs. Kinds do not wait for each other. */
  #shares: Map<Round, Promise<void>> | null = null

  constructor(rounds: readonly Round[], storage: Storage, clock: Clock) {
    this.#rounds = rounds
    this.#storage = storage
    this.#clock = clock
  }

  /** Lets the alarm come now, where somebody has to be visited and nobody is at it. */
  async arm(): Promise<void> {
    if (this.#shares !== null) this.#launch()
    else if (this.#rounds.some(hasWork)) await this.#storage.setAlarm(this.#realAt(0))
  }

  /** One alarm's share. Never throws: an alarm that does is gone after six tries. */
  async run(): Promise<void> {
    if (this.#shares !== null || !this.#rounds.some(hasWork)) return
    this.#shares = new Map()
    // Should the object end in the middle, this alarm goes on.
    await this.#storage.setAlarm(this.#realAt(RETRY_MS))
    this.#launch()
    while (this.#shares.size > 0) await Promise.race(this.#shares.values())
    this.#shares = null
    const left = this.#rounds.filter(hasWork)
    if (left.length === 0) await this.#storage.deleteAlarm()
    else await this.#storage.setAlarm(this.#realAt(left.every(onlyFailed) ? RETRY_MS : 0))
  }

  #launch(): void {
    for (const round of this.#rounds) {
      if (this.#shares?.has(round) !== false || !hasWork(round)) continue
      const share = this.#share(round).finally(() => this.#shares?.delete(round))
      this.#shares.set(round, share)
    }
  }

  async #share(round: Round): Promise<void> {
    try {
      for (let done = 0; done < round.pages; done++) if (!(await this.#page(round, done === 0))) break
      const progress = round.store.progress()
      if (progress.pending === progress.failed && round.after?.isDue() === true) await round.after.run(progress)
    } catch (thrown) {
      console.error(`${round.name}: a page failed`, thrown instanceof Error ? thrown.name : 'unknown')
    }
  }

  /** Visits one page. False: the rest waits for the next alarm. Accounts that failed are tried by an alarm that has nobody else to visit. */
  async #page({ name, store, atOnce, visit }: Round, isFirst: boolean): Promise<boolean> {
    const version = store.version()
    const { ids, failed } = store.page(version, atOnce)
    if (ids.length === 0 || (failed && !isFirst)) return false
    const reached = await Promise.all(ids.map((id) => this.#reached(visit, id)))
    const visited = ids.filter((_, index) => reached[index])
    const missed = ids.filter((_, index) => !reached[index])
    store.visited(version, visited, missed)
    if (missed.length > 0) console.error(`${name}: ${missed.length} registries did not answer`)
    return !failed
  }

  #realAt(inMs: number): number {
    return this.#clock.realAt(this.#clock.now()) + inMs
  }

  async #reached(visit: Round['visit'], id: string): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), ANSWER_MS)
    })
    try {
      return await Promise.race([visit(id).then(() => true), late])
    } catch {
      return false
    } finally {
      clearTimeout(timer)
    }
  }
}

export function hasWork({ store, after }: Round): boolean {
  return store.progress().pending > 0 || after?.isDue() === true
}

/** Whether what is left has been tried in vain, so that it is better tried again later. */
function onlyFailed({ store }: Round): boolean {
  const { pending, failed } = store.progress()
  return pending > 0 ? pending === failed : true
}

/** Keeps what the lab received and what the product said, for the judge. */
import type { TranscriptRow } from '../../test/lab/transcript.ts'
import type { Account, HeldHandle, StormWorld } from './world.ts'
import { MARK, MESSAGE_MARK, wireOf } from './bodies.ts'
import type { StormPrefix } from './bodies.ts'
import { Holdings } from './holdings.ts'
import type { AtRest, Said, StormCall } from './judge.ts'
import type { HandleSeen } from './traffic/judge.ts'

interface View {
  id: string
  name: string
  probes: number
  in_flight: boolean
  warmth: { state: string }
  plan: { next_probe_at: string | null; stopped: { reason: string } | null }
}

/** Paths of free counts. */
const FREE_COUNT = /count[_-]?tokens$|\/count-tokens:rawPredict$|\/input_tokens$/i
const ROWS_AT_ONCE = 2_000

export class Witness {
  readonly said: Said[] = []
  /** Bookings by prefix, one map for each look at all accounts. */
  readonly counts: Map<string, number>[] = []
  /** Prefixes whose plan had stopped at the last look. */
  stopped: { account: Account; id: string; mark: string }[] = []
  rest: AtRest[] = []
  /** Every prefix that was ever listed, and whose it is. */
  readonly known = new Map<string, { account: Account; id: string }>()
  /** Rows of the transcript that the lab had dropped before they were read. */
  gaps = 0
  /** Looks that the product did not answer in whole. */
  unanswered = 0
  readonly #world: StormWorld
  readonly #rows = new Map<number, TranscriptRow>()
  readonly #open = new Set<number>()
  #lastSeq = 0
  readonly #holdings = new Holdings()
  readonly #handles = new Map<string, HandleSeen>()

  constructor(world: StormWorld) {
    this.#world = world
  }

  get rows(): number {
    return this.#rows.size
  }

  /** Reads the new rows of the transcript, and those again that had not ended. */
  async read(): Promise<void> {
    for (;;) {
      const since = Math.min(this.#lastSeq, ...[...this.#open].map((seq) => seq - 1))
      const rows = await this.#world.transcript(since, ROWS_AT_ONCE)
      const before = this.#lastSeq
      for (const row of rows) await this.#keep(row)
      if (this.#lastSeq === before || rows.length < ROWS_AT_ONCE) return
    }
  }

  async #keep(row: TranscriptRow): Promise<void> {
    if (row.seq > this.#lastSeq) {
      this.gaps += row.seq - this.#lastSeq - 1
      this.#lastSeq = row.seq
    }
    if (row.finished_at === null) this.#open.add(row.seq)
    else this.#open.delete(row.seq)
    // The beginning of the body names what it is for; the rest is not kept. A bot's newest message is behind all others.
    let mark = this.#rows.get(row.seq)?.body ?? MARK.exec(row.body)?.[0] ?? ''
    if (/bot-\d+$/.test(mark)) mark = (await this.#world.bodyOf(row.seq)).match(MESSAGE_MARK)?.toSorted().at(-1) ?? mark
    this.#rows.set(row.seq, { ...row, body: mark })
    this.#holdings.touched(mark, row.provider, row.entries ?? [], row.faults.includes('overbilled'))
  }

  /** Handles as the lab showed them, from look to look. */
  get handles(): HandleSeen[] {
    return [...this.#handles.values()]
  }

  /** Calls that were billed and belong to nothing of the storm. */
  get unknown(): TranscriptRow[] {
    return [...this.#rows.values()].filter(({ body, usage }) => body === '' && usage !== null)
  }

  /** The rows of the transcript about these, as the lab gave them, without the rest of their bodies. */
  rowsOf(marks: ReadonlySet<string>): TranscriptRow[] {
    return [...this.#rows.values()].filter(({ body }) => marks.has(body)).toSorted((a, b) => a.seq - b.seq)
  }

  /** The calls of the storm that can cost something. Nobody books a free count, or a handle that is asked for, renewed or deleted. */
  calls(): StormCall[] {
    return [...this.#rows.values()]
      .filter(({ body, path, method }) => body !== '' && method === 'POST' && !FREE_COUNT.test(path))
      .toSorted((a, b) => a.seq - b.seq)
      .map((row) => ({
        seq: row.seq,
        mark: row.body,
        wire: wireOf(row.body),
        lease: row.tag ?? null,
        at: row.at,
        finishedAt: row.finished_at,
        status: row.status,
        faults: row.faults,
        usage: row.usage,
        told: row.told === undefined ? row.usage : row.told,
        entries: row.entries ?? [],
        bytes: row.body_chars,
      }))
  }

  /** Asks the product for all prefixes, and the lab before and after for what it holds. */
  async look(accounts: readonly Account[], prefixes: readonly StormPrefix[]): Promise<void> {
    const fromAt = this.#world.now()
    const before = await this.#world.held()
    const ahead = this.#world.aheadMs
    const views: { account: Account; view: View }[] = []
    try {
      for (const account of accounts)
        for (const view of await allViews(this.#world, account)) views.push({ account, view })
    } catch {
      this.unanswered += 1 // it was killed in the middle; the next look comes
      return
    }
    const after = await this.#world.held()
    await this.read()
    this.#see(before.handles, fromAt)
    this.#see(after.handles, this.#world.now())
    const held = this.#holdings.held([...before.entries, ...after.entries])
    const wanted = new Map(prefixes.map((one) => [one.mark, one]))
    const rest: AtRest[] = []
    for (const { account, view } of views) {
      const prefix = wanted.get(view.name)
      if (prefix === undefined) continue
      this.known.set(view.name, { account, id: view.id })
      this.said.push({
        mark: view.name,
        wire: prefix.wire,
        at: fromAt,
        state: view.warmth.state,
        held: held.has(view.name),
        ...(!held.has(view.name) && WARM.has(view.warmth.state) ? { view } : {}),
      })
      const { next_probe_at: next, stopped } = view.plan
      rest.push({
        mark: view.name,
        nextAt: next === null ? null : Date.parse(next) - ahead,
        stopped: stopped?.reason ?? null,
        inFlight: view.in_flight,
      })
    }
    this.counts.push(new Map(views.map(({ view }) => [view.name, view.probes])))
    this.rest = rest
    this.stopped = views
      .filter(({ view }) => view.plan.stopped !== null)
      .map(({ account, view }) => ({ account, id: view.id, mark: view.name }))
  }

  #see(handles: readonly HeldHandle[], at: number): void {
    for (const { name, tokens, expires_at: untilAt } of handles) {
      const known = this.#handles.get(name)
      const firstAt = known?.firstAt ?? at
      const longest = Math.max(untilAt, known?.untilAt ?? 0)
      this.#handles.set(name, { name, tokens, firstAt, lastAt: at, untilAt: longest })
    }
  }
}

const WARM: ReadonlySet<string> = new Set(['warm', 'expiring'])

async function allViews(world: StormWorld, account: Account): Promise<View[]> {
  return (await world.pages<View>(world.client(account.key), '/prefixes?limit=200')).data
}

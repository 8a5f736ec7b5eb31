/** Keeps what the lab received and what the product said, for the judge. */
import type { TranscriptRow } from '../../test/lab/transcript.ts'
import type { Account, StormWorld } from './world.ts'
import { MARK, WIRES } from './bodies.ts'
import type { StormPrefix, Wire } from './bodies.ts'
import type { AtRest, HeldEntry, Said, StormCall } from './judge.ts'

interface View {
  id: string
  name: string
  probes: number
  in_flight: boolean
  warmth: { state: string }
  plan: { next_probe_at: string | null; stopped: { reason: string } | null }
}

const ROWS_AT_ONCE = 2_000
/** An entry of an automatic cache is held in steps; the last one may reach into the probe's own turn. */
const WHOLE = 0.9

export class Witness {
  readonly said: Said[] = []
  /** Bookings by prefix, one map for each look at all accounts. */
  readonly counts: Map<string, number>[] = []
  /** Prefixes whose plan had stopped at the last look. */
  stopped: { account: Account; id: string; mark: string }[] = []
  rest: AtRest[] = []
  /** Rows of the transcript that the lab had dropped before they were read. */
  gaps = 0
  /** Looks that the product did not answer in whole. */
  unanswered = 0
  readonly #world: StormWorld
  readonly #rows = new Map<number, TranscriptRow>()
  readonly #open = new Set<number>()
  #lastSeq = 0
  /** Which prefix an entry belongs to, and how many tokens its longest entry has. */
  readonly #markOf = new Map<string, string>()
  readonly #longest = new Map<string, number>()

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
      for (const row of rows) this.#keep(row)
      if (this.#lastSeq === before || rows.length < ROWS_AT_ONCE) return
    }
  }

  #keep(row: TranscriptRow): void {
    if (row.seq > this.#lastSeq) {
      this.gaps += row.seq - this.#lastSeq - 1
      this.#lastSeq = row.seq
    }
    if (row.finished_at === null) this.#open.add(row.seq)
    else this.#open.delete(row.seq)
    // The beginning of the body names the prefix; the rest is not kept.
    const mark = MARK.exec(row.body)?.[0] ?? ''
    this.#rows.set(row.seq, { ...row, body: mark })
    for (const hash of row.entries ?? []) this.#markOf.set(`${row.provider}:${hash}`, mark)
  }

  /** The calls for prefixes of the storm. Free counts are no calls that anybody books. */
  calls(): StormCall[] {
    return [...this.#rows.values()]
      .filter(
        ({ body, path }) => body !== '' && !/count[_-]?tokens$|\/count-tokens:rawPredict$|\/input_tokens$/i.test(path),
      )
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
    const held = this.#heldMarks([...before, ...after])
    const known = new Map(prefixes.map((one) => [one.mark, one]))
    const rest: AtRest[] = []
    for (const { view } of views) {
      const prefix = known.get(view.name)
      if (prefix === undefined) continue
      this.said.push({
        mark: view.name,
        wire: prefix.wire,
        at: fromAt,
        state: view.warmth.state,
        held: held.has(view.name),
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

  /** Prefixes of which the lab holds the whole. */
  #heldMarks(entries: readonly HeldEntry[]): Set<string> {
    const most = new Map<string, number>()
    for (const { provider, hash, tokens } of entries) {
      const mark = this.#markOf.get(`${provider}:${hash}`)
      if (mark !== undefined) most.set(mark, Math.max(tokens, most.get(mark) ?? 0))
    }
    for (const [mark, tokens] of most) this.#longest.set(mark, Math.max(tokens, this.#longest.get(mark) ?? 0))
    return new Set([...most].filter(([mark, tokens]) => tokens >= WHOLE * (this.#longest.get(mark) ?? 0)).map(first))
  }
}

function first([key]: [string, number]): string {
  return key
}

/** The wire format of a prefix is in its number. */
function wireOf(mark: string): Wire {
  return WIRES[Number(mark.slice(-5)) % WIRES.length] ?? 'anthropic'
}

async function allViews(world: StormWorld, account: Account): Promise<View[]> {
  const call = world.client(account.key)
  const views: View[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const { status, body } = await call<{ data: View[]; next_cursor: string | null }>(
      'GET',
      `/prefixes?limit=200${page}`,
    )
    if (status !== 200) throw new Error(`GET /prefixes answered ${status}`)
    views.push(...body.data)
    cursor = body.next_cursor
  }
  return views
}

import { Failure } from '../../../contract/failure.ts'
import { afterSightings, distinct, weightAt } from '../../../core/candidates/candidate.ts'
import type { Candidate, Sighting } from '../../../core/candidates/candidate.ts'
import { judged } from '../../../core/candidates/judgement.ts'
import { countUnregistered } from '../ledger/request-counts.ts'
import { candidateId, newKeySeed } from '../../../runtime/ids.ts'
import type { LearningOrder, Lesson, RefusedByUse } from '../../../registration/by-use/lesson.ts'
import type { Lookup } from '../../../registration/lookup.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { CandidateView } from '../../../core/candidates/judgement.ts'
import { editsAside } from '../ledger/edit-trials.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Most candidates that wait for their next call at once. */
export const MOST_WANTED = 100
/** Most calls of one write that are counted, so that a write stays short: evenly chosen where there are more. */
const MOST_LESSONS = 2_000
/** Refusals that are kept. */
const MOST_REFUSED = 20

/** The candidates of one account: what recurs in its calls, and is not registered. Synchronous; all state is in the tables. */
export class Candidates {
  readonly #store: RegistryStore
  readonly #factsOf: ProbeSchedulerPorts['factsOf']

  constructor(store: RegistryStore, { factsOf }: Pick<ProbeSchedulerPorts, 'factsOf'>) {
    this.#store = store
    this.#factsOf = factsOf
  }

  /** Counts what calls began with, in one write. Nothing where the account has it off. */
  learn(lessons: readonly Lesson[], now: number): void {
    if (lessons.length === 0 || this.#learns === 'off') return
    countUnregistered(this.#store.stats, lessons, now)
    const idOf = idsWith(this.#salt())
    const sightings = sampled(lessons).flatMap((lesson) => sightingsOf(lesson, idOf))
    this.#store.candidates.save({ all: afterSightings(this.#store.candidates.all(), sightings, now) })
  }

  /** All of them, the most used first, each with its judgement. */
  list(now: number): CandidateView[] {
    const all = [...afterSightings(this.#store.candidates.all(), [], now).values()]
    const children = Map.groupBy(all, ({ parent }) => parent)
    return all
      .toSorted((a, b) => weightAt(b, now) - weightAt(a, now) || (a.id < b.id ? -1 : 1))
      .map((one) => this.#view(one, children.get(one.id) ?? [], now))
  }

  /** Has the next call that begins with it registered, under a label. Throws `not_found`, and `conflict` where nothing would come of it. */
  want(id: string, name: string | null, now: number): CandidateView {
    if (this.#learns === 'off') {
      const text =
        'This account learns nothing from its calls (PATCH /accounts/{id} learn), so that none would be registered.'
      throw new Failure('conflict', text, { reason: 'learn_off' })
    }
    const all = afterSightings(this.#store.candidates.all(), [], now)
    const known = this.#known(id, all)
    const others = [...all.values()].filter((one) => one.wantedAt !== undefined && one.id !== id)
    if (others.length >= MOST_WANTED) {
      const text = `At most ${MOST_WANTED} candidates can wait for their next call; delete one first.`
      throw new Failure('conflict', text, { limit: MOST_WANTED })
    }
    const wanted = { ...known, wantedAt: now, ...(name === null ? {} : { name }) }
    this.#store.candidates.save({ all: all.set(id, wanted) })
    return this.#view(
      wanted,
      [...all.values()].filter(({ parent }) => parent === id),
      now,
    )
  }

  /** Forgets a candidate. It is counted anew with its next call. Throws `not_found`. */
  remove(id: string, now: number): void {
    const all = afterSightings(this.#store.candidates.all(), [], now)
    this.#known(id, all)
    all.delete(id)
    this.#store.candidates.save({ all })
  }

  /** Forgets the candidate of an entry that is registered now. */
  registered(entry: Lookup): void {
    const id = candidateId(entry, this.#salt())
    const all = new Map(this.#store.candidates.all())
    if (all.delete(id)) this.#store.candidates.save({ all })
  }

  /** Whether a caller wants it registered with the next call. */
  isWanted(id: string): boolean {
    return this.#store.candidates.all().get(id)?.wantedAt !== undefined
  }

  refused(): readonly RefusedByUse[] {
    return this.#store.candidates.refused()
  }

  /** Remembers a registration that was refused; the same one again only with its time. */
  addRefused(refused: RefusedByUse): void {
    const others = this.#store.candidates
      .refused()
      .filter((one) => JSON.stringify({ ...one, at: 0 }) !== JSON.stringify({ ...refused, at: 0 }))
    this.#store.candidates.save({ refused: [refused, ...others].slice(0, MOST_REFUSED) })
  }

  order(now: number): LearningOrder | null {
    const settings = this.#store.settings()
    if (settings === null || settings.deletingAt !== undefined) return null
    const { learn = 'observe', lint = null, allowedSecrets } = settings
    const wanted = [...this.#store.candidates.all().values()]
      .filter(({ wantedAt }) => wantedAt !== undefined)
      .map(({ id, name = null }) => ({ id, name }))
    const aside = editsAside(this.#store, now)
    return { learn, lint, salt: this.#salt(), wanted, allowedSecrets, ...(aside.length === 0 ? {} : { aside }) }
  }

  get #learns(): LearningOrder['learn'] {
    return this.#store.settings()?.learn ?? 'observe'
  }

  #known(id: string, all: ReadonlyMap<string, Candidate>): Candidate {
    const known = all.get(id)
    if (known === undefined) throw new Failure('not_found', 'there is no candidate with this id')
    return known
  }

  #view(one: Candidate, longer: readonly Candidate[], now: number): CandidateView {
    const facts = this.#factsOf(one.provider, one.model, now)
    return { ...one, estimatedSessions: distinct(one.sessions), judgement: judged(one, longer, facts, now) }
  }

  /** Drawn once. It goes with the account, and with its prompts. */
  #salt(): string {
    const known = this.#store.setting('candidate_salt')
    if (known !== null) return known
    const drawn = newKeySeed()
    this.#store.saveSetting('candidate_salt', drawn)
    return drawn
  }
}

function sampled(lessons: readonly Lesson[]): readonly Lesson[] {
  const every = Math.ceil(lessons.length / MOST_LESSONS)
  return every <= 1 ? lessons : lessons.filter((_, at) => at % every === 0)
}

function sightingsOf(
  { provider, model, at, session, usage, ends, whole }: Lesson,
  idOf: (entry: Lookup) => string,
): Sighting[] {
  const ids = [...ends.map(({ entry }) => entry), ...(whole === null ? [] : [whole])].map(idOf)
  return ends.map(({ tokens }, place) => {
    const next = ids[place + 1]
    return {
      id: ids[place] ?? '',
      parent: ids[place - 1] ?? null,
      provider,
      model,
      tokens,
      at,
      session,
      follower: next === undefined ? null : Buffer.from(next.slice(-8), 'base64url').readUInt32BE(),
      usage,
    }
  })
}

/** Remembers the ids of a batch, in which most entries come again and again. */
function idsWith(salt: string): (entry: Lookup) => string {
  const known = new Map<Lookup, string>()
  return (entry) => {
    const id = known.get(entry) ?? candidateId(entry, salt)
    known.set(entry, id)
    return id
  }
}

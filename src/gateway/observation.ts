import type { Lifetime } from '../contract/lifetime.ts'
import type { Lookup } from '../registration/lookup.ts'
import type { AgentsOfCall, Lesson } from '../registration/by-use/lesson.ts'
import type { Arm } from '../core/ledger/edit-trial.ts'
import type { CallFacts } from '../registration/misses/passed-call.ts'
import type { Usage } from '../core/model/usage.ts'
import type { Served } from '../core/prefix/served-model.ts'
import { packedRetentions, unpackedRetention } from './message/retentions.ts'

/** What one call through the gateway showed. It holds hashes, counts and instants, and nothing of the prompt. */
export interface Seen {
  account: string
  /** Id of the card that its body belongs to. */
  provider: string
  startedAt: number
  usage: Usage
  ttftMs: number | null
  /** Places at which a registered prefix may end in its body, the longest first. */
  ends: readonly SeenEnd[]
  /** Hash of what its body says of the server that answers; absent: it says nothing. */
  routing?: string
  /** Name of the managed cache that its body refers to. */
  handle?: string
  /** A client sent it again after a failure: it is no new demand. */
  again?: true
  /** What it teaches where no prefix is registered for it; absent: nothing, as its account or its caller wishes. */
  lesson?: SeenLesson
  /** It asked for an edit that could be made. */
  edit?: SeenEdit
  /** Which model answered; absent: its answer names none. */
  served?: Served
  /** Name of the retention that its caller asked for beside its body; absent: none. */
  asked?: string
  /** How long its session lives, by its header or its user agent; absent: not known. */
  lifetime?: Lifetime
  /** What is remembered of it, to judge it by the call before it; absent: nothing, as its account or its caller wishes. */
  call?: CallFacts
  /** It was counted already, when its prefix was registered with it. */
  booked?: true
  /** Whose call it was, and who waits for it; absent: its headers do not say. */
  agents?: SeenAgents
}

export type SeenAgents = Omit<AgentsOfCall, 'startedAt'>

/** A call that asked for an edit which could be made. `session`: a keyed hash, below 2^32. */
export interface SeenEdit {
  arm: Arm
  model: string
  session: number
}

export type SeenLesson = Pick<Lesson, 'model' | 'session' | 'ends' | 'whole'>

/** An end of a prefix that a body begins with. `far`: the call could not read an entry that ends there, whatever became of it. */
export interface SeenEnd {
  entry: Lookup
  far?: true
  /** Name of the retention that the body carries there; null: none. Absent: its model states no lifetimes, or an older message. */
  sent?: string | null
}

/** A message of observations, before it is sealed for the queue. Its members are stored words. */
export interface ObservationMessage {
  v: 1
  /** Its own number: isolate and count. One that comes twice counts once. */
  id: string
  /** When it was sent, in epoch ms of the deployment's clock. */
  at: number
  groups: ObservationGroup[]
}

/** The calls of one account. `hashes`: every `entry` once. */
export interface ObservationGroup {
  account: string
  hashes: Lookup[]
  /** Estimated tokens up to each of `hashes`, where a lesson names it; 0: none does. Absent: there are no lessons. */
  tokens?: number[]
  calls: PackedCall[]
}

/** One call. `ends` and `far` are places in the group's `hashes`. Counts: as `COUNTS` orders them. */
export interface PackedCall {
  p: string
  at: number
  ttft?: number
  counts: (number | null)[]
  by?: Record<string, number>
  summed?: true
  ends: number[]
  far?: number[]
  routing?: string
  handle?: string
  again?: true
  /** Its lesson: model, session, and places in the group's `hashes`, the last of them the whole body. */
  learn?: [model: string, session: number, ends: number[], whole: number | null]
  /** The model that answered: another one than was asked for, by its name, or 1 for that one. */
  model?: string | 1
  lives?: Lifetime
  /** The retention that was asked for beside the body; retentions that it carries, and at which of `ends`. */
  ask?: string
  ttls?: Record<string, number[]>
  /** Its edit: 1 where it was made, 0 where it was left out to compare; model, session. */
  edit?: [made: 0 | 1, model: string, session: number]
  call?: CallFacts
  booked?: true
  /** Its agents, by places in the group's `hashes`, and when it ended. */
  who?: [self: number | null, parent: number | null, endedAt: number]
}

const COUNTS = [
  'inputTokens',
  'uncachedTokens',
  'cacheReadTokens',
  'cacheWriteTokens',
  'outputTokens',
  'reasoningTokens',
] as const

/** Adds a call to its account's group. Returns about how many bytes longer the message has become. */
export function pack(groups: Map<string, PackedGroup>, seen: Seen): number {
  const { account, provider, startedAt, usage, ttftMs, ends, routing, handle, again, lesson, lifetime, agents } = seen
  const { served, edit, call: facts, booked, asked } = seen
  const group = groups.get(account) ?? {
    hashes: new Map<Lookup, number>(),
    tokens: new Map<number, number>(),
    calls: [],
  }
  groups.set(account, group)
  const known = group.hashes.size
  const placeOf = (entry: Lookup): number => {
    const place = group.hashes.get(entry) ?? group.hashes.size
    group.hashes.set(entry, place)
    return place
  }
  const places = ends.map(({ entry }) => placeOf(entry))
  const far = places.filter((_, index) => ends[index]?.far === true)
  const call: PackedCall = {
    p: provider,
    at: startedAt,
    ...(ttftMs === null ? {} : { ttft: ttftMs }),
    counts: COUNTS.map((name) => usage[name]),
    ...(Object.keys(usage.cacheWriteByRetention).length === 0 ? {} : { by: usage.cacheWriteByRetention }),
    ...(usage.summed === true ? { summed: true } : {}),
    ends: places,
    ...(far.length === 0 ? {} : { far }),
    ...(routing === undefined ? {} : { routing }),
    ...(handle === undefined ? {} : { handle }),
    ...(again === true ? { again } : {}),
    ...(served === undefined ? {} : { model: served === true ? 1 : served }),
    ...(edit === undefined ? {} : { edit: [edit.arm === 'edited' ? 1 : 0, edit.model, edit.session] }),
    ...(lesson === undefined ? {} : { learn: packedLesson(lesson, placeOf, group.tokens) }),
    ...(lifetime === undefined ? {} : { lives: lifetime }),
    ...(asked === undefined ? {} : { ask: asked }),
    ...packedRetentions(ends, places),
    ...(agents === undefined ? {} : { who: packedAgents(agents, placeOf) }),
    ...(facts === undefined ? {} : { call: facts }),
    ...(booked === undefined ? {} : { booked }),
  }
  group.calls.push(call)
  return JSON.stringify(call).length + 1 + (group.hashes.size - known) * BYTES_OF_A_HASH
}

function packedLesson(
  { model, session, ends, whole }: SeenLesson,
  placeOf: (entry: Lookup) => number,
  known: Map<number, number>,
): NonNullable<PackedCall['learn']> {
  const places = ends.map(({ entry, tokens }) => {
    const place = placeOf(entry)
    known.set(place, tokens)
    return place
  })
  return [model, session, places, whole === null ? null : placeOf(whole)]
}

function packedAgents(
  { self, parent, endedAt }: SeenAgents,
  placeOf: (entry: Lookup) => number,
): NonNullable<PackedCall['who']> {
  return [self === null ? null : placeOf(self), parent === null ? null : placeOf(parent), endedAt]
}

/** The group as it is sent. */
export function packedGroup(account: string, { hashes, tokens, calls }: PackedGroup): ObservationGroup {
  const all = [...hashes.keys()]
  return {
    account,
    hashes: all,
    ...(tokens.size === 0 ? {} : { tokens: all.map((_, at) => tokens.get(at) ?? 0) }),
    calls,
  }
}

/** A group that is being filled. */
export interface PackedGroup {
  hashes: Map<Lookup, number>
  /** By place in `hashes`. */
  tokens: Map<number, number>
  calls: PackedCall[]
}

/** Quotes, comma and letter around the 22 characters of a hash, and its tokens. */
const BYTES_OF_A_HASH = 34

/** The calls of a group as they were seen. */
export function unpacked({ account, hashes, tokens, calls }: ObservationGroup): Seen[] {
  return calls.map(
    ({
      p,
      at,
      ttft,
      counts,
      by,
      summed,
      ends,
      far = [],
      ttls,
      ask,
      routing,
      handle,
      again,
      learn,
      lives,
      who,
      ...more
    }): Seen => ({
      account,
      provider: p,
      startedAt: at,
      ttftMs: ttft ?? null,
      usage: {
        inputTokens: counts[0] ?? null,
        uncachedTokens: counts[1] ?? null,
        cacheReadTokens: counts[2] ?? null,
        cacheWriteTokens: counts[3] ?? null,
        outputTokens: counts[4] ?? null,
        reasoningTokens: counts[5] ?? null,
        cacheWriteByRetention: by ?? {},
        ...(summed === true ? { summed } : {}),
      },
      ends: ends.flatMap((place): SeenEnd[] => {
        const entry = hashes[place]
        if (entry === undefined) return []
        return [{ entry, ...(far.includes(place) ? { far: true } : {}), ...unpackedRetention(ttls, place) }]
      }),
      ...(routing === undefined ? {} : { routing }),
      ...(handle === undefined ? {} : { handle }),
      ...(again === true ? { again } : {}),
      ...(more.model === undefined ? {} : { served: more.model === 1 ? true : more.model }),
      ...(more.edit === undefined
        ? {}
        : {
            edit: unpackedEdit(more.edit),
          }),
      ...(learn === undefined ? {} : { lesson: unpackedLesson(learn, hashes, tokens ?? []) }),
      ...(lives === undefined ? {} : { lifetime: lives }),
      ...(ask === undefined ? {} : { asked: ask }),
      ...(who === undefined ? {} : { agents: unpackedAgents(who, hashes) }),
      ...(more.call === undefined ? {} : { call: more.call }),
      ...(more.booked === undefined ? {} : { booked: more.booked }),
    }),
  )
}

function unpackedEdit([made, model, session]: NonNullable<PackedCall['edit']>): SeenEdit {
  return { arm: made === 1 ? 'edited' : 'plain', model, session }
}

function unpackedLesson(
  [model, session, places, whole]: NonNullable<PackedCall['learn']>,
  hashes: readonly Lookup[],
  tokens: readonly number[],
): SeenLesson {
  const ends = places.flatMap((place) => {
    const entry = hashes[place]
    return entry === undefined ? [] : [{ entry, tokens: tokens[place] ?? 0 }]
  })
  return { model, session, ends, whole: whole === null ? null : (hashes[whole] ?? null) }
}

function unpackedAgents(
  [self, parent, endedAt]: NonNullable<PackedCall['who']>,
  hashes: readonly Lookup[],
): SeenAgents {
  const at = (place: number | null): Lookup | null => (place === null ? null : (hashes[place] ?? null))
  return { self: at(self), parent: at(parent), endedAt }
}

/** Reads a message, opened; null: it is none of this version. */
export function readObservations(body: unknown): ObservationMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const { v, id, at, groups } = body as Partial<ObservationMessage>
  if (v !== 1 || typeof id !== 'string' || typeof at !== 'number' || !Array.isArray(groups)) return null
  return { v, id, at, groups }
}

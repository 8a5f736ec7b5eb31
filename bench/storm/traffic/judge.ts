/** What a storm proved of bots and managed caches. Pure, as the judge of prefixes is. */
import { groupBy, UNSEEN, UNTOLD } from '../judge.ts'
import type { StormCall } from '../judge.ts'

/** One message to a bot. */
export interface Message {
  mark: string
  bot: string
  /** The turn under which the product took it; null: nobody knows whether it did. */
  turn: string | null
  /** Another turn that was named for the same message and key. */
  second?: string
}

export interface BotAtRest {
  mark: string
  id: string
  status: string
  waiting: number
  /** How each event ended, in the bot's own history. */
  ended: readonly { turn: string; what: string }[]
}

/** Messages that were taken, and were not ended exactly once: lost, dropped, waiting still, or handled twice. */
export function unanswered(messages: readonly Message[], bots: readonly BotAtRest[]): (Message & { ends: string[] })[] {
  const byBot = new Map(bots.map((bot) => [bot.id, groupBy(bot.ended, ({ turn }) => turn)]))
  return messages.flatMap((message) => {
    if (message.turn === null) return []
    const ends = (byBot.get(message.bot)?.get(message.turn) ?? []).map(({ what }) => what)
    const isOnce = ends.length === 1 && ends[0] !== 'dropped' && message.second === undefined
    return isOnce ? [] : [{ ...message, ends }]
  })
}

/** Calls of one message that its provider processed, beyond the first: a call whose outcome is unknown is never sent again. */
export function chargedTwice(calls: readonly StormCall[]): StormCall[] {
  const processed = calls.filter(({ mark, usage }) => MESSAGE.test(mark) && usage !== null)
  return [...groupBy(processed, ({ mark }) => mark).values()].flatMap((own) => own.slice(1))
}

const MESSAGE = /-msg-\d{5}$/

/** One handle, as the lab showed it over time: where it was first and last seen, and how long it was ever to live. */
export interface HandleSeen {
  name: string
  tokens: number
  firstAt: number
  lastAt: number
  untilAt: number
}

export interface CacheAtRest {
  mark: string
  /** The handle that it has now; null: none. */
  handle: string | null
  state: string
  /** Storage that was charged; null: not known. */
  storageNanos: number | null
  /** Every handle that its history names. */
  known: ReadonlySet<string>
  account: string
  /** What it cost beyond what the rows of its history show: storage since the last of them; null: not known. */
  pendingNanos: number | null
  /** Time since the last row that shows storage. */
  pendingMs: number
}

export interface HandleEvidence {
  handles: readonly HandleSeen[]
  caches: readonly CacheAtRest[]
  calls: readonly StormCall[]
  now: number
  /** Whether a process or an object may have ended in a span. */
  cutBetween: (fromAt: number, untilAt: number) => boolean
}

/** Longest that the comparison with the provider's list needs to find a handle whose creation was not heard: two rounds, and a wait. */
const FOUND_WITHIN_MS = 100 * 60_000
const HEARD_WITHIN_MS = 60_000

/** Handles that live at the provider at the end, and that no managed cache has. One whose name never arrived is excused until it is found. */
export function handlesForgotten({ handles, caches, calls, now, cutBetween }: HandleEvidence): HandleSeen[] {
  const held = new Set(caches.map(({ handle }) => handle))
  const created = new Map(calls.map((call) => [call.seq, call]))
  return handles.filter(({ name, firstAt, lastAt, untilAt }) => {
    // What was not seen at the last look is gone.
    if (untilAt <= now || lastAt < now - HEARD_WITHIN_MS || held.has(name)) return false
    const call = created.get(seqOf(name))
    const isHeard =
      call !== undefined &&
      !call.faults.some((kind) => UNSEEN.has(kind)) &&
      !cutBetween(call.at, (call.finishedAt ?? call.at) + HEARD_WITHIN_MS)
    return isHeard || now - firstAt > FOUND_WITHIN_MS
  })
}

/** The lab's names of handles begin with the number of the call that created them. */
export function seqOf(name: string): number {
  return Number(/lab(\d{8})/.exec(name)?.[1] ?? -1)
}

export interface StorageEvidence {
  handles: readonly HandleSeen[]
  caches: readonly CacheAtRest[]
  /** Nano-dollars of a token for a millisecond. */
  nanosPerTokenMs: number
  /** What the product's clock was moved by in all: it counts by its own. */
  movedMs: number
  /** Managed caches of which a creation was not answered, or its count not told: they are charged at the worst case, or are unknown. */
  vague: ReadonlySet<string>
}

/** Time between two looks at the lab, and between an answer and its booking. */
const LOOKED_MS = 180_000

/** Managed caches of which a creation was not answered, or its count not told. */
export function vagueCaches(
  calls: readonly StormCall[],
  cutBetween: (fromAt: number, untilAt: number) => boolean,
): Set<string> {
  const vague = calls.filter(
    ({ mark, status, faults, at, finishedAt }) =>
      mark.startsWith('storm-cache-') &&
      ((status ?? 500) >= 500 ||
        faults.some((kind) => UNSEEN.has(kind) || UNTOLD.has(kind)) ||
        cutBetween(at - HEARD_WITHIN_MS, (finishedAt ?? at) + HEARD_WITHIN_MS)),
  )
  return new Set(vague.map(({ mark }) => mark))
}

/** What rows of the history, and so of the ledger, will never show: more than the storage since the last row. */
export function storageUnshown({
  handles,
  caches,
  nanosPerTokenMs,
  vague,
}: StorageEvidence): { mark: string; pendingNanos: number | null; most: number }[] {
  return caches.flatMap(({ mark, pendingNanos, pendingMs, known }) => {
    if (vague.has(mark)) return []
    const tokens = Math.max(0, ...handles.filter(({ name }) => known.has(name)).map((one) => one.tokens))
    const most = Math.ceil(tokens * (pendingMs + HEARD_WITHIN_MS) * nanosPerTokenMs)
    return pendingNanos === null || pendingNanos < 0 || pendingNanos > most ? [{ mark, pendingNanos, most }] : []
  })
}

/** Totals of an account beyond its entries: storage that no row shows yet, and nothing else. In nano-dollars, by account. */
export function totalsUnexplained(
  beyond: ReadonlyMap<string, number>,
  caches: readonly Pick<CacheAtRest, 'account' | 'pendingNanos'>[],
): number {
  let unexplained = 0
  for (const [account, nanos] of beyond) {
    const own = caches.filter((one) => one.account === account)
    // Where a part of a cost is unknown, its entry is, and the totals hold the other part.
    const pending = own.some((one) => one.pendingNanos === null)
      ? Infinity
      : own.reduce((sum, one) => sum + (one.pendingNanos ?? 0), 0)
    unexplained += Math.max(0, -nanos, nanos - pending)
  }
  return unexplained
}

/**
 * Storage that was charged less than the known handles of a managed cache lived, or more than they were ever to live. The lab is looked at
 * from time to time, so that each handle has a margin.
 */
export function storageUnbilled(
  evidence: StorageEvidence,
): { mark: string; charged: number; least: number; most: number }[] {
  const { handles, caches, nanosPerTokenMs, movedMs, vague } = evidence
  return caches.flatMap(({ mark, storageNanos, known }) => {
    const own = handles.filter(({ name }) => known.has(name))
    const sum = (lived: (one: HandleSeen) => number): number =>
      own.reduce((nanos, one) => nanos + one.tokens * Math.max(0, lived(one)) * nanosPerTokenMs, 0)
    const least = sum(({ firstAt, lastAt }) => lastAt - firstAt - LOOKED_MS - movedMs)
    const most = sum(({ firstAt, untilAt }) => untilAt - firstAt + LOOKED_MS + movedMs)
    if (storageNanos === null && vague.has(mark)) return []
    const charged = storageNanos ?? -1
    return charged < Math.floor(least) || (charged > Math.ceil(most) && !vague.has(mark))
      ? [{ mark, charged, least, most }]
      : []
  })
}

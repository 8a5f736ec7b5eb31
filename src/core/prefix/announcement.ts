import { leadMs } from '../time/latency.ts'
import type { LatencyEstimate } from '../time/latency.ts'
import { DEADLINE_MARGIN_MS } from '../time/schedule.ts'
import type { PrefixState, Transition } from './state.ts'
import { warmUntil } from './state.ts'
import type { Announcement } from './parts.ts'
import { DAY_MS } from '../time/time.ts'

/** Announcements that one prefix may hold at once: one for every half hour of a day, and 16 more. */
export const MOST_ANNOUNCEMENTS = 64
/** How far ahead traffic may be announced. */
export const FURTHEST_ANNOUNCEMENT_MS = 31 * DAY_MS

/**
 * How long before the announced instant an entry that is gone is written again. It covers a message that comes late or is
 * lost (10 s), a write that times out (50 s), its backoff, and a second attempt.
 */
const PREWARM_MS = 90_000
/** The entry must live this long after the announced instant, because traffic may come a little late. */
const COVER_MS = 60_000

/** The next announcement after `now`; null when there is none. */
export function nextAnnouncement(state: PrefixState, now: number): Announcement | null {
  return announcementsAt(state, now)[0] ?? null
}

/** Announcements after `now`, soonest first. */
export function announcementsAt(state: PrefixState, now: number): Announcement[] {
  return (state.announcements ?? []).filter(({ at }) => at > now)
}

/** Adds an announcement; one of the same instant is replaced. Null: there are `MOST_ANNOUNCEMENTS` already. */
export function applyAnnouncement(before: PrefixState, announcement: Announcement, now: number): Transition | null {
  const others = announcementsAt(before, now).filter(({ at }) => at !== announcement.at)
  if (others.length >= MOST_ANNOUNCEMENTS) return null
  const announcements = [...others, announcement].toSorted((a, b) => a.at - b.at)
  const { at, expectedRequests } = announcement
  const why = `a caller expects ${expectedRequests} request${expectedRequests === 1 ? '' : 's'} at ${new Date(at).toISOString()}`
  return {
    state: { ...before, announcements, generation: before.generation + 1 },
    rows: [{ at: now, type: 'decision', decision: 'announced', why }],
  }
}

/**
 * Removes the announcement of the instant `at`, or with null all that are still to come. Null: there is none to remove.
 */
export function applyWithdrawal(before: PrefixState, at: number | null, now: number): Transition | null {
  const current = announcementsAt(before, now)
  const left = at === null ? [] : current.filter((one) => one.at !== at)
  if (left.length === current.length) return null
  const which =
    at === null
      ? 'all requests that were announced'
      : `the requests that were announced for ${new Date(at).toISOString()}`
  return {
    state: { ...before, announcements: left, generation: before.generation + 1 },
    rows: [{ at: now, type: 'decision', decision: 'withdrawn', why: `a caller no longer expects ${which}` }],
  }
}

/** What an announcement needs now: a call, or to wait until one is due. */
export type Preparation =
  | { do: 'send'; purpose: 'keep' | 'write'; why: string }
  | { do: 'wait'; untilAt: number; why: string }

/**
 * What to do at `now` so that the prefix is warm when announced traffic comes; null when the entry lasts that long by itself.
 * A warm entry is kept until then if that takes at most `breakEvenProbes` probes, whose cost equals one write. Otherwise it
 * may lapse, and is written again in time.
 */
export function preparationFor(
  state: PrefixState,
  { at, expectedRequests }: Announcement,
  {
    breakEvenProbes,
    grainMs,
    latency,
  }: { breakEvenProbes: number; grainMs: number; latency?: LatencyEstimate | undefined },
  now: number,
): Preparation | null {
  const { retention } = state
  if (retention === null) return null
  const { ttlMs } = retention
  const prewarmAt = at - Math.min(PREWARM_MS + 2 * Math.max(0, grainMs - 1_000), Math.floor(ttlMs / 2))
  const neededUntil = at + Math.min(COVER_MS, Math.floor(ttlMs / 4))
  const why = `${expectedRequests} request${expectedRequests === 1 ? ' is' : 's are'} announced for ${new Date(at).toISOString()}`
  const until = warmUntil(state)
  if (until !== null && until > now) {
    if (until >= neededUntil) return null
    // It is too late for a probe: the write follows the lapse.
    if (now >= until - DEADLINE_MARGIN_MS)
      return { do: 'wait', untilAt: until, why: `${why}; it is written once the entry has lapsed` }
    const lead = leadMs(ttlMs, grainMs, latency)
    const probes = Math.ceil((neededUntil - until) / (ttlMs - lead))
    // Only an update renews a fixed retention; a probe does not.
    const isKept = retention.kind !== 'fixed' && (probes <= breakEvenProbes || now >= prewarmAt)
    if (isKept) {
      const dueAt = until - lead
      // One probe is enough close to the instant. It is sent early enough for a second attempt.
      const from = probes === 1 && prewarmAt < dueAt ? prewarmAt : dueAt
      const held = `${why}; it is kept warm until then`
      return now >= from ? { do: 'send', purpose: 'keep', why: held } : { do: 'wait', untilAt: from, why: held }
    }
    return { do: 'wait', untilAt: Math.max(prewarmAt, until), why: `${why}; it may lapse and is written again in time` }
  }
  const again = `${why}; it is written in time`
  return now >= prewarmAt
    ? { do: 'send', purpose: 'write', why: again }
    : { do: 'wait', untilAt: prewarmAt, why: again }
}

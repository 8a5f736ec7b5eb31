import { leadMs } from '../time/latency.ts'
import type { LatencyEstimate } from '../time/latency.ts'
import { DEADLINE_MARGIN_MS } from '../time/schedule.ts'
import type { PrefixState, Transition } from './state.ts'
import { warmUntil } from './state.ts'
import type { Announcement } from './parts.ts'
import { DAY_MS } from '../time/time.ts'

/** Announcements that one prefix may hold at once: a day of half hours, and some. */
export const MOST_ANNOUNCEMENTS = 64
/** The furthest instant that may be announced. */
export const FURTHEST_ANNOUNCEMENT_MS = 31 * DAY_MS

/**
 * How long before the announced instant an entry that is gone is written again. Inside it must fit: a message that comes
 * late or is lost (10 s), a write that times out (50 s), its backoff, and another try.
 */
const PREWARM_MS = 90_000
/** Announced traffic may be a little late: the entry outlives the instant by so much. */
const COVER_MS = 60_000

/** The next announcement at `now`; null when none is to come. */
export function nextAnnouncement(state: PrefixState, now: number): Announcement | null {
  return announcementsAt(state, now)[0] ?? null
}

/** Announcements that are still to come, soonest first. */
export function announcementsAt(state: PrefixState, now: number): Announcement[] {
  return (state.announcements ?? []).filter(({ at }) => at > now)
}

/** Somebody announced traffic; an announcement of the same instant is replaced. Null: there are too many already. */
export function applyAnnouncement(before: PrefixState, announcement: Announcement, now: number): Transition | null {
  const others = announcementsAt(before, now).filter(({ at }) => at !== announcement.at)
  if (others.length >= MOST_ANNOUNCEMENTS) return null
  const announcements = [...others, announcement].toSorted((a, b) => a.at - b.at)
  const { at, expectedRequests } = announcement
  const why = `the caller expects ${expectedRequests} request${expectedRequests === 1 ? '' : 's'} at ${new Date(at).toISOString()}`
  return {
    state: { ...before, announcements, generation: before.generation + 1 },
    rows: [{ at: now, type: 'decision', decision: 'announced', why }],
  }
}

/**
 * The caller takes an announcement back: that of the instant `at`, or with null all that are still to come. Null: there is none such.
 */
export function withdrawn(before: PrefixState, at: number | null, now: number): Transition | null {
  const standing = announcementsAt(before, now)
  const left = at === null ? [] : standing.filter((one) => one.at !== at)
  if (left.length === standing.length) return null
  const which = at === null ? 'all that were announced' : `those that were announced for ${new Date(at).toISOString()}`
  return {
    state: { ...before, announcements: left, generation: before.generation + 1 },
    rows: [
      { at: now, type: 'decision', decision: 'withdrawn', why: `the caller expects no requests any more: ${which}` },
    ],
  }
}

/** What an announcement asks for: a call, or to wait for the moment of one. */
export type Preparing =
  | { do: 'send'; purpose: 'keep' | 'write'; why: string }
  | { do: 'wait'; untilAt: number; why: string }

/**
 * What has to be done at `now` so that the prefix is warm when announced traffic comes and the plan by itself would not see
 * to it; null when the entry lasts. An entry that is there is held over the time between, where the probes cost no more
 * than the write they save (`worthProbes`); otherwise it may lapse, and is written again in time.
 */
export function preparing(
  state: PrefixState,
  { at, expectedRequests }: Announcement,
  { worthProbes, grainMs, pace }: { worthProbes: number; grainMs: number; pace?: LatencyEstimate | undefined },
  now: number,
): Preparing | null {
  const { retention } = state
  if (retention === null) return null
  const { ttlMs } = retention
  const prewarmAt = at - Math.min(PREWARM_MS + 2 * Math.max(0, grainMs - 1_000), Math.floor(ttlMs / 2))
  const neededUntil = at + Math.min(COVER_MS, Math.floor(ttlMs / 4))
  const why = `${expectedRequests} request${expectedRequests === 1 ? ' is' : 's are'} announced for ${new Date(at).toISOString()}`
  const until = warmUntil(state)
  if (until !== null && until > now) {
    if (until >= neededUntil) return null
    // Too late for a probe: the write follows its lapse.
    if (now >= until - DEADLINE_MARGIN_MS)
      return { do: 'wait', untilAt: until, why: `${why}: written once it has lapsed` }
    const lead = leadMs(ttlMs, grainMs, pace)
    const probes = Math.ceil((neededUntil - until) / (ttlMs - lead))
    // Only an update renews what is fixed: a probe would buy no time.
    const holds = retention.kind !== 'fixed' && (probes <= worthProbes || now >= prewarmAt)
    if (holds) {
      const dueAt = until - lead
      // Close to the instant one probe is enough, whenever it goes; it goes while there is time for another.
      const from = probes === 1 && prewarmAt < dueAt ? prewarmAt : dueAt
      const held = `${why}: held until then`
      return now >= from ? { do: 'send', purpose: 'keep', why: held } : { do: 'wait', untilAt: from, why: held }
    }
    return { do: 'wait', untilAt: Math.max(prewarmAt, until), why: `${why}: may lapse, and is written again in time` }
  }
  const again = `${why}: written in time`
  return now >= prewarmAt
    ? { do: 'send', purpose: 'write', why: again }
    : { do: 'wait', untilAt: prewarmAt, why: again }
}

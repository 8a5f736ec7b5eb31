import { MINUTE_MS, SECOND_MS } from '../time/time.ts'
import type { Case, Sent } from './evidence.ts'
import type { Verdict } from './verdicts.ts'

/** A cause that evidence speaks for. `confidence`: how sure it is where no other cause is known. */
export interface Candidate {
  verdict: Verdict
  confidence: number
}

/** A request without a time to first token is taken to write for so long. */
const WRITING_MS = 3 * SECOND_MS
/** Behind the first token an entry may not be readable for so long. Seen by users of the first provider that has markers: issue 1451 of its SDK for Python; checked 2026-11-30. */
const READABLE_MS = 10 * SECOND_MS
/** A lifetime that is only a floor is over at this multiple of it. */
const FLOOR_FACTOR = 4
/** Requests that begin within this time of each other are sent at once. */
const TOGETHER_MS = 5 * SECOND_MS
/** The shortest lifetime that a longer one is cut to. */
const SHORT_TTL_MS = 5 * MINUTE_MS

/** The earlier requests that may have left or renewed the entry, in the order of their starts. */
function earlier({ before, between, after }: Case): Sent[] {
  return [before, ...between]
    .filter(
      ({ startedAt, samePrefix }) => startedAt !== null && samePrefix !== false && startedAt <= (after.startedAt ?? 0),
    )
    .toSorted((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0))
}

/** Time in ms since the entry was last written or read; null: not known. */
export function gapOf(given: Case): number | null {
  const { after, facts } = given
  if (after.startedAt === null) return null
  const uses = earlier(given)
  const last = facts.kind === 'fixed' ? (uses.find(hasWritten) ?? uses[0]) : (uses.findLast(hasUsed) ?? uses.at(-1))
  return last?.startedAt == null ? null : after.startedAt - last.startedAt
}

function hasWritten({ usage }: Sent): boolean {
  return (usage?.cacheWriteTokens ?? 0) > 0
}

/** A request without counts is taken to have used the entry. */
function hasUsed({ usage }: Sent): boolean {
  if (usage === null || (usage.cacheReadTokens === null && usage.cacheWriteTokens === null)) return true
  return (usage.cacheReadTokens ?? 0) > 0 || (usage.cacheWriteTokens ?? 0) > 0
}

/** An entry is proved by a request that read or wrote it; where writes are not reported, a whole prompt leaves one. */
export function isProved(given: Case): boolean {
  const { facts } = given
  return earlier(given).some(
    ({ usage }) =>
      usage !== null &&
      ((usage.cacheReadTokens ?? 0) > 0 ||
        (usage.cacheWriteTokens ?? 0) > 0 ||
        (!facts.writesReported && (usage.inputTokens ?? 0) >= (facts.minimumTokens ?? Infinity))),
  )
}

/** What the clock speaks for. */
export function clockCandidates(given: Case): Candidate[] {
  const { after, facts } = given
  if (after.startedAt === null) return []
  const found: Candidate[] = []
  const together = togetherWith(given)
  if (together !== null) found.push(together)
  const gap = gapOf(given)
  if (gap === null || facts.ttlMs === null) return found
  const expired = expiredAt(gap, facts.ttlMs, facts.kind)
  if (expired > 0) found.push({ verdict: 'expired', confidence: expired })
  return found
}

function expiredAt(gapMs: number, ttlMs: number, kind: Case['facts']['kind']): number {
  if (gapMs <= ttlMs) return 0
  if (kind === 'sliding' || kind === 'fixed') return gapMs > ttlMs + 10 * SECOND_MS ? 0.93 : 0.6
  // A floor, or no promise: it may live much longer.
  return gapMs >= ttlMs * FLOOR_FACTOR ? 0.9 : gapMs >= ttlMs * 2 ? 0.6 : 0.5
}

/** Requests that ran at once, or right behind each other: none could read what none had written. */
function togetherWith(given: Case): Candidate | null {
  const { after } = given
  const start = after.startedAt ?? 0
  const uses = earlier(given)
  const readable = uses.find(({ usage }) => (usage?.cacheReadTokens ?? 0) > 0)
  const writer = uses[0]
  // Somebody read it before: it was there.
  if (writer?.startedAt == null || readable !== undefined) return null
  const hadRead = (writer.usage?.cacheReadTokens ?? 0) > 0
  if (hadRead) return null
  const firstTokenAt = writer.firstTokenAt ?? writer.startedAt + WRITING_MS
  if (start < firstTokenAt) return { verdict: 'parallel_writes', confidence: writer.firstTokenAt === null ? 0.8 : 0.95 }
  if (start - firstTokenAt <= READABLE_MS) {
    const sure = writer.firstTokenAt === null ? 0.6 : start - firstTokenAt <= READABLE_MS / 2 ? 0.88 : 0.75
    return { verdict: 'read_before_readable', confidence: sure }
  }
  return null
}

/** What remains where bytes, keys and credentials are the same and the entry should live: the provider. */
export function providerCandidates(given: Case): Candidate[] {
  const { before, after, facts } = given
  const found: Candidate[] = []
  const gap = gapOf(given)
  if (gap === null) return found
  const spill = spilled(given)
  if (spill !== null) found.push(spill)
  const downgrade = downgraded(given, gap)
  if (downgrade !== null) found.push(downgrade)
  const inside = facts.ttlMs !== null && gap <= facts.ttlMs
  if (inside && isProved(given)) {
    const isStated = before.credential !== null && before.credential === after.credential
    const promised = facts.kind === 'sliding' || facts.kind === 'fixed' || facts.kind === 'minimum'
    const sure = !isStated ? 0.5 : promised ? 0.88 : 0.6
    const rival = Math.max(0, ...found.map(({ confidence }) => confidence))
    found.push({ verdict: 'evicted', confidence: Math.min(sure, 1 - rival / 2) })
  }
  return found.toSorted((a, b) => b.confidence - a.confidence)
}

function spilled(given: Case): Candidate | null {
  const { after, facts } = given
  if (facts.spill === null || after.startedAt === null) return null
  const start = after.startedAt
  const others = [given.before, ...given.between].filter(({ samePrefix }) => samePrefix !== false)
  const within = (ms: number): Sent[] =>
    others.filter(({ startedAt }) => startedAt !== null && Math.abs(start - startedAt) <= ms)
  if (within(facts.spill.everyMs).length >= facts.spill.requests) return { verdict: 'machine_spill', confidence: 0.88 }
  const beside = within(TOGETHER_MS)
  const haveRead = beside.filter(({ usage }) => (usage?.cacheReadTokens ?? 0) > 0).length
  return beside.length >= 2 && haveRead > 0 ? { verdict: 'machine_spill', confidence: 0.8 } : null
}

/** A longer lifetime was asked for: the usage names a shorter one, or the entry was gone between the two. */
function downgraded({ before, between }: Case, gapMs: number): Candidate | null {
  const asked = before.askedTtlMs
  if (asked === null || asked <= SHORT_TTL_MS || gapMs <= SHORT_TTL_MS) return null
  const written: Record<string, number> = {}
  for (const { usage } of [before, ...between]) {
    for (const [name, tokens] of Object.entries(usage?.cacheWriteByRetention ?? {}))
      written[name] = (written[name] ?? 0) + tokens
  }
  const [short, long] = [written['5m'] ?? 0, (written['1h'] ?? 0) + (written['24h'] ?? 0)]
  if (short > 0 && long === 0) return { verdict: 'ttl_downgraded', confidence: 0.96 }
  if (gapMs >= asked) return null
  // The usage says that the longer one was granted.
  if (long > 0) return null
  return { verdict: 'ttl_downgraded', confidence: 0.5 }
}

import { ownAnchorAt } from './longer-prefix.ts'
import { shareOfRealRequest } from './read-share.ts'
import type { KnownSize } from './read-share.ts'
import type { Usage } from '../model/usage.ts'
import type { Drift } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import { iso } from '../time/time.ts'

/** Consecutive requests that show a drift, or the end of one. */
export const REQUESTS_TO_TELL = 3
/** Consecutive misses after which no request is taken to read what the one before wrote. */
const VARYING_MISSES = 2
/** By so many tokens an exact count may differ from the size of the prefix: a probe ends with a turn of its own. */
const COUNTED_MARGIN = 32
/** A real request that wrote the entry is taken to have made it readable after this time. */
const WRITING_MS = 30_000

/** A real request, as far as it is held against the registered prefix. */
export interface Sighting {
  at: number
  usage: Usage
  /** Its body begins with the registered bytes, or was found to be a changed form of them; absent: no body was given. */
  bytes?: 'same' | 'other'
  /** Its usage has no cache counts, or none that prove anything. */
  silent: boolean
}

/**
 * How a request stands to the registered prefix. `own`: it carries it, or nothing speaks against that. `suspect`: it missed an entry that
 * was believed warm, or came after one that did. `other`: other bytes, or another size. `drifted`: the drift is shown, and nothing shows
 * that this request is different.
 */
export type Standing = 'own' | 'suspect' | 'other' | 'drifted'

/** How a request stands to the registered prefix of `state`. */
export function standingOf(state: PrefixState, sighting: Sighting, size: Omit<KnownSize, 'measuredTokens'>): Standing {
  const { at, usage, bytes, silent } = sighting
  const { drift, measuredTokens } = state
  if (bytes !== undefined) return bytes === 'same' ? 'own' : 'other'
  const isShown = drift?.shown !== undefined
  if (silent) return isShown ? 'drifted' : 'own'
  const fit = fitOf(state, usage, size)
  if (isShown) return readsOurs(state, at, fit) ? 'own' : 'drifted'
  if (fit === 'differs') return 'other'
  if (isSuspected(state, at)) return 'suspect'
  if (fit === 'agrees' || measuredTokens === null) return 'own'
  return mustBeThere(state, at) || wasThere(state, at) ? 'suspect' : 'own'
}

/** Whether the counts of a request agree with the size of the prefix. `open`: they may, and they may not. */
export type Fit = 'agrees' | 'differs' | 'open'

export function fitOf(
  { measuredTokens, drift, lastHit, lastReceipt }: PrefixState,
  usage: Usage,
  size: Omit<KnownSize, 'measuredTokens'>,
): Fit {
  const { inputTokens, cacheReadTokens, cacheWriteTokens } = usage
  if (measuredTokens === null || (cacheReadTokens === null && cacheWriteTokens === null)) return 'open'
  const least = measuredTokens - COUNTED_MARGIN
  if (inputTokens !== null && inputTokens < least) return 'differs'
  const tokens = tokensOf(usage)
  if (tokens === 0) return 'open'
  // Where writes are reported, what carries the prefix reads and writes all of it.
  const isExact = (lastReceipt?.usage.cacheWriteTokens ?? null) !== null
  if (isExact && tokens < least) return 'differs'
  const isLarger = tokens > measuredTokens + COUNTED_MARGIN && tokens !== lastHit?.cachedTokens
  // A conversation grows; a larger count that comes again is the size of another prefix.
  if (isLarger && tokens === drift?.tokens) return 'differs'
  return shareOfRealRequest(usage, { ...size, measuredTokens }) === 'whole' ? 'agrees' : 'open'
}

/** Tokens of the prompt that were read from the cache or written to it. */
export function tokensOf({ cacheReadTokens, cacheWriteTokens }: Usage): number {
  return (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0)
}

/** Whether a real request missed the entry while it was believed warm, and nothing has shown yet what became of it. */
export function isSuspected(
  state: Pick<PrefixState, 'drift' | 'inside' | 'anchorAt' | 'retention'>,
  at: number,
): boolean {
  const { drift } = state
  if (drift?.missedAt === undefined || drift.shown !== undefined) return false
  return drift.missesInRow >= VARYING_MISSES || at < aliveUntil(state)
}

/** Whether, by its own evidence, the entry must be readable at `at`. */
function mustBeThere(state: PrefixState, at: number): boolean {
  const { verdict, anchorAt, lastReceipt, lastHit } = state
  if (verdict !== 'warm' || anchorAt === null || at >= aliveUntil(state)) return false
  const own = ownAnchorAt(state) ?? anchorAt
  if (lastReceipt?.at === own) return at > own + lastReceipt.latencyMs
  return at > own + (lastHit?.at === own ? 0 : WRITING_MS)
}

/** Whether a keep-alive that was sent after `at` read all of the entry, which had not been written shortly before `at`. */
export function wasThere({ lastReceipt, retention }: PrefixState, at: number): boolean {
  if (lastReceipt === null || retention === null) return false
  const isWhole = lastReceipt.kind === 'full' && lastReceipt.purpose === 'keep'
  return isWhole && at < lastReceipt.at && at > lastReceipt.at - retention.ttlMs / 2
}

function aliveUntil(state: Pick<PrefixState, 'inside' | 'anchorAt' | 'retention'>): number {
  return (ownAnchorAt(state) ?? 0) + (state.retention?.ttlMs ?? 0)
}

/**
 * Whether a read of the right size shows that requests begin with the prefix again. What drifted requests of the same size wrote, they read
 * themselves; an entry of theirs does not outlive a silence of its whole retention, and ours does by keep-alives.
 */
function readsOurs({ drift, retention }: PrefixState, at: number, fit: Fit): boolean {
  if (drift === undefined || fit !== 'agrees' || retention === null || retention.assumed) return false
  return at - drift.lastAt >= retention.ttlMs
}

/** Whether reads of the right size count as matches: drifted requests had another size, or none read what the one before wrote. */
export function endsByReads({ shown, missesInRow }: Drift): boolean {
  return shown?.by !== 'probe' || missesInRow > VARYING_MISSES
}

/** What is said of a suspicion. */
export function suspicionWhy({ missedAt = 0 }: Drift): string {
  return `a real request at ${iso(missedAt)} did not read it although it should have been there: it was evicted, or requests have changed`
}

/** What is said of a drift that is shown. It names no text. */
export function driftWhy({ shown, tokens, first }: Drift, measuredTokens: number | null): string {
  const not = 'real requests no longer begin with what is registered; it was not evicted'
  if (shown?.by === 'bytes')
    return `${not}: ${first?.path === 'model' ? 'they name another model' : 'their content differs'}`
  if (shown?.by === 'size')
    return `${not}: they read and write ${tokens ?? 'other'} tokens, and the prefix has ${measuredTokens ?? 'another number'}`
  return `${not}: they did not read it, and a call of ours then read all of it`
}

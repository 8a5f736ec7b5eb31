import type { Lifetime } from '../../contract/lifetime.ts'
import { finding } from '../cache/lifetimes.ts'
import { ownAnchorAt } from '../cache/longer-prefix.ts'
import { fitOf, standingOf } from '../cache/drift.ts'
import { mayHideColdStart, shareOfRealRequest, sizeInRealRequest } from '../cache/read-share.ts'
import type { KnownSize, ReadShare } from '../cache/read-share.ts'
import { retentionAfterMiss, granted, writtenInstead, writtenName } from '../cache/retention.ts'
import { gapsAfterArrival } from '../demand/idle-gaps.ts'
import { addRequests } from '../demand/request-rate.ts'
import { creditUse } from '../ledger/credit.ts'
import type { Rewriting } from '../ledger/credit.ts'
import { ended } from '../ledger/holdout-gap.ts'
import type { RetentionOffer } from '../model/facts.ts'
import { believable, NO_COUNTS } from '../model/usage.ts'
import type { Usage } from '../model/usage.ts'
import type { Finding, LearnedRetention } from '../prefix/parts.ts'
import { addFirstToken } from '../prefix/first-token.ts'
import type { FirstTokenTimes } from '../prefix/first-token.ts'
import { lifetimeAfter } from '../prefix/lifetime.ts'
import { signalAfter } from '../prefix/signal.ts'
import { tallyAfter } from '../prefix/tally.ts'
import type { RequestKind } from '../prefix/tally.ts'
import { afterServed } from '../prefix/served-model.ts'
import type { Served } from '../prefix/served-model.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import type { KeptDifference } from '../prompt/first-difference.ts'
import { afterCacheRead } from './cache-read.ts'
import { applyToDrift } from './drifted.ts'
import type { Effect } from '../prefix/effect.ts'
import { refuteRenewal } from './renewed-by-longer.ts'
import { watchRequest } from '../cache/alarms/watched.ts'
import type { WatchedRequest } from '../cache/alarms/watched.ts'

/** A real request. */
export interface RealRequest extends WatchedRequest {
  ttftMs: number | null
  first?: KeptDifference
  /** For these see `Arrival`. */
  again?: true
  lifetime?: Lifetime
  served?: Served
}

/** Facts about the model and the markers, the same for all requests of one report. */
export interface ArrivalFacts extends Rewriting {
  /** True where the planner chooses the retention; it gives way to the one that real requests write at. */
  open: boolean
  /** When the requests were reported. */
  now: number
  /** What is known of the size of the prefix beside its measured tokens. */
  size: Omit<KnownSize, 'measuredTokens'>
}

/** What a real request shows, and how much of the prefix it read. */
interface RealReading {
  kind: RequestKind
  share: ReadShare
}

/** A transition by one request. `used`: the request uses the prefix, as far as it is known. */
export interface Entered extends Transition {
  used: boolean
}

/** Applies one real request. A drifted one moves no clock, teaches nothing and is no hit. */
export function applyRealRequest(given: PrefixState, sent: RealRequest, facts: ArrivalFacts): Entered {
  const told = afterServed(given, sent.served, sent.at, 'requests')
  const isOthers = typeof sent.served === 'string'
  const after = isOthers ? ofOtherModel(told.state, sent, facts.now) : ofAskedModel(told.state, sent, facts)
  return { ...after, rows: [...told.rows, ...after.rows] }
}

/** Models share no cache: what another one read and wrote says nothing of this entry. The request is demand all the same. */
function ofOtherModel(before: PrefixState, sent: RealRequest, now: number): Entered {
  const tally = tallyAfter(before.tally, 'silent', 0, sent.at, now)
  return { state: { ...before, ...demandAfter(before, sent), tally }, rows: [], used: true }
}

function ofAskedModel(given: PrefixState, sent: RealRequest, facts: ArrivalFacts): Entered {
  const entered = applied(given, sent, facts)
  const watched = watchRequest(given, entered, sent, facts.size)
  return watched === null ? entered : { ...entered, state: { ...entered.state, ...watched } }
}

function applied(given: PrefixState, sent: RealRequest, facts: ArrivalFacts): Entered {
  const counted = believable(sent.usage)
  // What such a request wrote ends elsewhere, and what it did not read proves nothing.
  const isBlind = sent.outOfReach === true && (counted.cacheReadTokens ?? 0) === 0
  const request = { ...sent, usage: isBlind ? NO_COUNTS : counted }
  if (sent.handle === true) return ofHandle(given, request, facts.now)
  const { at, usage, bytes } = request
  const silent = isSilent(usage, { ...facts.size, measuredTokens: given.measuredTokens })
  const standing = standingOf(given, { at, usage, silent, ...(bytes === undefined ? {} : { bytes }) }, facts.size)
  const drift = applyToDrift(given, { ...request, standing, fit: fitOf(given, usage, facts.size) })
  const before = drift.state
  // The body belongs to no prefix, and is counted there.
  if (bytes === 'other') return { ...drift, used: false }
  if (isBlind) {
    return {
      state: { ...before, tally: tallyAfter(before.tally, 'silent', 0, at, facts.now) },
      rows: drift.rows,
      used: false,
    }
  }
  const reading =
    standing === 'own' ? readingOf(before, request, facts.size) : readingOfOther(before, usage, facts.size)
  const { kind } = reading
  const hit = kind === 'hit'
  const readTokens = usage.cacheReadTokens ?? 0
  const tally = tallyAfter(before.tally, kind, readTokens, at, facts.now)
  // Until a drift is shown, a caller who names the prefix is believed to want it.
  if (standing === 'drifted' || (standing === 'other' && before.drift?.shown !== undefined)) {
    const misses = before.misses + (kind === 'miss' ? 1 : 0)
    return { state: { ...before, misses, tally }, rows: drift.rows, used: false }
  }
  const measured = endMeasuredGap(before, hit, at)
  const effect: Effect =
    standing === 'own'
      ? effectOf(reading, before, request, facts)
      : { patch: kind === 'miss' ? { misses: before.misses + 1 } : {}, rows: [] }
  const ttft = standing === 'own' ? firstTokenAfter(before, kind, sent.ttftMs) : {}
  const state: PrefixState = { ...measured.state, ...demandAfter(before, sent), ...effect.patch, ...ttft, tally }
  const saving = creditUse(state, { at, hit, readTokens }, facts, facts.now)
  const rows = [...drift.rows, ...measured.rows, ...effect.rows, ...(saving === null ? [] : [saving])]
  const found = standing === 'own' ? findingOf(before, reading, request) : null
  return { state, rows, used: standing !== 'suspect', ...(found === null ? {} : { findings: [found] }) }
}

/** A request that read a managed cache is demand, and a hit there. It says nothing of the provider's own cache. */
function ofHandle(before: PrefixState, sent: RealRequest, now: number): Entered {
  const { at, usage, ttftMs } = sent
  const cachedTokens = usage.cacheReadTokens ?? 0
  const hit = cachedTokens > 0
  const measured = endMeasuredGap(before, hit, at)
  const { lastHit, hits, misses } = before
  const kind: RequestKind = hit ? 'hit' : usage.cacheReadTokens === null ? 'silent' : 'miss'
  const state: PrefixState = {
    ...measured.state,
    ...demandAfter(before, sent),
    hits: hits + (hit ? 1 : 0),
    misses: misses + (kind === 'miss' ? 1 : 0),
    lastHit: hit && (lastHit === null || at >= lastHit.at) ? { at, cachedTokens, ttftMs } : lastHit,
    ...firstTokenAfter(before, kind, ttftMs),
    tally: tallyAfter(before.tally, kind, cachedTokens, at, now),
  }
  return { state, rows: measured.rows, used: true }
}

/** What a request that carries the prefix shows of the lifetime of its entry; null: nothing. */
function findingOf(
  before: PrefixState,
  { kind, share }: RealReading,
  { at, bytes, usage }: RealRequest,
): Finding | null {
  if (before.verdict !== 'warm' || before.anchorAt === null || at <= before.anchorAt) return null
  // Finds must count where losses would, and not elsewhere.
  const tells = bytes === 'same' && usage.cacheWriteTokens !== null
  if (kind === 'hit' && share === 'whole') return finding(before, at, true, tells)
  return kind === 'rewrite' && bytes === 'same' ? finding(before, at, false, tells) : null
}

/** A request that may not carry the prefix is no hit; it is a miss where it read less than half. */
function readingOfOther({ measuredTokens }: PrefixState, usage: Usage, size: ArrivalFacts['size']): RealReading {
  const known = { ...size, measuredTokens }
  const share = shareOfRealRequest(usage, known)
  const isMiss = !isSilent(usage, known) && (share === 'none' || share === 'less')
  return { kind: isMiss ? 'miss' : 'silent', share: 'none' }
}

function readingOf(
  { measuredTokens, anchorAt }: PrefixState,
  { at, usage, bytes }: RealRequest,
  size: ArrivalFacts['size'],
): RealReading {
  const known = { ...size, measuredTokens }
  if (isSilent(usage, known)) return { kind: 'silent', share: 'none' }
  const share = shareOfRealRequest(usage, known)
  // Without a body, and with a size that answers have counted, a part may be another prompt's.
  const isProved = bytes === 'same' || measuredTokens === null
  if (share === 'whole' || (share === 'most' && isProved)) return { kind: 'hit', share }
  const written = usage.cacheWriteTokens ?? 0
  const isRewrite = written > 0 && written >= (sizeInRealRequest(usage, known) ?? 0) / 2 && at > (anchorAt ?? 0)
  return { kind: isRewrite ? 'rewrite' : 'miss', share }
}

/** Whether a usage has no cache counts, or sums that may hide a cold start. */
function isSilent(usage: Usage, known: KnownSize): boolean {
  const { cacheReadTokens, cacheWriteTokens } = usage
  return (cacheReadTokens === null && cacheWriteTokens === null) || mayHideColdStart(usage, known)
}

/** The idle gap that the holdout measures ends with the first request after its start. */
function endMeasuredGap(before: PrefixState, hit: boolean, at: number): Transition {
  const { trial, ...rest } = before
  if (trial === undefined || at <= trial.gapAt) return { state: before, rows: [] }
  const { row } = ended(trial, hit, at)
  return { state: rest, rows: row === null ? [] : [row] }
}

/** Idle gaps, request rate and signal after one more request. */
function demandAfter(before: PrefixState, { at, again, lifetime }: RealRequest): Partial<PrefixState> {
  if (again === true) return {}
  const gaps = gapsAfterArrival(before.gaps ?? [], before.lastArrivalAt, at)
  return {
    requests: addRequests(before.requests ?? null, at),
    ...lifetimeAfter(before.lifetime, lifetime),
    ...(gaps.length === 0 ? {} : { gaps }),
    lastArrivalAt: Math.max(before.lastArrivalAt ?? 0, at),
    ...(before.signal ? { signal: signalAfter(before, at) } : {}),
  }
}

/** Its time to the first token: warm where it read the prefix, cold where it did not, and in neither where its usage is silent. */
function firstTokenAfter({ ttft }: PrefixState, kind: RequestKind, ms: number | null): Pick<PrefixState, 'ttft'> {
  if (ms === null) return {}
  const kinds: (keyof FirstTokenTimes)[] = kind === 'silent' ? ['all'] : ['all', kind === 'hit' ? 'warm' : 'cold']
  return { ttft: addFirstToken(ttft, ms, kinds) }
}

function effectOf(
  { kind, share }: RealReading,
  before: PrefixState,
  request: RealRequest,
  facts: ArrivalFacts,
): Effect {
  switch (kind) {
    case 'hit':
      return { patch: hitPatch(before, request, share === 'whole', facts.offers), rows: [] }
    case 'miss':
      return { patch: missPatch(before, request, facts.offers), rows: [] }
    case 'rewrite':
      return rewriteEffect(before, request, facts)
    case 'silent':
      return { patch: {}, rows: [] }
  }
}

function hitPatch(
  before: PrefixState,
  { at, usage, ttftMs }: RealRequest,
  whole: boolean,
  offers: readonly RetentionOffer[],
): Partial<PrefixState> {
  const cachedTokens = usage.cacheReadTokens ?? 0
  const { lastHit, anchorAt, verdict, measuredTokens: sizeTokens } = before
  // A request that is reported late is no evidence about the current entry; but any whole read shows that the prefix is cached.
  const isLatest = anchorAt === null || at > anchorAt
  const isEvidence = verdict === 'uncacheable' ? whole : isLatest
  return {
    hits: before.hits + 1,
    lastHit: lastHit === null || at >= lastHit.at ? { at, cachedTokens, ttftMs } : lastHit,
    // The size stays: a read of a conversation is longer than the prefix.
    ...(isEvidence ? afterCacheRead(before, { at, sizeTokens, whole: whole && isLatest }, offers) : {}),
  }
}

function missPatch(
  before: PrefixState,
  { usage }: RealRequest,
  offers: readonly RetentionOffer[],
): Partial<PrefixState> {
  const realWrites = writtenName(before.measuredTokens, usage, offers)
  return { misses: before.misses + 1, ...(realWrites === null ? {} : { realWrites }) }
}

/** The request wrote the prefix itself: the entry is warm, at the retention that the request wrote it at. */
function rewriteEffect(before: PrefixState, request: RealRequest, { offers, open }: ArrivalFacts): Effect {
  const { at } = request
  const instead = open ? writtenInstead(before, request.usage, offers) : null
  const retention = instead ?? retentionRewritten(before, request, offers)
  const refutation = refuteRenewal({ ...before, retention }, at)
  const patch: Effect['patch'] = {
    ...missPatch(before, request, offers),
    ...refutation.patch,
    retention,
    verdict: 'warm',
    anchorAt: at,
    readZeroInRow: 0,
    readZeroGapMs: null,
  }
  if (instead !== null) patch.asWritten = true
  return { patch, rows: refutation.rows }
}

/** The planned retention after a real request had to write the prefix again. */
function retentionRewritten(
  before: PrefixState,
  { at, usage, bytes }: RealRequest,
  offers: readonly RetentionOffer[],
): LearnedRetention | null {
  const { retention, verdict, hits } = before
  if (retention === null) return null
  // Requests that never read this entry are no evidence about its lifetime, nor are those without proof that they begin with it.
  const ownAt = ownAnchorAt(before)
  const isEarly = bytes === 'same' && verdict === 'warm' && ownAt !== null && hits > 0 && usage.cacheReadTokens === 0
  const known = isEarly ? retentionAfterMiss(retention, at - ownAt, at, offers) : retention
  return granted(known, usage, offers)?.retention ?? known
}

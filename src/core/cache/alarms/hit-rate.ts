import type { HitRate, RequestPairs } from '../../prefix/parts.ts'
import { DAY_MS, HOUR_MS } from '../../time/time.ts'

/**
 * Detects a fall of the rate at which requests find an entry that should be there. It is a cumulative sum of log-likelihood ratios: what
 * was learnt as usual, against independent requests at five ninths of that rate. The usual rate is learnt apart for requests after a hit
 * and after a miss, so misses that usually come in a row are no evidence of a fall.
 */

/** One request that should find the entry. */
export interface Sought {
  at: number
  hit: boolean
  /** It missed, and proved that the entry itself had gone. */
  gone: boolean
}

/** Evidence that tells a fall, in nats: bench `alarms` sets it by simulated months. */
const TELLS = 14
/** More of it for each unit that the usual rate is below 0.9: a low rate is known less well. */
const TELLS_MORE = 12
/** Evidence that tells a recovery. A wrong one costs a second alarm, no more. */
const ENDS = 8
/** The rate after a fall, as a share of the usual one: 0.9 becomes 0.5. */
const FALLEN_SHARE = 5 / 9
/** A fall to more than this share of the usual rate is none: rates of real traffic vary. */
const LARGEST_SHARE = 0.68
/** Standard errors by which the learnt rates are taken to be lower. */
const CAUTION = 0.3
/** Higher usual rates count as this one: otherwise three misses in a row would tell. */
const HIGHEST_USUAL = 0.9
/** A lower usual rate has no fall that is worth an alarm. */
const LOWEST_USUAL = 0.2
/** Requests before the usual rate counts as learnt. */
const LEARNT_AFTER = 60
/** Requests that the usual rate is learnt from, at most; older ones count less. */
const USUAL_OVER = 500
/** A suspicion that lasts longer is a slow change, and becomes the usual rate. */
const LONGEST_SUSPICION = 200
/** After this many requests at the fallen rate, that is the usual one. */
const ACCEPTED_AFTER = 1_000
/** The overall rate weighs as much as this many requests beside those after a hit, or a miss. */
const PRIOR_REQUESTS = 10
/** Before a miss is known to be alone or in a row: a request after a miss is expected to hit at this share of the overall rate. */
const AFTER_MISS = 0.8

const NONE: RequestPairs = { hits: 0, misses: 0, hitsAfterMiss: 0, missesAfterMiss: 0 }

const START: HitRate = { usual: NONE, recent: NONE, evidence: 0, sinceAt: 0, lastAt: 0, missed: false, gone: 0 }

function requestsIn({ hits, misses, hitsAfterMiss, missesAfterMiss }: RequestPairs): number {
  return hits + misses + hitsAfterMiss + missesAfterMiss
}

/** Share of hits; null: no requests. */
function shareOf(pairs: RequestPairs): number | null {
  const all = requestsIn(pairs)
  return all === 0 ? null : (pairs.hits + pairs.hitsAfterMiss) / all
}

/** What is known of the hit rate after one more request. One that started before the last one teaches nothing. */
export function hitRateAfter(before: HitRate | undefined, { at, hit, gone }: Sought): HitRate {
  const known = before ?? START
  if (at < known.lastAt) return known
  const ratio = ratioOf(known, hit)
  const next: HitRate = { ...known, lastAt: at, missed: !hit, recent: added(known.recent, known.missed, hit) }
  if (gone) next.gone += 1
  if (requestsIn(known.recent) === 0) next.sinceAt = at
  if (known.fell !== undefined) return whileFallen(next, known.fell, ratio)
  if (ratio === null) return learnt(next)
  next.evidence = Math.max(0, known.evidence + ratio)
  if (next.evidence === 0 || requestsIn(next.recent) >= LONGEST_SUSPICION) return learnt(next)
  const overall = shareOf(known.usual) ?? 0
  const tells = TELLS + TELLS_MORE * Math.max(0, HIGHEST_USUAL - overall)
  const [from, to] = [overall, shareOf(next.recent) ?? 0]
  if (next.evidence < tells || to > from * LARGEST_SHARE) return { ...next, evidence: Math.min(next.evidence, tells) }
  return {
    ...next,
    evidence: 0,
    fell: { at, from, to, sinceAt: next.sinceAt, requests: requestsIn(next.recent), gone: next.gone },
  }
}

/** After a fall the same ratios with the other sign tell that the usual rate is back. */
function whileFallen(next: HitRate, fell: NonNullable<HitRate['fell']>, ratio: number | null): HitRate {
  const evidence = Math.max(0, next.evidence - (ratio ?? 0))
  const { fell: _ended, ...rest } = next
  if (evidence >= ENDS) return { ...rest, recent: NONE, evidence: 0, gone: 0 }
  if (requestsIn(next.recent) >= ACCEPTED_AFTER) return learnt({ ...rest, usual: NONE })
  return { ...next, evidence, fell }
}

/** The recent requests become part of the usual ones. */
function learnt(next: HitRate): HitRate {
  const kept = Math.max(0, 1 - requestsIn(next.recent) / USUAL_OVER)
  const sum = (name: keyof RequestPairs) => round(next.usual[name] * kept + next.recent[name])
  const usual: RequestPairs = {
    hits: sum('hits'),
    misses: sum('misses'),
    hitsAfterMiss: sum('hitsAfterMiss'),
    missesAfterMiss: sum('missesAfterMiss'),
  }
  return { ...next, usual, recent: NONE, evidence: 0, gone: 0 }
}

/** The log-likelihood ratio of a fall for one more request; null: too little is known, or the rate is low all the time. */
function ratioOf({ usual, missed }: HitRate, hit: boolean): number | null {
  if (requestsIn(usual) < LEARNT_AFTER) return null
  const overall = shareOf(usual) ?? 0
  if (overall < LOWEST_USUAL) return null
  const [hits, misses] = missed ? [usual.hitsAfterMiss, usual.missesAfterMiss] : [usual.hits, usual.misses]
  const weight = hits + misses + PRIOR_REQUESTS
  const here = (hits + PRIOR_REQUESTS * overall * (missed ? AFTER_MISS : 1)) / weight
  const expected = Math.min(HIGHEST_USUAL, Math.max(0.02, here - CAUTION * Math.sqrt((here * (1 - here)) / weight)))
  const fallen = Math.min(HIGHEST_USUAL, overall) * FALLEN_SHARE
  return hit ? Math.log(fallen / expected) : Math.log((1 - fallen) / (1 - expected))
}

function added(pairs: RequestPairs, missed: boolean, hit: boolean): RequestPairs {
  const name = missed ? (hit ? 'hitsAfterMiss' : 'missesAfterMiss') : hit ? 'hits' : 'misses'
  return { ...pairs, [name]: pairs[name] + 1 }
}

const round = (count: number): number => Math.round(count * 100) / 100

/** Requests a day at the rate of a span. A burst of minutes is not taken for a day's rate. */
export function requestsADay(requests: number, spanMs: number): number {
  return (requests * DAY_MS) / Math.max(spanMs, HOUR_MS)
}

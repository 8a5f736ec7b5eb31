import { fitOf } from '../drift.ts'
import { hitRateAfter } from './hit-rate.ts'
import { isEarly } from '../lifetimes.ts'
import { mayHideColdStart, shareOfRealRequest } from '../read-share.ts'
import type { KnownSize } from '../read-share.ts'
import { upstreamAfter } from './upstream.ts'
import { believable } from '../../model/usage.ts'
import type { Usage } from '../../model/usage.ts'
import type { Finding } from '../../prefix/parts.ts'
import type { PrefixState, Transition } from '../../prefix/state.ts'

/** Requests that start within this time after one that found a known lapse may run beside it: they miss for the same reason. */
const BESIDE_MS = 15_000

/** A real request, as far as it is watched. For its members see `Arrival`. */
export interface WatchedRequest {
  /** Its start, moved between the registration of the prefix and now. */
  at: number
  usage: Usage
  /** See `Sighting`. */
  bytes?: 'same' | 'other'
  outOfReach?: true
  handle?: true
  upstream?: string
}

/** What a real request shows of the hit rate of its prefix, and of the upstream behind a router. Null: nothing. */
export function watchRequest(
  given: PrefixState,
  { state, findings = [] }: Transition,
  request: WatchedRequest,
  size: Omit<KnownSize, 'measuredTokens'>,
): Pick<PrefixState, 'hitRate' | 'upstream'> | null {
  const { at, bytes, upstream } = request
  const flip = upstream === undefined ? {} : { upstream: upstreamAfter(given.upstream, upstream, at) }
  const nothing = upstream === undefined ? null : flip
  // Those of other content have an alarm of their own.
  if (request.handle === true || bytes === 'other' || request.outOfReach === true) return nothing
  if (state.drift?.shown !== undefined) return nothing
  const usage = believable(request.usage)
  const known = { ...size, measuredTokens: given.measuredTokens }
  if (usage.cacheReadTokens === null || mayHideColdStart(usage, known)) return nothing
  if (bytes === undefined && fitOf(given, usage, size) === 'differs') return nothing
  const share = shareOfRealRequest(usage, known)
  const hit = share === 'whole' || share === 'most'
  const { hitRate } = given
  if (!hit && isBenign(given, at))
    return { ...flip, ...(hitRate === undefined ? {} : { hitRate: { ...hitRate, coldAt: at } }) }
  // Neither do those of them that hit count: only hits would be left.
  if (hitRate?.coldAt !== undefined && at - hitRate.coldAt < BESIDE_MS) return nothing
  const gone = findings.some(({ found, proved }) => !found && proved === true)
  return { ...flip, hitRate: hitRateAfter(hitRate, { at, hit, gone }) }
}

/** Whether nothing says that an entry should be there: no request used it within its lifetime. */
function isBenign({ anchorAt, lastArrivalAt, retention }: PrefixState, at: number): boolean {
  const usedAt = Math.max(anchorAt ?? 0, lastArrivalAt ?? 0)
  if (usedAt === 0 || retention === null) return true
  return at - usedAt >= (retention.assumed ? retention.minTtlMs : retention.ttlMs)
}

/** What a keep-alive shows of the rate at which entries stay until their time. Not those of entries whose time had passed. */
export function watchKeepAlive(before: PrefixState, finding: Finding | null): Pick<PrefixState, 'keptRate'> {
  if (finding === null || !isEarly(before, finding.ageMs)) return {}
  const { at, found } = finding
  return { keptRate: hitRateAfter(before.keptRate, { at, hit: found, gone: !found }) }
}

import { lastUseAt } from '../cache/lifetimes.ts'
import { retentionAfterMiss, retentionAfterHit } from '../cache/retention.ts'
import type { RetentionOffer } from '../model/facts.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'

/** A request that read the entry. */
export interface CacheRead {
  /** Start of the request. */
  at: number
  /** Tokens of the prefix, as far as they are counted. */
  sizeTokens: number | null
  /** False: it read a part, which shows that the entry is there again, and nothing about how long it lived. */
  whole: boolean
}

/** The state after a read found the entry: it is warm, and the read renewed it. A whole read shows that the retention held until then. */
export function afterCacheRead(
  before: PrefixState,
  { at, sizeTokens, whole }: CacheRead,
  offers: readonly RetentionOffer[],
): Partial<PrefixState> {
  const retention = whole ? retentionAfterRead(before, at, offers) : before.retention
  return {
    verdict: 'warm',
    everHit: true,
    readZeroInRow: 0,
    readZeroGapMs: null,
    measuredTokens: sizeTokens,
    retention,
    anchorAt: retention?.kind === 'fixed' ? before.anchorAt : Math.max(before.anchorAt ?? 0, at),
  }
}

function retentionAfterRead(
  before: PrefixState,
  at: number,
  offers: readonly RetentionOffer[],
): LearnedRetention | null {
  const { retention, readZeroGapMs } = before
  if (retention === null) return null
  // The answer before read nothing, and this one reads: the entry had lapsed, and that call wrote it again.
  if (readZeroGapMs !== null) return retentionAfterMiss(retention, readZeroGapMs, at, offers)
  const since = lastUseAt(before)
  return since === null ? retention : retentionAfterHit(retention, Math.max(0, at - since), at)
}

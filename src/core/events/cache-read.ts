import { retentionAfterMiss, retentionAfterHit } from '../cache/retention.ts'
import type { RetentionOffer } from '../model/facts.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'

/** A request that read the entry. */
export interface CacheRead {
  /** Start of the request. */
  at: number
  /** Size of the prefix by its usage, which counts where no answer has measured it yet. */
  tokens: number
}

/** The state after a read found the entry: the entry is warm, the read renewed it, and the retention held until then. */
export function afterCacheRead(
  before: PrefixState,
  { at, tokens }: CacheRead,
  offers: readonly RetentionOffer[],
): Partial<PrefixState> {
  const retention = retentionAfterRead(before, at, offers)
  return {
    verdict: 'warm',
    everHit: true,
    readZeroInRow: 0,
    readZeroGapMs: null,
    measuredTokens: before.measuredTokens ?? tokens,
    retention,
    anchorAt: retention?.kind === 'fixed' ? before.anchorAt : Math.max(before.anchorAt ?? 0, at),
  }
}

function retentionAfterRead(
  { retention, readZeroGapMs, anchorAt }: PrefixState,
  at: number,
  offers: readonly RetentionOffer[],
): LearnedRetention | null {
  if (retention === null) return null
  // The answer before read nothing, and this one reads: the entry had lapsed, and that call wrote it again.
  if (readZeroGapMs !== null) return retentionAfterMiss(retention, readZeroGapMs, at, offers)
  return anchorAt === null ? retention : retentionAfterHit(retention, at - anchorAt, at)
}

import type { Usage } from '../model/usage.ts'
import type { ReceiptKind, Purpose } from '../prefix/receipt.ts'
import type { PrefixState } from '../prefix/state.ts'
import { readShare, sizeByProbe } from './read-share.ts'
import type { KnownSize, ReadShare } from './read-share.ts'

/** What is known before an answer is read. */
export interface Expectation extends KnownSize {
  purpose: Purpose
  /** Whether this provider counts written tokens in its answers. */
  writesReported: boolean
  /** An answer before this one read the prefix, or a part of it. */
  everHit: boolean
  /** Earlier consecutive answers that read less than half and still count (`missesAlive`); counted only where writes are not reported. */
  readZeroInRow: number
  /** How many of those are expected before the entry exists; 1 if absent. */
  probesToSeed?: number
}

export interface Reading {
  kind: ReceiptKind
  why: string
  /** How much of the prefix was read. */
  share: ReadShare
  /** Tokens of the prefix, by this answer and those before it; null: no answer has counted them. */
  sizeTokens: number | null
  /** True: the answer claims a write of less than half of its own prompt, which is no write of the prefix. */
  strayWrite?: true
}

/**
 * Earlier answers that read less than half and still count at `at`: the entry that the last of them may have written must be believed to
 * live until then. Where no life is known, none counts.
 */
export function missesAlive(
  { readZeroInRow, anchorAt, retention }: Pick<PrefixState, 'readZeroInRow' | 'anchorAt' | 'retention'>,
  at: number,
): number {
  const isAlive = anchorAt !== null && retention !== null && at - anchorAt < retention.ttlMs
  return isAlive ? readZeroInRow : 0
}

/**
 * What one answer proves. A missing count proves nothing. A read is compared with the size of the prefix, by the answer's own count of
 * its prompt and the counts before it: a fraction is partial, and for a call that was to find the entry it means that the entry was
 * gone. Where writes are not reported, a first answer that read nothing may be the write itself, so a second one decides.
 */
export function readReceipt(usage: Usage, expected: Expectation): Reading {
  const { purpose, everHit, measuredTokens, probesToSeed = 1 } = expected
  const read = usage.cacheReadTokens
  const written = usage.cacheWriteTokens
  if (read === null && (written === null || written === 0)) {
    return {
      kind: 'unknown',
      why: 'the answer did not report cached tokens',
      share: 'none',
      sizeTokens: measuredTokens,
    }
  }
  const known = sizeKnown(usage, expected)
  const share = readShare(read ?? 0, known ?? expected.estimatedTokens ?? 0, expected.blockTokens)
  const isMost = share === 'whole' || share === 'most'
  const sizeTokens = known ?? (isMost ? read : null)
  const reading = (kind: ReceiptKind, why: string): Reading => ({ kind, why, share, sizeTokens })
  if (read !== null && share !== 'none') {
    if (share === 'whole' && (written ?? 0) <= Math.max(256, read * 0.05)) {
      return reading('full', `${read} tokens read from the cache`)
    }
    const rest = (written ?? 0) > 0 ? `, ${written} written` : ''
    const why = `only ${read} of ${known ?? `about ${expected.estimatedTokens}`} tokens read from the cache${rest}`
    const isOpen = purpose === 'write' || (purpose === 'verify' && expected.readZeroInRow < probesToSeed)
    return isMost || isOpen ? reading('partial', why) : reading('cold', `${why}: the entry was gone`)
  }
  if (written !== null && written > 0) {
    if (isStray(usage)) {
      const size = sizeByProbe(usage)
      const why = `only ${written} of ${size} tokens are said to be written, which is no write of the prefix`
      const kind = purpose === 'keep' ? 'cold' : 'partial'
      return { ...reading(kind, why), strayWrite: true, sizeTokens: Math.max(size ?? 0, measuredTokens ?? 0) }
    }
    return purpose === 'keep'
      ? reading('cold', `a keep-alive found nothing and wrote ${written} tokens: the entry was gone`)
      : reading('written', `${written} tokens written`)
  }
  if (expected.writesReported && written !== null) {
    return reading('uncacheable', 'the provider read and wrote nothing: the prefix is too small, or not cached at all')
  }
  if (purpose === 'keep' && everHit) return reading('cold', 'a keep-alive read nothing: the entry was gone')
  if (expected.readZeroInRow < probesToSeed) {
    const why = 'the probe read nothing, and this provider does not report writes'
    return reading(
      'unknown',
      `${why}; ${expected.readZeroInRow === 0 ? 'a second' : 'one more'} probe will show whether it is cached`,
    )
  }
  return everHit
    ? reading('cold', 'two probes in a row read nothing: the entry is gone')
    : reading('uncacheable', 'a second probe also read nothing: this prefix is not cached')
}

/** Whether the answer read nothing and claims to have written less than half of its own prompt. */
function isStray(usage: Usage): boolean {
  return readShare(usage.cacheWriteTokens ?? 0, sizeByProbe(usage) ?? 0) === 'less'
}

/**
 * Tokens of the prefix, by this answer and those before it: the largest count, so that a read of a part makes nothing smaller. Null: no
 * answer has counted them.
 */
function sizeKnown(usage: Usage, { measuredTokens, writesReported }: Expectation): number | null {
  const written = usage.cacheWriteTokens ?? 0
  // Where writes are reported, an answer that wrote counts the prefix exactly.
  const counted = writesReported && written > 0 ? (usage.cacheReadTokens ?? 0) + written : sizeByProbe(usage)
  return counted === null ? measuredTokens : Math.max(counted, measuredTokens ?? 0)
}

import type { Usage } from '../model/usage.ts'
import type { ReceiptKind, Purpose } from '../prefix/receipt.ts'

/** What is known before an answer is read. */
export interface Expectation {
  purpose: Purpose
  /** Whether this provider counts written tokens in its answers. */
  writesReported: boolean
  /** Tokens of the prefix as counted before; null before the first count. */
  measuredTokens: number | null
  everHit: boolean
  /** Earlier answers in a row that read nothing (only kept where writes are not reported). */
  readZeroInRow: number
  /** How many of those are no surprise; 1 if absent. */
  probesToSeed?: number
}

export interface Reading {
  kind: ReceiptKind
  why: string
}

/** Caches count in blocks (128 tokens, sometimes 256), so a whole read may stop a little short of the prefix's end. */
function isWhole(read: number, measured: number | null): boolean {
  return measured === null || read >= Math.min(measured - 256, measured * 0.95)
}

/**
 * What one answer proves. Never more than it says: a count that is missing proves nothing, and where writes are not
 * reported a first answer that read nothing may be the write itself, so a second one decides.
 */
export function readReceipt(usage: Usage, expected: Expectation): Reading {
  const read = usage.cacheReadTokens
  const written = usage.cacheWriteTokens
  if (read === null && (written === null || written === 0)) {
    return { kind: 'unknown', why: 'the answer did not report cached tokens' }
  }
  if (read !== null && read > 0) return whatWasRead(read, written ?? 0, expected)
  if (written !== null && written > 0) {
    return expected.purpose === 'keep'
      ? { kind: 'cold', why: `a keep-alive found nothing and wrote ${written} tokens: the entry was gone` }
      : { kind: 'written', why: `${written} tokens written` }
  }
  if (expected.writesReported && written !== null) {
    return { kind: 'uncacheable', why: 'nothing was read and nothing was written: too small, or not cached at all' }
  }
  if (expected.readZeroInRow < (expected.probesToSeed ?? 1)) {
    const why = 'nothing was read, and this provider does not report writes'
    return { kind: 'unknown', why: `${why}: ${expected.readZeroInRow === 0 ? 'a second' : 'one more'} probe decides` }
  }
  return expected.everHit
    ? { kind: 'cold', why: 'two answers in a row read nothing: the entry is gone' }
    : { kind: 'uncacheable', why: 'a second probe read nothing either: this prefix is not being cached' }
}

function whatWasRead(read: number, written: number, expected: Expectation): Reading {
  if (isWhole(read, expected.measuredTokens) && written <= Math.max(256, read * 0.05)) {
    return { kind: 'full', why: `${read} tokens read from the cache` }
  }
  const rest = written > 0 ? `, ${written} written` : ''
  return { kind: 'partial', why: `only ${read} tokens read from the cache${rest}` }
}

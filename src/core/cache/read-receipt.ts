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
  /** Earlier consecutive answers that read nothing; counted only where writes are not reported. */
  readZeroInRow: number
  /** How many of those are expected before the entry exists; 1 if absent. */
  probesToSeed?: number
}

export interface Reading {
  kind: ReceiptKind
  why: string
}

/** Providers cache in blocks of 128 or 256 tokens, so a whole read may end a little before the prefix does. */
function isWhole(read: number, measured: number | null): boolean {
  return measured === null || read >= Math.min(measured - 256, measured * 0.95)
}

/**
 * What one answer proves. A missing count proves nothing. Where writes are not reported, a first answer that read nothing may
 * be the write itself, so a second one decides.
 */
export function readReceipt(usage: Usage, expected: Expectation): Reading {
  const read = usage.cacheReadTokens
  const written = usage.cacheWriteTokens
  if (read === null && (written === null || written === 0)) {
    return { kind: 'unknown', why: 'the answer did not report cached tokens' }
  }
  if (read !== null && read > 0) return readingOfHit(read, written ?? 0, expected)
  if (written !== null && written > 0) {
    return expected.purpose === 'keep'
      ? { kind: 'cold', why: `a keep-alive found nothing and wrote ${written} tokens: the entry was gone` }
      : { kind: 'written', why: `${written} tokens written` }
  }
  if (expected.writesReported && written !== null) {
    return {
      kind: 'uncacheable',
      why: 'the provider read and wrote nothing: the prefix is too small, or not cached at all',
    }
  }
  if (expected.readZeroInRow < (expected.probesToSeed ?? 1)) {
    const why = 'the probe read nothing, and this provider does not report writes'
    return {
      kind: 'unknown',
      why: `${why}; ${expected.readZeroInRow === 0 ? 'a second' : 'one more'} probe will show whether it is cached`,
    }
  }
  return expected.everHit
    ? { kind: 'cold', why: 'two probes in a row read nothing: the entry is gone' }
    : { kind: 'uncacheable', why: 'a second probe also read nothing: this prefix is not cached' }
}

function readingOfHit(read: number, written: number, expected: Expectation): Reading {
  if (isWhole(read, expected.measuredTokens) && written <= Math.max(256, read * 0.05)) {
    return { kind: 'full', why: `${read} tokens read from the cache` }
  }
  const rest = written > 0 ? `, ${written} written` : ''
  return { kind: 'partial', why: `only ${read} tokens read from the cache${rest}` }
}

import type { Usage } from '../model/usage.ts'

/**
 * How much of a prefix a request read: nothing, less than half, at least half, or all of it. Prompts that begin alike read a
 * little of each other, so that a read alone proves nothing.
 */
export type ReadShare = 'none' | 'less' | 'most' | 'whole'

/** What is known of the size of a prefix before an answer is read. */
export interface KnownSize {
  /** Tokens of the prefix as answers counted them; null before the first count. */
  measuredTokens: number | null
  /** Estimated tokens, used until an answer counts them; absent: there is no estimate. */
  estimatedTokens?: number
  /** Tokens of one block of the provider's cache: a whole read may end that much before the prefix does. Absent: unknown. */
  blockTokens?: number
}

/** Tokens of the turn behind the prefix of a probe, at least: a full stop, and what a chat template adds to it. */
const TAIL_TOKENS = 8

/** Block size where it is not known: most providers that state one have 128 or 256. */
const USUAL_BLOCK_TOKENS = 256
/** Tokens of that turn, at most. */
const TEMPLATE_TOKENS = 32

/**
 * Tokens of the prefix, by the answer to a probe, which holds the prefix and a short turn behind it: what was read and written, where the
 * rest can be that turn alone, else the whole prompt without it. Null: the answer does not count its prompt.
 */
export function sizeByProbe({ inputTokens, cacheReadTokens, cacheWriteTokens }: Usage): number | null {
  if (inputTokens === null) return null
  const cached = (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0)
  return inputTokens - cached <= TEMPLATE_TOKENS ? cached : inputTokens - TAIL_TOKENS
}

/** The share of a prefix of `sizeTokens` that a read of `readTokens` is. A block size widens the margin of a whole read, up to half. */
export function readShare(readTokens: number, sizeTokens: number, blockTokens = USUAL_BLOCK_TOKENS): ReadShare {
  if (readTokens <= 0) return 'none'
  if (readTokens < sizeTokens / 2) return 'less'
  const margin = Math.max(sizeTokens * 0.05, blockTokens, TEMPLATE_TOKENS)
  return readTokens >= sizeTokens - margin ? 'whole' : 'most'
}

/** The share of the prefix that a real request read. Its prompt is at least as long as the prefix, so its count limits the estimate. */
export function shareOfRealRequest(usage: Usage, known: KnownSize): ReadShare {
  const read = usage.cacheReadTokens ?? 0
  return readShare(read, sizeInRealRequest(usage, known) ?? read, known.blockTokens)
}

/** Tokens of the prefix for the judgement of a real request; null: nothing is known. */
export function sizeInRealRequest({ inputTokens }: Usage, known: KnownSize): number | null {
  const { measuredTokens, estimatedTokens } = known
  if (measuredTokens !== null) return measuredTokens
  return estimatedTokens === undefined ? null : Math.min(estimatedTokens, inputTokens ?? estimatedTokens)
}

/** Whether the counts of several samplings may hide a cold start: what was not read is as long as the prefix, or half of it. */
export function mayHideColdStart(usage: Usage, known: KnownSize): boolean {
  if (usage.summed !== true) return false
  const { inputTokens, cacheReadTokens, cacheWriteTokens } = usage
  const notRead = inputTokens === null ? (cacheWriteTokens ?? 0) : inputTokens - (cacheReadTokens ?? 0)
  const size = sizeInRealRequest(usage, known)
  return size === null ? notRead > 0 : notRead >= size / 2
}

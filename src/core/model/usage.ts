import { MOST_TOKENS } from '../../contract/observation.ts'

/** Usage of one answer, in tokens. Null: the provider did not report the count, which is never the same as 0. */
export interface Usage {
  /** The whole prompt: uncached + cache read + cache write. */
  inputTokens: number | null
  uncachedTokens: number | null
  cacheReadTokens: number | null
  cacheWriteTokens: number | null
  /** Written tokens by retention name (`5m`, `1h`, `30m`, `12h`); empty where the provider does not split them. */
  cacheWriteByRetention: Record<string, number>
  outputTokens: number | null
  reasoningTokens: number | null
  /** The counts are sums over several samplings of one request (server tools): a later one reads what the first wrote. */
  summed?: true
  /** Two members of the provider's usage object state the same count, and differ. */
  contradictory?: true
}

/**
 * The usage as far as it can be true. The counts of a prompt that contradict each other, or that no prompt can have, are unknown: the
 * call then costs its worst case, and proves nothing about the cache.
 */
export function believable(usage: Usage): Usage {
  if (isPossible(usage)) return usage
  const { outputTokens, reasoningTokens } = usage
  const isCount = outputTokens === null || outputTokens <= MOST_TOKENS
  return isCount ? { ...NO_COUNTS, outputTokens, reasoningTokens } : NO_COUNTS
}

/** A usage that reports nothing. */
export const NO_COUNTS: Usage = {
  inputTokens: null,
  uncachedTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  cacheWriteByRetention: {},
  outputTokens: null,
  reasoningTokens: null,
}

function isPossible({ contradictory, ...usage }: Usage): boolean {
  const { inputTokens, uncachedTokens, cacheReadTokens, cacheWriteTokens, cacheWriteByRetention, outputTokens } = usage
  const named = Object.values(cacheWriteByRetention).reduce((sum, tokens) => sum + tokens, 0)
  const counts = [inputTokens, uncachedTokens, cacheReadTokens, cacheWriteTokens, named, outputTokens]
  if (contradictory === true || counts.some((count) => count !== null && count > MOST_TOKENS)) return false
  // No prompt is empty. Proxies that do not know the counts send zeros.
  if (inputTokens === 0) return false
  if (inputTokens !== null && (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0) > inputTokens) return false
  return cacheWriteTokens === null || named <= cacheWriteTokens
}

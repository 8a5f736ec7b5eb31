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
 * The longest context window of any model that is offered: no prompt has more tokens, and no answer. Source: ai.meta.com, Llama 4 Scout,
 * 10 million; checked 2026-11-30.
 */
const LONGEST_CONTEXT_TOKENS = 10_000_000
/** Most samplings within one request, whose counts are summed. Assumed: servers stop their tool loops much earlier. */
const MOST_SAMPLINGS = 20

/**
 * The usage as far as it can be true; the same object where all of it can. The counts of a prompt that contradict each other, or that no
 * prompt can have, are unknown: the call then costs its worst case, and proves nothing about the cache. `contextTokens`: the context window
 * of the model, where it is known.
 */
export function believable(usage: Usage, contextTokens = LONGEST_CONTEXT_TOKENS): Usage {
  const mostTokens = contextTokens * (usage.summed === true ? MOST_SAMPLINGS : 1)
  if (isPossible(usage, mostTokens)) return usage
  const { outputTokens, reasoningTokens } = usage
  const isCount = outputTokens === null || isUpTo(outputTokens, mostTokens)
  return isCount ? { ...NO_COUNTS, outputTokens, reasoningTokens } : NO_COUNTS
}

/** A count of a whole prompt, if it can be true; null: it cannot, or there is none. */
export function believablePrompt(tokens: number | null, contextTokens = LONGEST_CONTEXT_TOKENS): number | null {
  return tokens !== null && tokens > 0 && isUpTo(tokens, contextTokens) ? tokens : null
}

function isUpTo(count: number, most: number): boolean {
  return Number.isSafeInteger(count) && count >= 0 && count <= most
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

function isPossible({ contradictory, ...usage }: Usage, mostTokens: number): boolean {
  const { inputTokens, uncachedTokens, cacheReadTokens, cacheWriteTokens, cacheWriteByRetention, outputTokens } = usage
  const named = Object.values(cacheWriteByRetention).reduce((sum, tokens) => sum + tokens, 0)
  const counts = [inputTokens, uncachedTokens, cacheReadTokens, cacheWriteTokens, named, outputTokens]
  if (contradictory === true || counts.some((count) => count !== null && !isUpTo(count, mostTokens))) return false
  // No prompt is empty. Proxies that do not know the counts send zeros.
  if (inputTokens === 0) return false
  if (inputTokens !== null && (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0) > inputTokens) return false
  return cacheWriteTokens === null || named <= cacheWriteTokens
}

/** The words of the field, as types. Nothing here knows a provider. */

/** What one answer's usage says, in tokens. `null`: the provider did not report it, which is never the same as 0. */
export interface Usage {
  /** The whole prompt: uncached + cache read + cache write. */
  inputTokens: number | null
  uncachedTokens: number | null
  cacheReadTokens: number | null
  cacheWriteTokens: number | null
  /** Written tokens by the retention they were bought at (`5m`, `1h`, `30m`, `12h`), as far as the provider splits them. */
  cacheWriteByRetention: Record<string, number>
  outputTokens: number | null
  reasoningTokens: number | null
}

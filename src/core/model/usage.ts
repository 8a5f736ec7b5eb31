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
}

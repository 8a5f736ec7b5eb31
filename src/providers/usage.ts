import type { Usage } from '../core/types.ts'

/** Helpers for reading usage objects. A count that is absent, null or no count at all is null: never 0. */

export type Fields = Readonly<Record<string, unknown>>

export function fields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null
}

export function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

export const NO_USAGE: Usage = {
  inputTokens: null,
  uncachedTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  cacheWriteByRetention: {},
  outputTokens: null,
  reasoningTokens: null,
}

/** Written tokens by retention, from members that `name` recognises (`ephemeral_1h_input_tokens` → `1h`). */
export function writesByRetention(value: unknown, name: RegExp): Record<string, number> {
  const result: Record<string, number> = {}
  for (const [key, entry] of Object.entries(fields(value) ?? {})) {
    const retention = name.exec(key)?.[1]
    const tokens = count(entry)
    if (retention !== undefined && tokens !== null) result[retention] = tokens
  }
  return result
}

/**
 * Usage whose total is said to include what came from the cache. Some servers report a total that excludes it, which shows as
 * more tokens read than there were; then the parts are added up instead.
 */
export function inclusive(parts: {
  total: number | null
  read: number | null
  write: number | null
  writeByRetention?: Record<string, number>
  output: number | null
  reasoning: number | null
}): Usage {
  const { total, read, write } = parts
  const excludes = total !== null && read !== null && read > total
  const inputTokens = excludes ? total + read + (write ?? 0) : total
  const uncached = excludes ? total : total === null || read === null ? null : Math.max(0, total - read - (write ?? 0))
  return {
    inputTokens,
    uncachedTokens: uncached,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: parts.writeByRetention ?? {},
    outputTokens: parts.output,
    reasoningTokens: parts.reasoning,
  }
}

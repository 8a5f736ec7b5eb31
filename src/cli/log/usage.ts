import { cacheCounts } from '../../usage/told-counts.ts'

export { wholePrompt } from '../../usage/told-counts.ts'

/** Tokens that a cache read and wrote by a usage object, in the names of any provider or tool; 0 where it has none. */
export function cachedTokens(usage: unknown): number {
  const { read, written } = cacheCounts(usage)
  return (read ?? 0) + (written ?? 0)
}

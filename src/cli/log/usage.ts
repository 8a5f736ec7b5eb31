import { isFields } from './entry.ts'
import type { Fields } from './entry.ts'

/** Deeper members than this hold no counts. */
const MOST_DEPTH = 6

/** Names with `cache` in them that are no tokens which the cache read or wrote. */
const OTHER_NAMES = /cost|price|usd|spend|miss|no_?cache|un_?cached|non_?cached|output|completion|storage/

/** A part of the written tokens, by its retention. */
const PART = /(?:^|[_.])(5m|30m|1h|12h|24h)(?=[_.]|$)/

/**
 * Returns the tokens that a cache read and wrote by a usage object, in the names of any provider or tool; 0 where it has none.
 * Tools repeat a count under several names, and a total beside its parts, so equal names count once and a total is not added to parts.
 */
export function cachedTokens(usage: unknown): number {
  let read = 0
  let written = 0
  const parts = new Map<string, number>()
  for (const [name, count] of counts(usage, '', 0)) {
    if (!/cache|ephemeral/.test(name) || OTHER_NAMES.test(name)) continue
    const part = PART.exec(name)?.[1]
    if (part !== undefined) parts.set(part, Math.max(parts.get(part) ?? 0, count))
    else if (/creat|writ/.test(name)) written = Math.max(written, count)
    else read = Math.max(read, count)
  }
  const inParts = [...parts.values()].reduce((sum, count) => sum + count, 0)
  return read + Math.max(written, inParts)
}

/** Some tools leave the cached tokens out of the input. Returns the size of the whole prompt in either case. */
export function wholePrompt(input: number | null, cached: number): number | null {
  if (input === null || input === 0) return cached === 0 ? null : cached
  return input < cached ? input + cached : input
}

/** Counts in an object and in its members, with their names in snake_case, separated by dots. */
function* counts(value: unknown, name: string, depth: number): Generator<[name: string, count: number]> {
  if (isFields(value)) {
    if (depth >= MOST_DEPTH) return
    for (const [key, member] of Object.entries(value as Fields))
      yield* counts(member, name === '' ? snake(key) : `${name}.${snake(key)}`, depth + 1)
    return
  }
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) yield [name, count]
}

function snake(key: string): string {
  return key.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase()
}

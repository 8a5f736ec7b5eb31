import { isFields } from './values.ts'
import type { Fields } from './values.ts'

/** Tokens of one call as a log or a trace tells them; null: it does not say. */
export interface ToldCounts {
  /** The whole prompt, with the tokens that the cache read and wrote. */
  input: number | null
  read: number | null
  written: number | null
  /** Written tokens by retention, where it says them. */
  writtenByRetention: Record<string, number>
  output: number | null
}

/** Deeper members than this hold no counts. */
const MOST_DEPTH = 6

/** Names with `cache` in them that are no tokens which the cache read or wrote. */
const OTHER_NAMES = /cost|price|usd|spend|miss|no_?cache|un_?cached|non_?cached|output|completion|storage/

/** A part of the written tokens, by its retention. */
const PART = /(?:^|[_.])(5m|30m|1h|12h|24h)(?=[_.]|$)/

/** The part of the input that no cache knows. */
const REST = /(?:no_?cache|un_?cached|non_?cached)/

/**
 * Tokens that a cache read and wrote by a usage object, in the names of any provider or tool; null where it has no such name.
 * Tools repeat a count under several names, and a total beside its parts, so equal names count once and a total is not added to parts.
 */
export function cacheCounts(usage: unknown): Pick<ToldCounts, 'read' | 'written' | 'writtenByRetention'> {
  let read: number | null = null
  let written: number | null = null
  const parts = new Map<string, number>()
  for (const [name, count] of counts(usage, '', 0)) {
    if (!/cache|ephemeral/.test(name) || OTHER_NAMES.test(name)) continue
    const part = PART.exec(name)?.[1]
    if (part !== undefined) parts.set(part, Math.max(parts.get(part) ?? 0, count))
    else if (/creat|writ/.test(name)) written = Math.max(written ?? 0, count)
    else read = Math.max(read ?? 0, count)
  }
  if (parts.size > 0) {
    const inParts = [...parts.values()].reduce((sum, count) => sum + count, 0)
    written = Math.max(written ?? 0, inParts)
  }
  return { read, written, writtenByRetention: Object.fromEntries([...parts].filter(([, count]) => count > 0)) }
}

/** What a tool says beside the input that tells whether the cached tokens are among it. */
interface Beside {
  total?: number | null
  output?: number | null
  /** The usage object, in which a tool may say the rest of the input, or hand on the provider's own. */
  usage?: unknown
}

/**
 * The size of the whole prompt. Some tools leave the cached tokens out of the input, and an object that counts them beside its
 * `input_tokens` always does.
 */
export function wholePrompt(input: number | null, cached: number, beside: Beside = {}): number | null {
  if (input === null || input === 0) return cached === 0 ? null : cached
  if (cached === 0) return input
  const rest = restOf(beside.usage)
  if (rest !== null && (rest === input || rest + cached === input)) return rest + cached
  if (input < cached) return input + cached
  const { total = null, output = null } = beside
  return total !== null && total === input + (output ?? 0) + cached ? input + cached : input
}

/** The input without the cached tokens, as a usage object says it; null: it does not. */
function restOf(usage: unknown, depth = 0): number | null {
  if (!isFields(usage) || depth > MOST_DEPTH) return null
  const own = usage['input_tokens']
  if (typeof own === 'number' && 'cache_read_input_tokens' in usage && 'cache_creation_input_tokens' in usage)
    return own
  for (const [key, value] of Object.entries(usage)) {
    const found = isFields(value) ? restOf(value, depth + 1) : REST.test(snake(key)) ? asCount(value) : null
    if (found !== null) return found
  }
  return null
}

/** Counts in an object and in its members, with their names in snake_case, separated by dots. */
function* counts(value: unknown, name: string, depth: number): Generator<[name: string, count: number]> {
  if (isFields(value)) {
    if (depth >= MOST_DEPTH) return
    for (const [key, member] of Object.entries(value as Fields))
      yield* counts(member, name === '' ? snake(key) : `${name}.${snake(key)}`, depth + 1)
    return
  }
  const count = asCount(value)
  if (count !== null) yield [name, count]
}

function asCount(value: unknown): number | null {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : null
}

function snake(key: string): string {
  return key.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase()
}

import { NO_COUNTS } from '../../../core/model/usage.ts'
import type { Usage } from '../../../core/model/usage.ts'

/** Helpers for reading usage objects. A count that is absent, null or no whole number is null, never 0. */

export type Fields = Readonly<Record<string, unknown>>

export function fields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null
}

export function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

export const NO_USAGE: Usage = NO_COUNTS

/**
 * The usage that the events of a stream tell together; null: none does. A later value replaces an earlier one, but a null says nothing,
 * and a zero does not take a count back: servers write both into later events.
 */
export function mergedUsage(parts: readonly (Fields | null)[]): Fields | null {
  const told = parts.filter((part) => part !== null)
  return told.length === 0 ? null : told.reduce(merged)
}

function merged(earlier: Fields, later: Fields): Fields {
  const all: Record<string, unknown> = { ...earlier }
  for (const [name, value] of Object.entries(later)) {
    const known = all[name]
    const [inside, more] = [fields(known), fields(value)]
    if (inside !== null && more !== null) all[name] = merged(inside, more)
    else if (known === undefined || known === null) all[name] = value
    else if (value !== null && !(value === 0 && typeof known === 'number')) all[name] = value
  }
  return all
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

/** One count that a provider may state in several members. `differs`: two of them are not the same. */
export interface StatedCount {
  value: number | null
  differs: boolean
}

export function statedCount(values: readonly unknown[]): StatedCount {
  const counts = values.map(count).filter((value) => value !== null)
  return { value: counts[0] ?? null, differs: counts.some((value) => value !== counts[0]) }
}

/** Members that count tokens. `per_`: rates. */
const COUNTS = /^(?!.*(?:per_|_ms$)).*(?:tokens?|tokenCount|eval_count|cached_count|_n)$/i

/**
 * Whether a usage object holds a count that is none: negative, a fraction, beyond exact numbers, or no number at all. A member that the text
 * states twice, and differently, is `NaN` here.
 */
function hasFalseCount(usage: Fields): boolean {
  return Object.entries(usage).some(([name, value]) => {
    if (value === null || value === undefined) return false
    if (Array.isArray(value)) return value.map(fields).some((one) => one !== null && hasFalseCount(one))
    const inside = fields(value)
    if (inside !== null) return hasFalseCount(inside)
    return Number.isNaN(value) || (COUNTS.test(name) && count(value) === null)
  })
}

/**
 * What a usage object says of itself. `summed`: tools ran at the provider, so that the counts are sums over several samplings. Members:
 * `server_tool_use`, `iterations` (Anthropic's SDK), `num_server_side_tools_used` (xAI), `toolUsePromptTokenCount` (Gemini).
 */
export function nature(usage: Fields, contradictory: boolean): Pick<Usage, 'summed' | 'contradictory'> {
  const tools = [
    ...Object.values(fields(usage['server_tool_use']) ?? {}),
    usage['num_server_side_tools_used'],
    usage['toolUsePromptTokenCount'],
  ]
  const iterations = usage['iterations']
  const summed = tools.some((one) => (count(one) ?? 0) > 0) || (Array.isArray(iterations) && iterations.length > 1)
  const isFalse = contradictory || hasFalseCount(usage)
  return { ...(summed ? { summed } : {}), ...(isFalse ? { contradictory: true as const } : {}) }
}

/**
 * Usage whose total includes the cache reads, as documented. Some servers report a total without them: then more tokens are read than the
 * total has. The total is the sum of the parts where `all`, the count of prompt and output, says so; else the two contradict each other.
 */
export function inclusive(parts: {
  total: number | null
  read: number | null
  write: number | null
  writeByRetention?: Record<string, number>
  output: number | null
  reasoning: number | null
  all?: number | null
}): Usage {
  const { total, read, write, output, all = null } = parts
  const excludes = total !== null && read !== null && read > total
  const inputTokens = excludes ? total + read + (write ?? 0) : total
  const uncached = excludes ? total : total === null || read === null ? null : Math.max(0, total - read - (write ?? 0))
  const isShort = all !== null && inputTokens !== null && all < inputTokens
  const isConfirmed = all !== null && all === (inputTokens ?? 0) + (output ?? 0)
  return {
    inputTokens,
    uncachedTokens: uncached,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: parts.writeByRetention ?? {},
    outputTokens: output,
    reasoningTokens: parts.reasoning,
    ...(isShort || (excludes && !isConfirmed) ? { contradictory: true as const } : {}),
  }
}

/** The longest usage object that is stored, as JSON text. The longest documented one is much shorter. */
const MAX_KEPT_CHARS = 2_000
/** Names such as a service tier are stored, and nothing that could be a sentence. */
const LONGEST_WORD = 40
const DEEPEST = 5
const NAME = /^[\w.:/-]*$/

/**
 * The provider's own usage object as JSON text, for storage beside the normalised one: counts, flags and names. Null where there is none,
 * or where it is longer than any documented one.
 */
export function keptUsage(raw: unknown): string | null {
  if (fields(raw) === null) return null
  const text = JSON.stringify(plain(raw, 0))
  return text.length > MAX_KEPT_CHARS ? null : text
}

function plain(value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value === 'string') return value.length <= LONGEST_WORD && NAME.test(value) ? value : null
  if (depth >= DEEPEST) return null
  if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1))
  const named = Object.entries(value ?? {}).filter(([key]) => NAME.test(key) && key.length <= LONGEST_WORD)
  return Object.fromEntries(named.map(([key, one]) => [key, plain(one, depth + 1)]))
}

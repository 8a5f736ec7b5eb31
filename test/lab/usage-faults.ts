import type { Fault, WrongUsage } from './faults.ts'

/** Answers whose usage is missing, told in part, or told wrongly. They touch no cache: only what is said of it. */

type Fields = Record<string, unknown>

/** Members that hold an answer's counts; `timings` is llama.cpp's second way to tell them. */
const USAGE = new Set(['usage', 'usageMetadata', 'timings'])

const INPUT = new Set(['input_tokens', 'prompt_tokens', 'promptTokenCount', 'inputTokens', 'prompt_eval_count'])
const TOTAL = new Set(['total_tokens', 'totalTokenCount', 'totalTokens'])
const CACHED = new Set([
  'cached_tokens',
  'cache_read_input_tokens',
  'cachedContentTokenCount',
  'cacheReadInputTokens',
  'cache_n',
  'prompt_eval_cached_count',
])
const WRITTEN = new Set(['cache_creation_input_tokens', 'cache_write_tokens', 'cacheWriteInputTokens'])
/** Members that say of cached or written tokens alone. */
const DETAILS = new Set([
  'cache_creation',
  'cache_write_tokens_details',
  'cacheDetails',
  'cacheTokensDetails',
  'prompt_tokens_details',
  'input_tokens_details',
])

const HUGE = 1e15

/** The answer as these faults let it through. */
export function retold(json: unknown, faults: readonly Fault[]): unknown {
  if (faults.some(({ kind }) => kind === 'missing_usage')) return eachUsage(json, () => undefined)
  let told = json
  if (faults.some(({ kind }) => kind === 'missing_cached')) told = eachUsage(told, withoutCached)
  const wrong = faults.find(({ kind }) => kind === 'wrong_usage')
  return wrong === undefined ? told : eachUsage(told, (usage) => wronged(usage, wrong.how ?? 'above_input'))
}

/** A provider's usage object as these faults tell it; null: they tell nothing. */
export function toldUsage(usage: unknown, faults: readonly Fault[]): unknown {
  return (retold({ usage }, faults) as Fields)['usage'] ?? null
}

/** A frame of a stream, likewise. */
export function retoldFrame(frame: string, faults: readonly Fault[]): string {
  return frame.replace(
    /^(data: |)(\{.*\})$/m,
    (_line, start: string, json: string) => `${start}${JSON.stringify(retold(JSON.parse(json), faults))}`,
  )
}

/** Ollama's own chat has its counts at the top. */
function eachUsage(value: unknown, change: (usage: Fields) => Fields | undefined): unknown {
  if (Array.isArray(value)) return value.map((one) => eachUsage(one, change))
  if (!isFields(value)) return value
  const members = Object.entries(value).flatMap(([name, inner]) => {
    if (!USAGE.has(name) || !isFields(inner)) return [[name, eachUsage(inner, change)]]
    const changed = change(inner)
    return changed === undefined ? [] : [[name, changed]]
  })
  const told = Object.fromEntries(members) as Fields
  return 'prompt_eval_count' in told ? (change(told) ?? withoutCounts(told)) : told
}

function withoutCounts(told: Fields): Fields {
  return Object.fromEntries(Object.entries(told).filter(([name]) => !/eval|duration/.test(name)))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function withoutCached(usage: Fields): Fields {
  return Object.fromEntries(
    Object.entries(usage).filter(([name]) => !CACHED.has(name) && !WRITTEN.has(name) && !DETAILS.has(name)),
  )
}

function wronged(usage: Fields, how: WrongUsage): Fields {
  const input = Object.entries(usage).reduce((sum, [name, value]) => sum + (INPUT.has(name) ? Number(value) : 0), 0)
  switch (how) {
    case 'zeros':
      return eachCount(usage, () => 0)
    case 'huge':
      return eachCount(usage, (name, count) => (INPUT.has(name) || CACHED.has(name) || TOTAL.has(name) ? HUGE : count))
    case 'negative':
      return eachCount(usage, (_, count) => -1 - count)
    case 'fraction':
      return eachCount(usage, (name, count) => (INPUT.has(name) || TOTAL.has(name) ? count + 0.5 : count))
    case 'above_input':
      return eachCount(usage, (name, count) => (CACHED.has(name) ? input * 3 + 1000 : count))
    case 'disagree':
      return disagreeing(usage)
    case 'summed':
      return summed(usage)
  }
}

function eachCount(usage: Fields, change: (name: string, count: number) => number): Fields {
  return Object.fromEntries(
    Object.entries(usage).map(([name, value]): [string, unknown] => {
      if (typeof value === 'number') return [name, change(name, value)]
      if (Array.isArray(value)) return [name, value.map((one) => (isFields(one) ? eachCount(one, change) : one))]
      return [name, isFields(value) ? eachCount(value, change) : value]
    }),
  )
}

/** A second member beside the own one, of the shape that proxies add (LiteLLM), with half of the count; where both are there, they differ. */
function disagreeing(usage: Fields): Fields {
  const details = usage['prompt_tokens_details'] ?? usage['input_tokens_details']
  const cached = isFields(details) ? Number(details['cached_tokens'] ?? 0) : 0
  if (isFields(details)) return { ...usage, cache_read_input_tokens: Math.floor(cached / 2) + 1 }
  const creation = usage['cache_creation']
  if (isFields(creation)) return { ...usage, cache_creation: eachCount(creation, (_, count) => count + 1000) }
  return eachCount(usage, (name, count) => (CACHED.has(name) ? Math.floor(count / 2) + 1 : count))
}

/** As if the model had been asked a second time within the call, and had read all that the first time wrote or read. */
function summed(usage: Fields): Fields {
  const found = (names: ReadonlySet<string>): number => {
    let sum = 0
    eachCount(usage, (name, count) => ((sum += names.has(name) ? count : 0), count))
    return sum
  }
  const again = found(CACHED) + found(WRITTEN)
  const exclusive = 'cache_read_input_tokens' in usage || 'cacheReadInputTokens' in usage
  const told = eachCount(usage, (name, count) => {
    if (CACHED.has(name)) return count + again
    if (!INPUT.has(name)) return count
    return exclusive ? count + 10 : count * 2 + 10
  })
  return 'server_tool_use' in usage
    ? { ...told, server_tool_use: { web_search_requests: 1, web_fetch_requests: 0 } }
    : told
}

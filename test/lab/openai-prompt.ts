/**
 * OpenAI's two cache regimes. Sources, checked 2026-11-21: OpenAI docs guides/prompt-caching; npm openai 7.55.0,
 * resources/responses/responses.d.ts and resources/chat/completions/completions.d.ts.
 */
import { hashOf, PromptChain, stepsOf } from './blocks.ts'
import type { LabelledText } from './blocks.ts'
import type { CachePoint } from './cache-model.ts'
import { promptTokensOf } from './counting.ts'
import type { Call, Opened, World } from './dialect.ts'
import { compact, isObject, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { OpenAIModel } from './models.ts'
import { openaiRefusal } from './openai-wire.ts'
import { MINUTE_MS } from './time.ts'

const TTL_MS: Record<string, number> = { '30m': 30 * MINUTE_MS, '12h': 720 * MINUTE_MS }
export const TTL_12H_MS = 720 * MINUTE_MS

/** A piece of a message; a breakpoint after it carries its lifetime, when it names one. */
export type PromptPart = { text: string; breakpointTtl: string | 'inherit' | undefined }
export type PromptItem = { role: 'developer' | 'user' | 'assistant' | 'tool' | 'other'; parts: PromptPart[] }

/** A prompt before caching: what is rendered ahead of the messages, settings that break the prefix, and the messages. */
export type OpenAIPrompt = { api: 'responses' | 'chat'; tools: string[]; breakers: string; items: PromptItem[] }

export type CacheAsk = {
  mode: 'implicit' | 'explicit'
  ttl: string
  key: string
  tier: string
  retention: string | undefined
}

export type Cached = {
  hash: string
  totalTokens: number
  cachedTokens: number
  writeTokens: number
  write12hTokens: number
  begunAt: number
}

const MARKER = new Set(['prompt_cache_breakpoint'])
const PLAIN = new Set(['type', 'text', 'prompt_cache_breakpoint', 'annotations'])

export function partOf(node: JsonNode): PromptPart {
  if (typeof node === 'string') return { text: node, breakpointTtl: undefined }
  const text = stringAt(node, 'text')
  const plain = isObject(node) && [...node.keys()].every((name) => PLAIN.has(name))
  const breakpoint = member(node, 'prompt_cache_breakpoint')
  return {
    text: text !== undefined && plain ? text : compact(node, MARKER),
    breakpointTtl: breakpoint === undefined || breakpoint === null ? undefined : breakpointTtl(breakpoint),
  }
}

/** A breakpoint is `{mode: 'explicit', ttl?}` and nothing else. Source: openai SDK 7.55.0, `PromptCacheBreakpoint`; checked 2026-11-30. */
function breakpointTtl(breakpoint: JsonNode): string {
  if (!isObject(breakpoint) || stringAt(breakpoint, 'mode') !== 'explicit') return 'wrong'
  if ([...breakpoint.keys()].some((name) => name !== 'mode' && name !== 'ttl')) return 'wrong'
  const ttl = breakpoint.get('ttl')
  return ttl === undefined ? 'inherit' : typeof ttl === 'string' ? ttl : 'wrong'
}

export function partsOf(content: JsonNode | undefined): PromptPart[] {
  if (typeof content === 'string') return [partOf(content)]
  return Array.isArray(content) ? content.map(partOf) : []
}

export function roleOf(role: string | undefined): PromptItem['role'] {
  if (role === 'system' || role === 'developer') return 'developer'
  if (role === 'user' || role === 'assistant') return role
  return role === 'tool' || role === 'function' ? 'tool' : 'other'
}

/** Reads the cache members that both APIs share, and refuses what the model does not take. */
export function cacheAsk(call: Call, body: JsonObject, model: OpenAIModel, api: OpenAIPrompt['api']): CacheAsk {
  const options = member(body, 'prompt_cache_options') ?? undefined
  const retention = stringAt(body, 'prompt_cache_retention')
  // Earlier models answer 400 to the new members, GPT-6 and later to the old one. Source: guides/prompt-caching; checked 2026-11-21.
  if (options !== undefined && model.regime === 'automatic') throw unsupported(call, 'prompt_cache_options')
  if (retention !== undefined) {
    if (model.retention === 'refused') throw unsupported(call, 'prompt_cache_retention')
    if (retention !== '24h' && (retention !== 'in_memory' || model.retention === '24h')) {
      const supported = model.retention === '24h' ? "'24h'" : "'in_memory' and '24h'"
      throw invalidValue(call, 'prompt_cache_retention', retention, supported)
    }
  }
  checkOptions(call, options, api)
  checkKey(call, body)
  const mode = stringAt(options, 'mode') ?? 'implicit'
  if (mode !== 'implicit' && mode !== 'explicit') {
    throw invalidValue(call, 'prompt_cache_options.mode', mode, "'implicit' and 'explicit'")
  }
  const ttl = stringAt(options, 'ttl') ?? '30m'
  checkTtl(call, 'prompt_cache_options.ttl', ttl, api)
  const tier = stringAt(body, 'service_tier') ?? 'default'
  return {
    mode,
    ttl,
    key: stringAt(body, 'prompt_cache_key') ?? '',
    // "fast" is another name of "priority". Source: openai SDK 7.55.0, `service_tier`; checked 2026-11-30.
    tier: tier === 'auto' ? 'default' : tier === 'fast' ? 'priority' : tier,
    retention,
  }
}

const OPTIONS = {
  chat: new Set(['mode', 'ttl']),
  responses: new Set(['mode', 'ttl', 'prewarm', 'comparison_response_id']),
}

/** Source: openai SDK 7.55.0, `PromptCacheOptions` of both APIs; checked 2026-11-30. */
function checkOptions(call: Call, options: JsonNode | undefined, api: OpenAIPrompt['api']): void {
  if (options === undefined) return
  if (!isObject(options)) throw invalidType(call, 'prompt_cache_options', 'an object')
  const extra = [...options.keys()].find((name) => !OPTIONS[api].has(name))
  if (extra !== undefined) {
    const param = `prompt_cache_options.${extra}`
    throw openaiRefusal(call, 400, `Unknown parameter: '${param}'.`, { param, code: 'unknown_parameter' })
  }
  for (const name of ['mode', 'ttl', 'comparison_response_id']) {
    const value = options.get(name)
    if (value === undefined || typeof value === 'string') continue
    throw invalidType(call, `prompt_cache_options.${name}`, 'a string')
  }
  const prewarm = options.get('prewarm')
  if (prewarm !== undefined && typeof prewarm !== 'boolean') {
    throw invalidType(call, 'prompt_cache_options.prewarm', 'a boolean')
  }
}

const MAX_KEY_CHARS = 64

/** Sources: earendil-works/pi#4720, theopenco/llmgateway#3110; checked 2026-11-30. */
function checkKey(call: Call, body: JsonObject): void {
  const key = member(body, 'prompt_cache_key') ?? ''
  const param = 'prompt_cache_key'
  if (typeof key !== 'string') throw invalidType(call, param, 'a string')
  if (key.length <= MAX_KEY_CHARS) return
  throw openaiRefusal(
    call,
    400,
    `Invalid '${param}': string too long. Expected a string with maximum length ${MAX_KEY_CHARS}, but got a string with length ${key.length} instead.`,
    { param, code: 'string_above_max_length' },
  )
}

function invalidType(call: Call, param: string, wanted: string): Error {
  const message = `Invalid type for '${param}': expected ${wanted}.`
  return openaiRefusal(call, 400, message, { param, code: 'invalid_type' })
}

/** Chat takes 30m only, Responses 30m and 12h. Source: openai SDK 7.55.0, `PromptCacheOptions`; checked 2026-11-21. */
function checkTtl(call: Call, param: string, ttl: string, api: OpenAIPrompt['api']): void {
  const fine = api === 'chat' ? ttl === '30m' : TTL_MS[ttl] !== undefined
  if (!fine) throw invalidValue(call, param, ttl, api === 'chat' ? "'30m'" : "'30m' and '12h'")
}

function unsupported(call: Call, param: string): Error {
  return openaiRefusal(call, 400, `Unsupported parameter: '${param}' is not supported with this model.`, {
    param,
    code: 'unsupported_parameter',
  })
}

function invalidValue(call: Call, param: string, value: string, supported: string): Error {
  return openaiRefusal(call, 400, `Invalid value: '${value}'. Supported values are: ${supported}.`, {
    param,
    code: 'invalid_value',
  })
}

/** Runs a prompt through the cache of its model's regime. */
export function cachePrompt(
  call: Call,
  { account }: Opened,
  prompt: OpenAIPrompt,
  ask: CacheAsk,
  model: OpenAIModel,
  world: World,
): Cached {
  for (const item of prompt.items) {
    for (const { breakpointTtl } of item.parts) {
      if (breakpointTtl === undefined) continue
      if (model.regime === 'automatic') throw unsupported(call, 'prompt_cache_breakpoint')
      if (breakpointTtl === 'wrong') throw invalidValue(call, 'prompt_cache_breakpoint', 'wrong', "{mode: 'explicit'}")
      if (breakpointTtl !== 'inherit') checkTtl(call, 'prompt_cache_breakpoint.ttl', breakpointTtl, prompt.api)
    }
  }
  const chain = new PromptChain(`openai ${prompt.api} ${prompt.breakers}`)
  for (const tool of prompt.tools) chain.push(tool)
  const base = `openai/${model.id}/${account}/${ask.tier}/${hashOf(ask.key)}`
  // Both regimes count the same tokens; only where entries end differs.
  const marks = breakpoints(chain, prompt.items, ask)
  const begunAt = (read: number): number => call.at + world.firstTokenMs(read, chain.tokens)
  const common = { now: call.at, begunAt, minTokens: model.minTokens, write: !world.faults.noWrite }
  if (model.regime === 'breakpoints') {
    const points = world.faults.downgrade ? marks.map((point) => ({ ...point, ttlMs: TTL_MS['30m'] ?? 0 })) : marks
    const result = world.cache.request({ ...common, partition: `${base}/`, points })
    const write12hTokens =
      world.faults.hidden && ask.ttl === '12h' ? result.writeTokens : (result.writeByTtl[TTL_12H_MS] ?? 0)
    return {
      hash: chain.hash,
      totalTokens: chain.tokens,
      cachedTokens: result.readTokens,
      writeTokens: result.writeTokens,
      write12hTokens,
      begunAt: result.begunAt,
    }
  }
  const rendered = [
    ...prompt.tools.map((text) => ({ label: 'tool', text })),
    ...prompt.items.map(({ role, parts }) => ({ label: role, text: parts.map((part) => part.text).join('') })),
  ]
  const ttlMs = automaticTtlMs(ask, model, world)
  const points = stepsOf(rendered, prompt.breakers, AUTOMATIC_STEP, model.minTokens)
    .filter(([tokens]) => tokens <= chain.tokens)
    .map(([tokens, hash]) => ({ hash, tokens, ttlMs, mark: true }))
  // Routed by the first 256 tokens or so together with the key. Source: guides/prompt-caching; checked 2026-11-21.
  const machine = world.machine(`${base}/${beginningOf(rendered)}`, call.at)
  const result = world.cache.request({ ...common, partition: `${base}/machine-${machine}/`, points })
  return {
    hash: chain.hash,
    totalTokens: chain.tokens,
    cachedTokens: result.readTokens,
    writeTokens: 0,
    write12hTokens: 0,
    begunAt: result.begunAt,
  }
}

const AUTOMATIC_STEP = 128

/** Stands for the first 256 tokens or so. */
function beginningOf(parts: readonly LabelledText[]): string {
  let text = ''
  for (const part of parts) if (text.length < 1024) text += `${part.label} ${part.text}`
  return hashOf(text.slice(0, 1024))
}

/**
 * In memory: 5 to 10 idle minutes (the lab: 10); extended: 24 h. The lab plays an organization with zero data retention, whose
 * default is in memory, because that is the harder case to keep warm; gpt-5.5 knows only 24h.
 * Source: guides/prompt-caching, "prompt cache retention"; checked 2026-11-21.
 */
function automaticTtlMs(ask: CacheAsk, model: OpenAIModel, world: World): number {
  const extended = (ask.retention ?? (model.retention === '24h' ? '24h' : 'in_memory')) === '24h'
  return extended && !world.faults.downgrade ? 1440 * MINUTE_MS : 10 * MINUTE_MS
}

type End = { hash: string; tokens: number; item: number; last: boolean; explicitTtl: string | undefined }

/** Appends the items to the chain and says where entries may be read and written. */
function breakpoints(chain: PromptChain, items: readonly PromptItem[], ask: CacheAsk): CachePoint[] {
  const ends: End[] = []
  items.forEach((item, i) => {
    item.parts.forEach((part, p) => {
      chain.push(`${item.role}\u0000${part.text}`, promptTokensOf(part.text))
      const last = p === item.parts.length - 1
      ends.push({ hash: chain.hash, tokens: chain.tokens, item: i, last, explicitTtl: part.breakpointTtl })
    })
  })
  const marks = new Map<End, number>()
  const looks = new Set<End>()
  const explicit = ends.filter((end) => end.explicitTtl !== undefined)
  // Considered for reading: the first 2 and the latest 50 explicit breakpoints (the API reference says the latest 80).
  for (const end of [...explicit.slice(0, 2), ...explicit.slice(-50)]) looks.add(end)
  const inherited = TTL_MS[ask.ttl] ?? 0
  const writes = ask.mode === 'implicit' ? explicit.slice(-3) : explicit.slice(-4)
  for (const end of writes)
    marks.set(end, end.explicitTtl === 'inherit' ? inherited : (TTL_MS[end.explicitTtl ?? ''] ?? inherited))
  if (ask.mode === 'implicit') {
    const eligible = ends.filter((end) => end.last && isEligible(items, end.item))
    const latest = eligible.at(-1)
    for (const end of eligible.slice(-21)) looks.add(end)
    const developer = ends.find((end) => end.last && end.item === initialDeveloperEnd(items))
    if (developer !== undefined) looks.add(developer)
    if (latest !== undefined && !marks.has(latest)) marks.set(latest, inherited)
  }
  return ends
    .filter((end) => looks.has(end) || marks.has(end))
    .map((end) => ({ hash: end.hash, tokens: end.tokens, ttlMs: marks.get(end) ?? inherited, mark: marks.has(end) }))
}

/** The index of the last message of the leading run of developer messages, or -1. */
function initialDeveloperEnd(items: readonly PromptItem[]): number {
  const first = items.findIndex((item) => item.role !== 'developer')
  return (first === -1 ? items.length : first) - 1
}

/** Where implicit mode may end an entry: a user message, the last tool output of a group, the end of the initial developer block. */
function isEligible(items: readonly PromptItem[], index: number): boolean {
  const role = items[index]?.role
  if (role === 'user') return true
  if (role === 'tool') return items[index + 1]?.role !== 'tool'
  return role === 'developer' && index === initialDeveloperEnd(items)
}

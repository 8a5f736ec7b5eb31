import { Failure } from '../../../contract/failure.ts'
import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import { readEvents, stringOf, unreadable } from '../shared/answer.ts'
import { appendTo, readBody, systemTexts } from '../shared/body.ts'
import { readErrorWith } from '../shared/errors.ts'
import { PLAIN } from '../../wire.ts'
import type { Wire } from '../../wire.ts'
import { chatTurns } from './chat-turn.ts'
import { cacheMarkers, chatSections, chatLint } from './layout.ts'
import { count, fields, inclusive, mergedUsage, nature, NO_USAGE, statedCount } from '../shared/usage.ts'
import type { Fields } from '../shared/usage.ts'
import { commonChanges, placeholderTurn, keyHeaders, refusesPrimitive } from './cache-controls.ts'
import { MARKER as CONTROL } from '../anthropic-messages/markers.ts'
import { isAmong, markEnd, markerKindOf } from './mark.ts'
import { chatMembers } from './neutral.ts'
import type { OpenaiShape } from './breakpoints.ts'
import { openaiFaults } from './faults.ts'
import { comparedOpenai, lastElement, prepareOpenai } from './prefix.ts'
import { NOT_COMPARED } from './settings.ts'
import type { Usage } from '../../../core/model/usage.ts'
import type {
  Dialect,
  DialectDefinition,
  NeutralRequest,
  PreparedPrefix,
  ProbeAnswer,
  ProbeOptions,
  ProbeRequest,
} from '../../dialect.ts'

/** OpenAI Chat Completions. Source: SDK 7.55.0 types and developers.openai.com prompt caching guide, checked 2026-11-21. */
export const chatCompletions: DialectDefinition = {
  id: 'openai-chat',
  // Most providers of this format have no cache settings. OpenAI's own cards name theirs.
  wire: { ...PLAIN, lacks: ['top_k', 'thinking'] },
  client: 'openai-sdk',
  labPath: '/openai/v1',
  recognises: () => true, // the format of most providers
  create,
}

function create(wire: Wire): Dialect {
  const shape: OpenaiShape = { ...SHAPE, wire }
  return {
    prepare: (request, facts) => prepareOpenai(readBody(request.text), request, facts, shape),
    compared: (request, facts) => comparedOpenai(readBody(request.text), request, facts, shape),
    faults: (text, facts) => openaiFaults(text, facts, shape),
    render: (request) => render(request, wire),
    primitives: (_text, facts) => facts.primitives,
    probe: (prefix, options) => probe(prefix, options, shape),
    readAnswer: (text, contentType, headers) => {
      const { cachedHeader } = wire
      return readAnswer(text, contentType, cachedHeader === null ? null : (headers?.get(cachedHeader) ?? null))
    },
    readUsage,
    readError: (status, headers, text) => readErrorWith({ refusesPrimitive, words: wire }, status, headers, text),
    sections: chatSections(wire),
    markers: cacheMarkers(shape),
    lint: chatLint(wire),
    turns: chatTurns(wire),
    unknownModel: { primitives: ['one_token', 'floor_tokens'], writesReported: false },
    outputFloor: FLOOR_TOKENS,
    lacks: wire.lacks,
  }
}

const FLOOR_TOKENS = 16

/** Sampling that engines take beside the vendor's own. Sources: docs.vllm.ai sampling parameters, llama.cpp server; checked 2026-11-30. */
const SAMPLING = [
  'top_k',
  'top_a',
  'min_p',
  'typical_p',
  'best_of',
  'repetition_penalty',
  'repeat_penalty',
  'length_penalty',
  'min_tokens',
  'stop_token_ids',
  'include_stop_str_in_output',
  'ignore_eos',
  'use_beam_search',
  'skip_special_tokens',
  'spaces_between_special_tokens',
  'prompt_logprobs',
] as const

/**
 * Which upstream or queue serves a request, and what routers keep for themselves. `transforms` cut a prompt that is too long, and no other.
 * Sources: openrouter.ai provider routing, model routing and message transforms; docs.litellm.ai proxy, "user keys"; learn.microsoft.com, Azure
 * OpenAI reference; docs.vllm.ai; checked 2026-11-30. Assumed of the rest: they name or order calls.
 */
const ROUTING = [
  'provider',
  'models',
  'route',
  'transforms',
  'include_reasoning',
  'usage',
  'trace',
  'priority',
  'request_id',
  'user_security_context',
  'tags',
  'fallbacks',
  'num_retries',
  'litellm_session_id',
  'litellm_trace_id',
] as const

const SHAPE = {
  turns: { list: 'messages', parts: 'content' },
  textType: 'text',
  markable: (turn: JsonNode) => stringMember(turn, 'role') !== undefined,
  notCompared: new Set([
    ...NOT_COMPARED,
    'max_completion_tokens',
    'max_tokens',
    'n',
    'stop',
    'seed',
    'logprobs',
    'top_logprobs',
    'logit_bias',
    'presence_penalty',
    'frequency_penalty',
    ...SAMPLING,
    ...ROUTING,
  ]),
} as const satisfies Omit<OpenaiShape, 'wire'>

function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  options: ProbeOptions,
  shape: OpenaiShape,
): ProbeRequest {
  const { wire } = shape
  const body = readBody(prefix.text)
  const { root } = body
  if (options.primitive !== 'one_token' && options.primitive !== 'floor_tokens') {
    throw new Failure('unsupported', 'This wire format does not support this kind of probe.', {
      primitive: options.primitive,
    })
  }
  const floor = options.primitive === 'one_token' ? 1 : FLOOR_TOKENS
  const markerKind = markerKindOf(root, prefix.model, options.retention, wire)
  const edits = markerKind === null ? [] : markEnd(body, lastElement(root, shape), markerKind, options.retention, shape)

  const cap = Math.max(floor, options.outputTokens ?? floor)
  const changes = commonChanges(body, prefix.model, options.retention, false, wire)
  if (markerKind?.isControl === true) changes[CONTROL] = null // at the top it would mark the placeholder turn
  // The cap keeps the name that the body uses: servers know one or the other.
  const isFixed = isAmong(wire.cappedModels, prefix.model)
  const own = isFixed ? undefined : CAPS.find((name) => member(root, name) !== undefined)
  if (isFixed) for (const name of CAPS) changes[name] = null
  changes[own ?? wire.cap] = String(cap)
  if (member(root, 'n') !== undefined) changes['n'] = '1' // more answers would only cost more output
  if (member(root, 'store') !== undefined) changes['store'] = 'false'
  const placeholder = placeholderTurn(wire.uniqueTail ? options.nonce : undefined)
  const appended = appendTo(root, 'messages', placeholder)
  if (appended === null) changes['messages'] = `[${placeholder}]`
  edits.push(...(appended ?? []), ...objectEdits(root, changes))
  return {
    path: '/chat/completions',
    body: edit(body.text, edits),
    outputTokens: cap,
    headers: keyHeaders(wire, options.key),
  }
}

const CAPS = ['max_completion_tokens', 'max_tokens'] as const

function render(request: NeutralRequest, wire: Wire): string {
  const members = [`"model":${JSON.stringify(request.model)}`, ...chatMembers(request.settings, wire)]
  if (request.tools !== undefined && request.tools.length > 0) {
    const tools = request.tools.map((tool) => {
      const description = tool.description === undefined ? '' : `,"description":${JSON.stringify(tool.description)}`
      return `{"type":"function","function":{"name":${JSON.stringify(tool.name)}${description},"parameters":${tool.parametersText}}}`
    })
    members.push(`"tools":[${tools.join(',')}]`)
  }
  const messages = (request.messages ?? []).map(
    ({ role, content }) => `{"role":${JSON.stringify(role)},"content":${JSON.stringify(content)}}`,
  )
  const system = systemTexts(request).map((text) => JSON.stringify(text))
  if (system.length > 0) {
    // Some servers of this format take a system prompt as a plain string alone.
    const parts = system.map((text) => `{"type":"text","text":${text}}`)
    messages.unshift(`{"role":"system","content":${parts.length === 1 ? system[0] : `[${parts.join(',')}]`}}`)
  }
  members.push(`"messages":[${messages.join(',')}]`)
  return `{${members.join(',')}}`
}

function readAnswer(text: string, contentType: string, cachedHeader: string | null): ProbeAnswer {
  const { streamed, events, done } = readEvents(text, contentType)
  if (streamed && !done) throw unreadable('the stream has no end')
  const last = events.at(-1)
  if (last === undefined) throw unreadable('the stream is empty')
  if (events.some((event) => 'error' in event)) throw unreadable('it carries an error')
  if (!Array.isArray(last['choices'])) throw unreadable('it is not a completion')
  // In a stream the last chunk has the usage, where it was requested. Compatible servers also put it elsewhere.
  const rawUsage = mergedUsage(events.map(usageIn))
  const usage = readUsage(rawUsage) ?? NO_USAGE
  const counted = cachedHeader !== null && /^\d+$/.test(cachedHeader) ? Number(cachedHeader) : null
  return {
    usage: usage.cacheReadTokens === null && counted !== null ? withRead(usage, counted) : usage,
    rawUsage,
    model: stringOf(last['model']),
  }
}

/**
 * The usage of one event: its own, its choice's, or a vendor's member. `timings` of llama.cpp count the cached tokens. `others`: the
 * usage objects beside the first one.
 */
function usageIn(event: Fields): Fields | null {
  const choices = Array.isArray(event['choices']) ? event['choices'] : []
  const places = [event['usage'], fields(choices[0])?.['usage'], fields(event['x_groq'])?.['usage']]
  const [usage = null, ...others] = places.map(fields).filter((place) => place !== null)
  if (usage === null) return null
  const timings = fields(event['timings'])
  return { ...usage, ...(timings === null ? {} : { timings }), ...(others.length === 0 ? {} : { others }) }
}

function withRead(usage: Usage, read: number): Usage {
  const { inputTokens: total, cacheWriteTokens: write, outputTokens: output, reasoningTokens: reasoning } = usage
  return inclusive({ total, read, write, output, reasoning })
}

/** `prompt_tokens` is the whole prompt. Other names of compatible servers are read as well. */
function readUsage(value: unknown): Usage | null {
  const usage = fields(value)
  if (usage === null) return null
  const tokens = fields(usage['tokens'])
  if (tokens !== null) return separateCounts(usage, tokens)
  if (!('prompt_tokens' in usage)) return null
  const objects = [usage, ...(Array.isArray(usage['others']) ? usage['others'].map(fields) : [])]
  const total = statedCount([
    ...objects.map((one) => one?.['prompt_tokens']),
    sumOf(usage['prompt_cache_hit_tokens'], usage['prompt_cache_miss_tokens']),
  ])
  const read = statedCount(objects.flatMap(readsIn))
  const details = detailsIn(usage)
  const write = statedCount([
    details?.['cache_write_tokens'],
    usage['cache_write_tokens'],
    usage['cache_creation_input_tokens'],
  ])
  return {
    ...inclusive({
      total: total.value,
      read: read.value,
      write: write.value,
      output: count(usage['completion_tokens']),
      reasoning: count(fields(usage['completion_tokens_details'])?.['reasoning_tokens']),
      all: count(usage['total_tokens']),
    }),
    ...nature(usage, total.differs || read.differs || write.differs),
  }
}

function detailsIn(usage: Fields | null): Fields | null {
  return fields(usage?.['prompt_tokens_details']) ?? fields(usage?.['prompt_token_details'])
}

function readsIn(usage: Fields | null): unknown[] {
  return [
    detailsIn(usage)?.['cached_tokens'],
    usage?.['cached_tokens'],
    usage?.['prompt_cache_hit_tokens'],
    usage?.['num_cached_tokens'],
    fields(usage?.['timings'])?.['cache_n'],
  ]
}

function sumOf(...values: readonly unknown[]): number | null {
  const counts = values.map(count)
  return counts.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0)
}

/** Counts in an object of their own (Cohere). Whether they include cached tokens is not documented. */
function separateCounts(usage: Fields, tokens: Fields): Usage {
  return {
    ...NO_USAGE,
    ...nature(usage, false),
    inputTokens: count(tokens['input_tokens']),
    cacheReadTokens: count(usage['cached_tokens']),
    outputTokens: count(tokens['output_tokens']),
  }
}

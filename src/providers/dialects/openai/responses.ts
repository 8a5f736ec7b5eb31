import { countInput } from './count.ts'
import { Failure } from '../../../contract/failure.ts'
import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import type { ModelFacts, Primitive } from '../../../core/model/facts.ts'
import { readEvents, stringOf, unreadable } from '../shared/answer.ts'
import { appendTo, readBody, systemTexts } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { readErrorWith } from '../shared/errors.ts'
import { PLAIN } from '../../wire.ts'
import type { Wire } from '../../wire.ts'
import { cacheMarkers, responsesSections, responsesLint } from './layout.ts'
import { responsesTurns } from './responses-turn.ts'
import { count, fields, inclusive, nature, NO_USAGE, statedCount, writesByRetention } from '../shared/usage.ts'
import { commonChanges, placeholderTurn, isExplicitMode, keyHeaders, refusesPrimitive } from './cache-controls.ts'
import { markEnd, markerKindOf } from './mark.ts'
import { responsesMembers } from './neutral.ts'
import { isDeveloper, MARKER } from './breakpoints.ts'
import { openaiFaults } from './faults.ts'
import type { OpenaiShape } from './breakpoints.ts'
import { comparedOpenai, lastElement, prepareOpenai } from './prefix.ts'
import { NOT_COMPARED } from './settings.ts'
import type { Usage } from '../../../core/model/usage.ts'
import type {
  Dialect,
  DialectDefinition,
  NativeRequest,
  NeutralRequest,
  PreparedPrefix,
  ProbeAnswer,
  ProbeOptions,
  ProbeRequest,
} from '../../dialect.ts'

/** OpenAI Responses. Source: SDK 7.55.0 types and developers.openai.com prompt caching guide, checked 2026-11-21. */
export const openaiResponses: DialectDefinition = {
  id: 'openai-responses',
  wire: {
    ...PLAIN,
    cap: 'max_completion_tokens',
    controls: 'all',
    keyMember: 'prompt_cache_key',
    retentions: ['in_memory', '24h', '30m', '12h'],
    markers: [MARKER],
    lacks: ['top_k', 'seed', 'presence_penalty', 'frequency_penalty', 'stop', 'thinking'],
  },
  client: 'openai-sdk',
  labPath: '/openai/v1',
  recognises: (root) => member(root, 'input') !== undefined || member(root, 'instructions') !== undefined,
  create,
}

function create(wire: Wire): Dialect {
  const shape: OpenaiShape = { ...SHAPE, wire }
  return {
    prepare: (request, facts) => prepareOpenai(whole(request), request, facts, shape),
    compared: (request, facts) => comparedOpenai(whole(request), request, facts, shape),
    faults: (text, facts) => openaiFaults(text, facts, shape),
    render,
    primitives,
    probe: (prefix, options) => probe(prefix, options, shape),
    count: countInput,
    readAnswer,
    readUsage,
    readError: (status, headers, text) => readErrorWith({ refusesPrimitive, words: wire }, status, headers, text),
    sections: responsesSections(wire),
    markers: cacheMarkers(shape),
    lint: responsesLint(wire),
    turns: responsesTurns(wire),
    unknownModel: { primitives: ['floor_tokens'], writesReported: false },
    outputFloor: FLOOR_TOKENS,
    lacks: wire.lacks,
  }
}

/** The smallest output cap that the endpoint accepts (400 `integer_below_min_value` below it). */
const FLOOR_TOKENS = 16

const SHAPE = {
  turns: { list: 'input', parts: 'content' },
  textType: 'input_text',
  // An assistant's text has another type, which takes no breakpoint.
  markable: (turn: JsonNode) => isDeveloper(turn) || stringMember(turn, 'role') === 'user',
  notCompared: new Set([
    ...NOT_COMPARED,
    'max_output_tokens',
    'include',
    'background',
    'top_logprobs',
    'max_tool_calls',
  ]),
} as const satisfies Omit<OpenaiShape, 'wire'>

/** Reads a body that holds its whole prompt. Throws `unsupported` for others. */
function whole(request: NativeRequest): Body {
  const body = readBody(request.text)
  for (const field of ['conversation', 'previous_response_id']) {
    const value = member(body.root, field)
    if (value === undefined || value.type === 'null') continue
    // The prompt would begin with turns that the provider stores, and a probe would add to them.
    throw new Failure('unsupported', `request.${field} puts turns before the prefix that the body does not contain.`, {
      field: `request.${field}`,
    })
  }
  if (member(body.root, 'prompt')?.type === 'object') {
    const why =
      'request.prompt names a prompt that the provider keeps. The body does not hold its text, so that no probe can be made of it.'
    throw new Failure('unsupported', why, { field: 'request.prompt' })
  }
  return body
}

function primitives(text: string, facts: ModelFacts): Primitive[] {
  const { root } = readBody(text)
  // A prewarm ends at the initial developer messages. A prefix with turns needs a breakpoint, and a turn behind it.
  const isDeveloperOnly = items(member(root, 'input')).every(isDeveloper)
  return facts.primitives.filter((primitive) => primitive !== 'prewarm' || isDeveloperOnly)
}

function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  options: ProbeOptions,
  shape: OpenaiShape,
): ProbeRequest {
  const { wire } = shape
  const body = readBody(prefix.text)
  const { root } = body
  const last = lastElement(root, shape)
  const prewarm = options.primitive === 'prewarm'
  if (!prewarm && options.primitive !== 'floor_tokens' && options.primitive !== 'one_token') {
    throw new Failure('unsupported', 'This wire format does not support this kind of probe.', {
      primitive: options.primitive,
    })
  }
  const markerKind = prewarm && !isExplicitMode(root) ? null : markerKindOf(root, prefix.model, options.retention, wire)
  const edits = markerKind === null ? [] : markEnd(body, last, markerKind, options.retention, shape)

  const cap = prewarm ? 0 : Math.max(FLOOR_TOKENS, options.outputTokens ?? FLOOR_TOKENS)
  const changes = commonChanges(body, prefix.model, options.retention, prewarm, wire)
  changes['store'] = 'false'
  changes['background'] = null
  if (!prewarm) {
    changes['max_output_tokens'] = String(cap)
    const placeholder = placeholderTurn(wire.uniqueTail ? options.nonce : undefined)
    const appended = appendTo(root, 'input', placeholder)
    if (appended === null) changes['input'] = `[${placeholder}]`
    else edits.push(...appended)
  } else if (member(root, 'input')?.type !== 'array') changes['input'] = '[]'
  edits.push(...objectEdits(root, changes))
  return { path: '/responses', body: edit(body.text, edits), outputTokens: cap, headers: keyHeaders(wire, options.key) }
}

function render(request: NeutralRequest): string {
  const members = [`"model":${JSON.stringify(request.model)}`, ...responsesMembers(request.settings)]
  if (request.tools !== undefined && request.tools.length > 0) {
    const tools = request.tools.map((tool) => {
      const description = tool.description === undefined ? '' : `,"description":${JSON.stringify(tool.description)}`
      return `{"type":"function","name":${JSON.stringify(tool.name)}${description},"parameters":${tool.parametersText},"strict":false}`
    })
    members.push(`"tools":[${tools.join(',')}]`)
  }
  const input: string[] = []
  const system = systemTexts(request).map((text) => `{"type":"input_text","text":${JSON.stringify(text)}}`)
  if (system.length > 0) input.push(`{"role":"developer","content":[${system.join(',')}]}`)
  for (const { role, content } of request.messages ?? []) {
    input.push(`{"role":${JSON.stringify(role)},"content":${JSON.stringify(content)}}`)
  }
  members.push(`"input":[${input.join(',')}]`)
  return `{${members.join(',')}}`
}

function readAnswer(text: string, contentType: string): ProbeAnswer {
  const { streamed, events } = readEvents(text, contentType)
  // Where reasoning uses up the cap, the answer is `incomplete`. For a probe that is success.
  const last = events.findLast(({ type }) => type === 'response.completed' || type === 'response.incomplete')
  const response = streamed ? fields(last?.['response']) : events[0]!
  if (response === null) throw unreadable('the stream has no end')
  if (response['object'] !== 'response') throw unreadable('it is not a response')
  if (response['status'] === 'failed') throw unreadable('the response failed')
  const rawUsage = fields(response['usage'])
  return { usage: readUsage(rawUsage) ?? NO_USAGE, rawUsage, model: stringOf(response['model']) }
}

/** `input_tokens` is the whole prompt. */
function readUsage(value: unknown): Usage | null {
  const usage = fields(value)
  if (usage === null || !('input_tokens' in usage)) return null
  const details = fields(usage['input_tokens_details'])
  const total = count(usage['input_tokens'])
  const read = statedCount([details?.['cached_tokens'], details?.['cache_read_input_tokens']])
  const write = statedCount([details?.['cache_write_tokens'], details?.['cache_creation_input_tokens']])
  return {
    ...inclusive({
      total,
      read: read.value,
      write: write.value,
      writeByRetention: writesByRetention(details?.['cache_write_tokens_details'], /^ttl_(\w+)_tokens$/),
      output: count(usage['output_tokens']),
      reasoning: count(fields(usage['output_tokens_details'])?.['reasoning_tokens']),
      all: count(usage['total_tokens']),
    }),
    ...nature(usage, read.differs || write.differs),
  }
}

import { Failure } from '../../contract/failures.ts'
import { edit, objectEdits } from '../../core/json-edit.ts'
import { member, stringMember } from '../../core/json-text.ts'
import type { JsonNode } from '../../core/json-text.ts'
import type { ModelFacts, Primitive, Usage } from '../../core/types.ts'
import { readEvents, stringOf, unreadable } from '../answer.ts'
import { appendTo, readBody } from '../body.ts'
import { readErrorWith } from '../errors.ts'
import type { Dialect, NeutralRequest, PreparedPrefix, ProbeAnswer, ProbeRequest } from '../types.ts'
import { count, fields, inclusive, NO_USAGE } from '../usage.ts'
import { commonChanges, DUMMY_TURN, refusesPrimitive } from './openai-controls.ts'
import { hasBreakpoints, markEnd } from './openai-marks.ts'
import type { OpenaiShape } from './openai-marks.ts'
import { lastElement, NOT_COMPARED, prepareOpenai } from './openai-prefix.ts'

/** OpenAI Chat Completions. Source: SDK 7.55.0 types and developers.openai.com prompt caching guide, checked 2026-11-21. */
export const openaiChat: Dialect = {
  id: 'openai-chat',
  prepare: (request, facts) => prepareOpenai(readBody(request.text), request, facts, SHAPE),
  render,
  primitives,
  probe,
  readAnswer,
  readUsage,
  readError: (status, headers, text) => readErrorWith({ refusesPrimitive }, status, headers, text),
}

const FLOOR_TOKENS = 16

const SHAPE: OpenaiShape = {
  turns: { list: 'messages', parts: 'content' },
  textType: 'text',
  markable: (turn: JsonNode) => stringMember(turn, 'role') !== undefined,
  wireRetentions: ['in_memory', '24h', '30m'],
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
  ]),
}

function primitives(_text: string, facts: ModelFacts): Primitive[] {
  return facts.primitives
}

function probe(
  prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>,
  options: { primitive: Primitive; retention: string; outputTokens?: number },
): ProbeRequest {
  const body = readBody(prefix.text)
  const { root } = body
  if (options.primitive !== 'one_token' && options.primitive !== 'floor_tokens') {
    throw new Failure('unsupported', 'This wire format has no such probe.', { primitive: options.primitive })
  }
  const floor = options.primitive === 'one_token' ? 1 : FLOOR_TOKENS
  const edits = hasBreakpoints(options.retention)
    ? markEnd(body, lastElement(root, SHAPE), options.retention, SHAPE)
    : []

  const cap = Math.max(floor, options.outputTokens ?? floor)
  const changes = commonChanges(body, prefix.model, options.retention, false)
  // The body's own name for the cap: servers that speak this format know one or the other.
  const old = member(root, 'max_tokens') !== undefined && member(root, 'max_completion_tokens') === undefined
  changes[old ? 'max_tokens' : 'max_completion_tokens'] = String(cap)
  if (member(root, 'n') !== undefined) changes['n'] = '1' // more answers would only cost more output
  if (member(root, 'store') !== undefined) changes['store'] = 'false'
  const appended = appendTo(root, 'messages', DUMMY_TURN)
  if (appended === null) changes['messages'] = `[${DUMMY_TURN}]`
  edits.push(...(appended ?? []), ...objectEdits(root, changes))
  return { path: '/chat/completions', body: edit(body.text, edits), outputTokens: cap }
}

function render(request: NeutralRequest): string {
  const members = [`"model":${JSON.stringify(request.model)}`]
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
  if (request.system !== undefined && request.system !== '') {
    messages.unshift(`{"role":"system","content":${JSON.stringify(request.system)}}`)
  }
  members.push(`"messages":[${messages.join(',')}]`)
  return `{${members.join(',')}}`
}

function readAnswer(text: string, contentType: string): ProbeAnswer {
  const { streamed, events, done } = readEvents(text, contentType)
  if (streamed && !done) throw unreadable('the stream has no end')
  const last = events.at(-1)
  if (last === undefined) throw unreadable('the stream is empty')
  if (events.some((event) => 'error' in event)) throw unreadable('it carries an error')
  if (!Array.isArray(last['choices'])) throw unreadable('it is no completion')
  // In a stream the last chunk has the usage, where it was asked for; some servers hang it on the choice.
  const usages = events.map(
    (event) => fields(event['usage']) ?? fields(fields((event['choices'] as unknown[])?.[0])?.['usage']),
  )
  const rawUsage = usages.findLast((usage) => usage !== null) ?? null
  return { usage: readUsage(rawUsage) ?? NO_USAGE, rawUsage, model: stringOf(last['model']) }
}

/** `prompt_tokens` is the whole prompt; what compatible servers call their counts is read as well. */
function readUsage(value: unknown): Usage | null {
  const usage = fields(value)
  if (usage === null || !('prompt_tokens' in usage)) return null
  const details = fields(usage['prompt_tokens_details'])
  return inclusive({
    total: count(usage['prompt_tokens']),
    read: count(details?.['cached_tokens']) ?? count(usage['cached_tokens']) ?? count(usage['prompt_cache_hit_tokens']),
    write: count(details?.['cache_write_tokens']) ?? count(usage['cache_creation_input_tokens']),
    output: count(usage['completion_tokens']),
    reasoning: count(fields(usage['completion_tokens_details'])?.['reasoning_tokens']),
  })
}

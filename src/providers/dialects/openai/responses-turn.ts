import type { Reply } from '../../../core/conversation/turn.ts'
import { EXPLICIT_MODE, hasBreakpoints, MARKER, OPTIONS } from './breakpoints.ts'
import type { Wire } from '../../wire.ts'
import type { Fields } from '../shared/usage.ts'
import { fields } from '../shared/usage.ts'
import { listOf, nativeList, nativeText, saidOf, systemOf, textOf, UNMARKED } from '../shared/turn-format.ts'
import type { Said } from '../shared/turn-format.ts'
import type { Conversation, ProbeRequest, TurnFormat } from '../../dialect.ts'

const REASONS = /^(gpt-[5-9]|o\d)/
const KIND = 'openai-responses'

/** OpenAI Responses. Source: developers.openai.com prompt caching and function calling guides, SDK 7.55.0, checked 2026-11-21. */
export function responsesTurns(wire: Wire): TurnFormat {
  return {
    request: (conversation) => request(conversation, wire),
    markable: ({ cache }) => (takesPoints(cache, wire) ? EXPLICIT_MODE : UNMARKED),
    reply,
    delta,
    endsAtResults: false,
  }
}

function takesPoints(cache: Conversation['cache'], wire: Wire): boolean {
  return cache !== null && wire.controls === 'all' && hasBreakpoints(cache.retention)
}

function request(conversation: Conversation, wire: Wire): ProbeRequest {
  const { model, messages, breakpoints, volatileText, maxOutputTokens, cache, tools, noTools, stream } = conversation
  const points = takesPoints(cache, wire)
  const marker = points ? { [MARKER]: { mode: 'explicit' } } : {}
  const system = systemOf(messages)
  const input = saidOf(conversation, wire.controls === 'all').flatMap(({ message, marked }) =>
    itemsOf(message, marked ? marker : {}),
  )
  const volatilePart = { type: 'input_text', text: volatileText }
  const last = input.at(-1)
  if (volatileText !== null && last !== undefined) {
    if (last['role'] === 'user' && Array.isArray(last['content'])) last['content'].push(volatilePart)
    else input.push({ role: 'user', content: [volatilePart] })
  }
  const content = [{ type: 'input_text', text: system, ...(breakpoints.head ? marker : {}) }]
  const body = {
    model,
    // Explicit mode: text behind the last breakpoint is never read again, and must not be paid as a write.
    ...(points && cache !== null
      ? { [OPTIONS]: { mode: 'explicit', ...(cache.retention === '30m' ? {} : { ttl: cache.retention }) } }
      : {}),
    ...(wire.controls === 'all' && cache?.retention === '24h' ? { prompt_cache_retention: '24h' } : {}),
    ...(cache === null || wire.keyMember === null ? {} : { [wire.keyMember]: cache.key }),
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function',
            name,
            description,
            parameters,
            strict: false,
          })),
        }),
    ...(tools.length > 0 && noTools ? { tool_choice: 'none' } : {}),
    input: system === '' ? input : [{ role: 'developer', content }, ...input],
    max_output_tokens: maxOutputTokens,
    // Reasoning models get their reasoning back between two tool calls. Other models refuse the request for it.
    ...(tools.length > 0 && REASONS.test(model) ? { include: ['reasoning.encrypted_content'] } : {}),
    store: false,
    ...(stream ? { stream } : {}),
  }
  const headers = cache !== null && wire.keyHeader !== null ? { headers: { [wire.keyHeader]: cache.key } } : {}
  return { path: '/responses', body: JSON.stringify(body), outputTokens: maxOutputTokens, ...headers }
}

function itemsOf(message: Said, marker: object): Record<string, unknown>[] {
  if (message.role === 'user')
    return [{ role: 'user', content: [{ type: 'input_text', text: message.text, ...marker }] }]
  if (message.role === 'tool') {
    const output = [{ type: 'input_text', text: message.text, ...marker }]
    return [{ type: 'function_call_output', call_id: message.callId, output }]
  }
  const native = nativeList(message.native, KIND)
  if (native !== null) return native.map((item) => ({ ...fields(item) }))
  return [
    ...(message.text === '' ? [] : [{ role: 'assistant', content: [{ type: 'output_text', text: message.text }] }]),
    ...(message.toolCalls ?? []).map(({ id, name, arguments: given }) => ({
      type: 'function_call',
      call_id: id,
      name,
      arguments: given,
    })),
  ]
}

function reply(events: readonly Fields[], streamed: boolean): Reply {
  const ends = new Set<unknown>(['response.completed', 'response.incomplete', 'response.failed'])
  const response = streamed
    ? (fields(events.findLast(({ type }) => ends.has(type))?.['response']) ?? {})
    : (events[0] ?? {})
  const output = listOf(response['output'])
  const calls = output.filter(({ type }) => type === 'function_call')
  const parts = output.filter(({ type }) => type === 'message').flatMap(({ content }) => listOf(content))
  return {
    text: parts.flatMap(({ type, text }) => (type === 'output_text' ? [textOf(text)] : [])).join(''),
    complete: response['status'] !== 'incomplete',
    toolCalls: calls.map((call) => ({
      id: textOf(call['call_id']),
      name: textOf(call['name']),
      arguments: textOf(call['arguments']),
    })),
    native: calls.length === 0 ? null : nativeText(KIND, output.flatMap(sentBack)),
  }
}

/**
 * An output item as a request takes it: without its id, which `store: false` did not keep. Reasoning is sent back where it is encrypted.
 */
function sentBack(item: Fields): object[] {
  const { type, call_id, name, arguments: given, content, summary, encrypted_content } = item
  if (type === 'function_call') return [{ type, call_id, name, arguments: given }]
  if (type === 'reasoning') {
    return typeof encrypted_content === 'string' ? [{ type, summary: summary ?? [], encrypted_content }] : []
  }
  if (type !== 'message') return []
  const text = listOf(content).flatMap((part) => (part['type'] === 'output_text' ? [textOf(part['text'])] : []))
  return text.length === 0 ? [] : [{ role: 'assistant', content: [{ type: 'output_text', text: text.join('') }] }]
}

function delta(event: Fields): string {
  return event['type'] === 'response.output_text.delta' ? textOf(event['delta']) : ''
}

import type { ToolCall } from '../../../core/conversation/window.ts'
import type { Reply } from '../../../core/conversation/turn.ts'
import { MAX_MARKERS } from '../anthropic-messages/markers.ts'
import { EXPLICIT_MODE, hasBreakpoints, MARKER, OPTIONS } from './breakpoints.ts'
import type { Wire } from '../../wire.ts'
import type { Fields } from '../shared/usage.ts'
import { fields } from '../shared/usage.ts'
import { listOf, nativeList, nativeText, saidOf, systemOf, textOf, UNMARKED } from '../shared/turn-format.ts'
import type { Said } from '../shared/turn-format.ts'
import type { Conversation, ProbeRequest, TurnFormat } from '../../dialect.ts'

const KIND = 'openai-chat'

/**
 * Chat Completions, of OpenAI and of compatible providers. Without markers each content is one plain string, which all of them accept, and
 * the volatile text is added to the last one.
 * Source: openai 7.55.0 types; the vendors' own pages as their cards name them, checked 2026-11-21.
 */
export function chatTurns(wire: Wire): TurnFormat {
  return {
    request: (conversation) => request(conversation, wire),
    markable: (conversation) => {
      if (markerOf(conversation, wire) === null) return UNMARKED
      return wire.controls === 'all' ? EXPLICIT_MODE : { most: MAX_MARKERS, tools: true, answers: 'text' }
    },
    reply,
    delta,
    endsAtResults: true,
  }
}

/** The marker for a part; null: none is set, and contents are plain strings. */
function markerOf({ cache, model }: Pick<Conversation, 'cache' | 'model'>, wire: Wire): Record<string, unknown> | null {
  if (cache === null) return null
  if (wire.controls === 'all') return hasBreakpoints(cache.retention) ? { [MARKER]: { mode: 'explicit' } } : null
  // The provider passes it on to an upstream that caches nothing without a marker.
  const ttl = cache.retention === '1h' ? { ttl: '1h' } : {}
  const marked = wire.markers.includes('cache_control') && /claude/i.test(model)
  return marked ? { cache_control: { type: 'ephemeral', ...ttl } } : null
}

function request(conversation: Conversation, wire: Wire): ProbeRequest {
  const { model, messages, breakpoints, volatileText, maxOutputTokens, cache, tools, noTools, stream } = conversation
  const marker = markerOf(conversation, wire)
  const written = (text: string, marked: boolean): unknown =>
    marker === null ? text : [{ type: 'text', text, ...(marked ? marker : {}) }]
  const system = systemOf(messages)
  const said = saidOf(conversation, wire.controls === 'all').map(({ message, marked, parts }) =>
    messageOf(message, (text) => written(text, marked || parts.has(0)), marked || parts.has(0)),
  )
  const last = said.at(-1)
  if (volatileText !== null && last !== undefined) {
    const { content } = last
    if (Array.isArray(content)) content.push({ type: 'text', text: volatileText })
    else last['content'] = `${textOf(content)}\n\n[${volatileText}]`
  }
  const own = wire.controls === 'all' && cache !== null
  const body = {
    model,
    ...(own && hasBreakpoints(cache.retention) ? { [OPTIONS]: { mode: 'explicit' } } : {}),
    ...(own && cache.retention === '24h' ? { prompt_cache_retention: '24h' } : {}),
    ...(cache === null || wire.keyMember === null ? {} : { [wire.keyMember]: cache.key }),
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }, index) => ({
            type: 'function',
            function: { name, description, parameters },
            ...(breakpoints.tools && index === tools.length - 1 ? marker : {}),
          })),
        }),
    ...(tools.length > 0 && noTools ? { tool_choice: 'none' } : {}),
    messages: system === '' ? said : [{ role: 'system', content: written(system, breakpoints.head) }, ...said],
    [wire.cap]: maxOutputTokens,
    ...(stream ? { stream, stream_options: { include_usage: true } } : {}),
  }
  const headers = cache !== null && wire.keyHeader !== null ? { headers: { [wire.keyHeader]: cache.key } } : {}
  return { path: '/chat/completions', body: JSON.stringify(body), outputTokens: maxOutputTokens, ...headers }
}

/** `ends`: whether the text of an answer ends with a breakpoint. Without one it is a plain string. */
function messageOf(message: Said, written: (text: string) => unknown, ends: boolean): Record<string, unknown> {
  if (message.role === 'user') return { role: 'user', content: written(message.text) }
  if (message.role === 'tool') return { role: 'tool', tool_call_id: message.callId, content: written(message.text) }
  const calls = message.toolCalls ?? []
  const thought = fields(nativeList(message.native, KIND)?.[0]) ?? {}
  return {
    role: 'assistant',
    content: message.text === '' ? null : ends ? written(message.text) : message.text,
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, arguments: given }) => ({
            id,
            type: 'function',
            function: { name, arguments: given },
          })),
        }),
    ...thought,
  }
}

function reply(events: readonly Fields[], streamed: boolean): Reply {
  const choices = events.flatMap(({ choices: given }) => listOf(given).slice(0, 1))
  const message = streamed ? folded(choices.map(({ delta: part }) => fields(part) ?? {})) : whole(choices[0])
  const { text, toolCalls, thought } = message
  const stop = choices.findLast(({ finish_reason: reason }) => typeof reason === 'string')?.['finish_reason']
  const native = toolCalls.length === 0 || Object.keys(thought).length === 0 ? null : nativeText(KIND, [thought])
  return { text, complete: stop !== 'length', toolCalls, native }
}

interface Folded {
  text: string
  toolCalls: ToolCall[]
  /** Reasoning that models need again between two tool calls. */
  thought: Record<string, unknown>
}

function whole(choice: Fields | undefined): Folded {
  const message = fields(choice?.['message']) ?? {}
  return folded([{ ...message, tool_calls: listOf(message['tool_calls']).map((call, index) => ({ index, ...call })) }])
}

function folded(parts: readonly Fields[]): Folded {
  const calls: { id: string; name: string; arguments: string }[] = []
  const thought: Record<string, unknown> = {}
  let text = ''
  for (const part of parts) {
    text += contentOf(part['content'])
    const reasoning = part['reasoning_content']
    if (typeof reasoning === 'string' && reasoning !== '') {
      thought['reasoning_content'] = textOf(thought['reasoning_content']) + reasoning
    }
    const details = listOf(part['reasoning_details'])
    if (details.length > 0) thought['reasoning_details'] = [...listOf(thought['reasoning_details']), ...details]
    for (const call of listOf(part['tool_calls'])) {
      const index = Number(call['index'] ?? calls.length)
      const known = (calls[index] ??= { id: '', name: '', arguments: '' })
      const called = fields(call['function']) ?? {}
      known.id ||= textOf(call['id'])
      known.name ||= textOf(called['name'])
      known.arguments += textOf(called['arguments'])
    }
  }
  const toolCalls = calls
    .filter((call) => call !== undefined)
    .map((call, n) => ({ ...call, id: call.id || `call_${n}` }))
  return { text, toolCalls, thought }
}

/** The text of a content: a string, or a list of parts, of which the texts count. */
function contentOf(content: unknown): string {
  if (typeof content === 'string') return content
  return listOf(content)
    .flatMap(({ type, text }) => (type === 'text' ? [textOf(text)] : []))
    .join('')
}

function delta(event: Fields): string {
  return contentOf(fields(listOf(event['choices'])[0]?.['delta'])?.['content'])
}

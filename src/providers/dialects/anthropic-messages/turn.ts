import type { Reply } from '../../../core/conversation/turn.ts'
import type { Fields } from '../shared/usage.ts'
import { fields } from '../shared/usage.ts'
import { argumentsOf, listOf, nativeList, nativeText, saidOf, systemOf, textOf } from '../shared/turn-format.ts'
import type { Said } from '../shared/turn-format.ts'
import { MAX_MARKERS, UNMARKABLE } from './markers.ts'
import type { Conversation, ProbeRequest, TurnFormat } from '../../dialect.ts'

type Block = Record<string, unknown>

const KIND = 'anthropic-messages'

/** Anthropic Messages. Source: platform.claude.com prompt caching, tool use and streaming, checked 2026-11-21. */
export const messagesTurns: TurnFormat = {
  request,
  markable: () => ({ most: MAX_MARKERS, tools: true, answers: 'all' }),
  reply,
  delta,
  endsAtResults: true,
}

function request(conversation: Conversation): ProbeRequest {
  const { model, messages, breakpoints, volatileText, maxOutputTokens, cache, tools, noTools, stream } = conversation
  const ttl = cache === null || cache.retention === '5m' ? {} : { ttl: cache.retention }
  const marker = cache === null ? {} : { cache_control: { type: 'ephemeral', ...ttl } }
  // Forbidding tools changes the prompt behind the system prompt, and no other call reads what it would write. Source: the same page.
  const forbidden = noTools && tools.length > 0
  const marksTurns = breakpoints.at.size > 0 || breakpoints.parts !== undefined
  const isHeadMarked = breakpoints.head || (forbidden && marksTurns)
  const headMarker = isHeadMarked ? marker : {}
  const system = systemOf(messages)
  const listed = tools.map(({ name, description, parameters }, index) => ({
    name,
    description,
    input_schema: parameters,
    ...(index === tools.length - 1
      ? { ...(breakpoints.tools ? marker : {}), ...(system === '' ? headMarker : {}) }
      : {}),
  }))
  const said: { role: 'user' | 'assistant'; content: Block[] }[] = []
  for (const { message, marked, parts } of saidOf(conversation)) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const blocks = blocksOf(message)
    // Thinking takes no marker.
    const open = [...blocks.keys()].filter((index) => !UNMARKABLE.has(textOf(blocks[index]?.['type'])))
    const ends = forbidden ? [] : [...parts].map((part) => open[part])
    if (marked && !forbidden) ends.push(open.at(-1))
    for (const index of ends) if (index !== undefined) blocks[index] = { ...blocks[index], ...marker }
    const before = said.at(-1)
    // The results of one round are in one message.
    if (message.role === 'tool' && before?.role === 'user') before.content.push(...blocks)
    else said.push({ role, content: blocks })
  }
  if (volatileText !== null) said.at(-1)?.content.push({ type: 'text', text: volatileText })
  const body = {
    model,
    max_tokens: maxOutputTokens,
    ...(stream ? { stream } : {}),
    ...(listed.length === 0 ? {} : { tools: listed }),
    ...(forbidden ? { tool_choice: { type: 'none' } } : {}),
    ...(system === '' ? {} : { system: [{ type: 'text', text: system, ...headMarker }] }),
    messages: said,
  }
  return { path: '/messages', body: JSON.stringify(body), outputTokens: maxOutputTokens }
}

function blocksOf(message: Said): Block[] {
  if (message.role === 'tool') {
    const failed = message.isError === true ? { is_error: true } : {}
    return [{ type: 'tool_result', tool_use_id: message.callId, content: message.text, ...failed }]
  }
  if (message.role === 'user') return [{ type: 'text', text: message.text }]
  const native = nativeList(message.native, KIND)
  if (native !== null) return native.map((block) => ({ ...fields(block) }))
  return [
    ...(message.text === '' ? [] : [{ type: 'text', text: message.text }]),
    ...(message.toolCalls ?? []).map(({ id, name, arguments: given }) => ({
      type: 'tool_use',
      id,
      name,
      input: argumentsOf(given),
    })),
  ]
}

function reply(events: readonly Fields[], streamed: boolean): Reply {
  const { content, stop } = streamed
    ? folded(events)
    : { content: listOf(events[0]?.['content']), stop: events[0]?.['stop_reason'] }
  const calls = content.filter(({ type }) => type === 'tool_use')
  return {
    text: content.flatMap(({ type, text }) => (type === 'text' ? [textOf(text)] : [])).join(''),
    complete: stop !== 'max_tokens' && stop !== 'model_context_window_exceeded',
    toolCalls: calls.map(({ id, name, input, written }) => ({
      id: textOf(id),
      name: textOf(name),
      arguments: typeof written === 'string' && written !== '' ? written : JSON.stringify(input ?? {}),
    })),
    native: calls.length === 0 ? null : nativeText(KIND, content.map(sentBack)),
  }
}

/** The block as a request takes it, without members that only answers have. Empty texts, which are refused, are gone before. */
function sentBack(block: Fields): Block {
  if (block['type'] === 'text') return { type: 'text', text: block['text'] }
  if (block['type'] !== 'tool_use') return block
  const { id, name, input, written } = block
  const given = typeof written === 'string' && written !== '' ? argumentsOf(written) : (input ?? {})
  return { type: 'tool_use', id, name, input: given }
}

function folded(events: readonly Fields[]): { content: Block[]; stop: unknown } {
  const content: Block[] = []
  let stop: unknown = null
  for (const event of events) {
    const index = Number(event['index'])
    const block = content[index]
    if (event['type'] === 'content_block_start') content[index] = { ...fields(event['content_block']) }
    if (event['type'] === 'message_delta') stop = fields(event['delta'])?.['stop_reason'] ?? stop
    if (event['type'] !== 'content_block_delta' || block === undefined) continue
    const change = fields(event['delta']) ?? {}
    const add = (name: string, more: unknown): void => void (block[name] = textOf(block[name]) + textOf(more))
    if (change['type'] === 'text_delta') add('text', change['text'])
    if (change['type'] === 'input_json_delta') add('written', change['partial_json'])
    if (change['type'] === 'thinking_delta') add('thinking', change['thinking'])
    if (change['type'] === 'signature_delta') add('signature', change['signature'])
  }
  return {
    content: content.filter((block) => block !== undefined && !(block['type'] === 'text' && block['text'] === '')),
    stop,
  }
}

function delta(event: Fields): string {
  return event['type'] === 'content_block_delta' ? textOf(fields(event['delta'])?.['text']) : ''
}

import { Failure } from '../contract/failures.ts'
import type { ChatMessage } from '../core/chat-window.ts'
import { readEvents, unreadable } from './answer.ts'
import { hasBreakpoints, MARKER, OPTIONS } from './dialects/openai-marks.ts'
import type { Card, ProbeRequest } from './types.ts'
import { fields } from './usage.ts'
import type { Fields } from './usage.ts'

/** One turn of a conversation, as it is asked of a model. */
export interface Conversation {
  model: string
  /** System messages in front; the last one is the user's. */
  messages: readonly ChatMessage[]
  /** Said behind the last breakpoint, because it is another text each time; null: nothing. */
  aside: string | null
  maxOutputTokens: number
  /** null: nothing is asked of the cache. `key` is one and the same for a whole conversation. */
  cache: { retention: string; key: string } | null
}

export interface Reply {
  text: string
  /** False where the cap on the output cut it off. */
  complete: boolean
}

/**
 * The latest user messages that end with a breakpoint. One turn adds two blocks, so the breakpoint before is always among
 * the twenty blocks that are looked back for.
 */
const ROLLING = 2

/** Whether conversations can be held with this provider yet. */
export function converses({ id }: Pick<Card, 'id'>): boolean {
  return id === 'anthropic' || id === 'openai'
}

/** Writes a turn. Equal turns are equal bytes, and what a turn adds is at its end. Throws `unsupported`. */
export function turnRequest(card: Pick<Card, 'id'>, conversation: Conversation): ProbeRequest {
  if (card.id === 'anthropic') return messagesRequest(conversation)
  if (card.id === 'openai') return responsesRequest(conversation)
  throw new Failure('unsupported', 'Bots talk to anthropic and openai; other providers do not serve them yet.', {
    field: 'provider',
  })
}

/** Anthropic Messages. Source: platform.claude.com prompt caching, checked 2026-11-21. */
function messagesRequest({ model, messages, aside, maxOutputTokens, cache }: Conversation): ProbeRequest {
  const ttl = cache === null || cache.retention === '5m' ? {} : { ttl: cache.retention }
  const mark = cache === null ? {} : { cache_control: { type: 'ephemeral', ...ttl } }
  const { system, said, marked } = parted(messages)
  const body = {
    model,
    max_tokens: maxOutputTokens,
    ...(system === '' ? {} : { system: [{ type: 'text', text: system, ...mark }] }),
    messages: said.map(({ role, text }, index) => ({
      role,
      content: [
        { type: 'text', text, ...(marked.has(index) ? mark : {}) },
        ...(aside !== null && index === said.length - 1 ? [{ type: 'text', text: aside }] : []),
      ],
    })),
  }
  return { path: '/v1/messages', body: JSON.stringify(body), outputTokens: maxOutputTokens }
}

/** OpenAI Responses. Source: developers.openai.com prompt caching guide, checked 2026-11-21. */
function responsesRequest({ model, messages, aside, maxOutputTokens, cache }: Conversation): ProbeRequest {
  const points = cache !== null && hasBreakpoints(cache.retention)
  const mark = points ? { [MARKER]: { mode: 'explicit' } } : {}
  const { system, said, marked } = parted(messages)
  const input = said.map(({ role, text }, index) => ({
    role,
    content:
      role === 'assistant'
        ? [{ type: 'output_text', text }]
        : [
            { type: 'input_text', text, ...(marked.has(index) ? mark : {}) },
            ...(aside !== null && index === said.length - 1 ? [{ type: 'input_text', text: aside }] : []),
          ],
  }))
  const developer = { role: 'developer', content: [{ type: 'input_text', text: system, ...mark }] }
  const body = {
    model,
    // Explicit alone: what stands behind the last breakpoint is never read again, and is not to be paid as a write.
    ...(points
      ? { [OPTIONS]: { mode: 'explicit', ...(cache.retention === '30m' ? {} : { ttl: cache.retention }) } }
      : {}),
    ...(cache?.retention === '24h' ? { prompt_cache_retention: '24h' } : {}),
    ...(cache === null ? {} : { prompt_cache_key: cache.key }),
    input: system === '' ? input : [developer, ...input],
    max_output_tokens: maxOutputTokens,
    store: false,
  }
  return { path: '/responses', body: JSON.stringify(body), outputTokens: maxOutputTokens }
}

function parted(messages: readonly ChatMessage[]): {
  system: string
  said: { role: 'user' | 'assistant'; text: string }[]
  marked: ReadonlySet<number>
} {
  const system = messages.flatMap(({ role, text }) => (role === 'system' ? [text] : [])).join('\n\n')
  const said = messages.flatMap(({ role, text }) => (role === 'user' || role === 'assistant' ? [{ role, text }] : []))
  const users = said.flatMap(({ role }, index) => (role === 'user' ? [index] : []))
  return { system, said, marked: new Set(users.slice(-ROLLING)) }
}

/** What the model said. Throws `unreadable_answer`, also where it said nothing: an empty turn cannot be sent back. */
export function readReply(card: Pick<Card, 'id'>, text: string, contentType: string): Reply {
  const answer = readEvents(text, contentType).events[0] ?? {}
  const { parts, complete } = card.id === 'anthropic' ? ofMessages(answer) : ofResponses(answer)
  const said = parts.flatMap((part) => (typeof part['text'] === 'string' ? [part['text']] : [])).join('')
  if (said.trim() === '') throw unreadable('the model said nothing')
  return { text: said, complete }
}

function ofMessages(answer: Fields): { parts: Fields[]; complete: boolean } {
  const parts = listOf(answer['content']).filter(({ type }) => type === 'text')
  return { parts, complete: answer['stop_reason'] !== 'max_tokens' }
}

function ofResponses(answer: Fields): { parts: Fields[]; complete: boolean } {
  const parts = listOf(answer['output'])
    .filter(({ type }) => type === 'message')
    .flatMap(({ content }) => listOf(content))
    .filter(({ type }) => type === 'output_text')
  return { parts, complete: answer['status'] !== 'incomplete' }
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields).filter((one) => one !== null) : []
}

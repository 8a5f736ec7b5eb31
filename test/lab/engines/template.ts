import { createHash } from 'node:crypto'
import { arrayAt, compact, member, stringAt } from '../json.ts'
import type { JsonNode, JsonObject } from '../json.ts'

/** A prompt as the model reads it. */
export type RenderedPrompt = { text: string; tokens: number }

const BYTES_PER_TOKEN = 4

/**
 * A chat template: the same head for everybody, the tools, the messages by role, and the opening of the answer. Messages that
 * start alike therefore share more than the head: the first marker of a role as well.
 */
export function rendered(body: JsonObject, headTokens: number, messages = arrayAt(body, 'messages')): RenderedPrompt {
  const tools = arrayAt(body, 'tools')
  const text = [
    'head'.repeat(headTokens),
    ...(tools.length === 0 ? [] : [`<|tools|>\n${tools.map((tool) => compact(tool)).join('\n')}\n`]),
    ...messages.map((message) => `<|${stringAt(message, 'role') ?? ''}|>\n${textOf(message)}\n`),
    '<|assistant|>\n',
  ].join('')
  return { text, tokens: Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN) }
}

function textOf(message: JsonNode): string {
  const content = member(message, 'content')
  const calls = member(message, 'tool_calls')
  const parts = Array.isArray(content) ? content : content === undefined || content === null ? [] : [content]
  const said = parts.map((part) => (typeof part === 'string' ? part : (stringAt(part, 'text') ?? compact(part))))
  return [...said, ...(calls === undefined || calls === null ? [] : [compact(calls)])].join('')
}

/** The full blocks of a text, each named by the hash of everything up to its end. A salt keeps tenants apart. */
export function blocksOf(text: string, salt: string, tokensPerBlock: number): string[] {
  const bytes = Buffer.from(text)
  const size = tokensPerBlock * BYTES_PER_TOKEN
  const running = createHash('sha256').update(salt)
  const blocks: string[] = []
  for (let end = size; end <= bytes.byteLength; end += size) {
    running.update(bytes.subarray(end - size, end))
    blocks.push(running.copy().digest('base64url').slice(0, 22))
  }
  return blocks
}

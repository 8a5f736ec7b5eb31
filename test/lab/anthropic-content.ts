import { isBlank } from './dialect.ts'
import { arrayAt, isObject, member, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { AnthropicModel } from './models.ts'

const UNMARKABLE = new Set(['thinking', 'redacted_thinking'])

/**
 * What is wrong with the content of messages and of the system prompt. Sources: UKGovernmentBEIS/inspect_ai#3967,
 * BerriAI/litellm#39815 (marked thinking); anthropics/claude-code#59812, NousResearch/hermes-agent#1216 (empty text); Anthropic
 * docs, models/sonnet-5-5/migration-guide (prefill); checked 2026-11-30.
 */
export function checkContent(body: JsonObject, model: AnthropicModel): string | undefined {
  const system = member(body, 'system')
  const inSystem = Array.isArray(system) ? blankText('system', system) : undefined
  if (inSystem !== undefined) return inSystem
  const messages = arrayAt(body, 'messages')
  for (const [i, message] of messages.entries()) {
    const wrong = checkMessage(message, i, i === messages.length - 1)
    if (wrong !== undefined) return wrong
  }
  return checkLast(messages.at(-1), model)
}

function checkMessage(message: JsonNode, i: number, last: boolean): string | undefined {
  // A marker belongs to a block, not to a message.
  if (isObject(message) && message.has('cache_control')) {
    return `messages.${i}.cache_control: Extra inputs are not permitted`
  }
  const content = member(message, 'content')
  const role = stringAt(message, 'role')
  const empty = content === '' || (Array.isArray(content) && content.length === 0)
  if (empty && !(last && role === 'assistant')) {
    return `messages.${i}: all messages must have non-empty content except for the optional final assistant message`
  }
  if (!Array.isArray(content)) return undefined
  for (const [c, block] of content.entries()) {
    const type = stringAt(block, 'type') ?? ''
    if (!UNMARKABLE.has(type) || !isObject(block) || !block.has('cache_control')) continue
    return `messages.${i}.content.${c}.${type}.cache_control: Extra inputs are not permitted`
  }
  return blankText('messages', content)
}

function blankText(where: string, blocks: readonly JsonNode[]): string | undefined {
  const texts = blocks.filter((block) => stringAt(block, 'type') === 'text').map((block) => member(block, 'text'))
  if (texts.includes('')) return `${where}: text content blocks must be non-empty`
  if (texts.some(isBlank)) return `${where}: text content blocks must contain non-whitespace text`
  return undefined
}

function checkLast(message: JsonNode | undefined, model: AnthropicModel): string | undefined {
  if (stringAt(message, 'role') !== 'assistant') return undefined
  if (!model.prefill) {
    return 'This model does not support assistant message prefill. The conversation must end with a user message.'
  }
  const content = member(message, 'content')
  const text =
    typeof content === 'string' ? content : stringAt(Array.isArray(content) ? content.at(-1) : undefined, 'text')
  return text !== undefined && /\s$/.test(text)
    ? 'messages: final assistant content cannot end with trailing whitespace'
    : undefined
}

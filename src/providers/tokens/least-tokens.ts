import type { JsonNode } from '../../core/prompt/json-text.ts'
import { stringMember } from '../../core/prompt/json-text.ts'

/**
 * The longest text of one token, in bytes, where runs of one character count as a single one. Assumed: prompts have 2.5 to 7.3 bytes for
 * each token, and no vocabulary is known whose tokens have more than twice that on average.
 */
const LONGEST_TOKEN_BYTES = 16

/** Members of a body whose texts a model reads. */
const READ: ReadonlySet<string> = new Set([
  'messages',
  'input',
  'contents',
  'system',
  'instructions',
  'systemInstruction',
  'system_instruction',
])
/** Members within them that hold a text or blocks with one. Whatever else stands there may be no text of the prompt. */
const TEXTS: ReadonlySet<string> = new Set(['content', 'parts', 'text'])
/** Blocks of earlier answers that a provider may leave out of a prompt. */
const LEFT_OUT: ReadonlySet<string> = new Set(['thinking', 'redacted_thinking', 'reasoning', 'compaction'])

/** The least tokens that a body can have: a count below it cannot be true. */
export function leastTokens(root: JsonNode): number {
  if (root.type !== 'object') return 0
  const bytes = root.members.reduce((sum, { key, value }) => (READ.has(key) ? sum + textBytes(value) : sum), 0)
  return Math.ceil(bytes / LONGEST_TOKEN_BYTES)
}

function textBytes(node: JsonNode): number {
  if (node.type === 'string') return Buffer.byteLength(node.value.replace(/(.)\1+/gsu, '$1'))
  if (node.type === 'array') return node.items.reduce((sum, item) => sum + textBytes(item), 0)
  if (node.type !== 'object') return 0
  const isThought = node.members.some(({ key, value }) => key === 'thought' && value.type === 'true')
  if (isThought || LEFT_OUT.has(stringMember(node, 'type') ?? '')) return 0
  return node.members.reduce((sum, { key, value }) => (TEXTS.has(key) ? sum + textBytes(value) : sum), 0)
}

import { member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'

/** What a block is, whatever the wire format calls it. */
export type BlockKind = 'text' | 'media' | 'thinking' | 'call' | 'result' | 'other'

const BY_TYPE: Readonly<Record<string, BlockKind>> = {
  text: 'text',
  input_text: 'text',
  output_text: 'text',
  image: 'media',
  image_url: 'media',
  input_image: 'media',
  document: 'media',
  file: 'media',
  input_file: 'media',
  input_audio: 'media',
  audio: 'media',
  video: 'media',
  thinking: 'thinking',
  redacted_thinking: 'thinking',
  reasoning: 'thinking',
  tool_use: 'call',
  function_call: 'call',
  tool_result: 'result',
  function_call_output: 'result',
}

const BY_MEMBER: readonly (readonly [name: string, kind: BlockKind])[] = [
  ['inlineData', 'media'],
  ['inline_data', 'media'],
  ['fileData', 'media'],
  ['file_data', 'media'],
  ['image', 'media'],
  ['document', 'media'],
  ['video', 'media'],
  ['reasoningContent', 'thinking'],
  ['toolUse', 'call'],
  ['functionCall', 'call'],
  ['toolResult', 'result'],
  ['functionResponse', 'result'],
]

export function kindOf(node: JsonNode): BlockKind {
  if (node.type === 'string') return 'text'
  const byType = BY_TYPE[stringMember(node, 'type') ?? '']
  if (byType !== undefined) return byType
  const found = BY_MEMBER.find(([name]) => {
    const value = member(node, name)
    return value !== undefined && value.type !== 'null'
  })
  if (found !== undefined) return found[1]
  if (member(node, 'thought')?.type === 'true') return 'thinking'
  return stringMember(node, 'text') === undefined ? 'other' : 'text'
}

/** The text of a plain string or of a block of text; null: it is another block. */
export function textOf(node: JsonNode): string | null {
  return node.type === 'string' ? node.value : (stringMember(node, 'text') ?? null)
}

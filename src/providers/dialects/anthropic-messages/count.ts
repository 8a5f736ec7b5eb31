import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { readBody } from '../shared/body.ts'
import { probe } from './probe.ts'
import type { CountFormat } from '../../dialect.ts'

/** Members that the endpoint takes. Source: `MessageCountTokensParams` of @anthropic-ai/sdk 1.11.0; checked 2026-11-30. */
const TAKEN: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'cache_control',
])

/** Source: platform.claude.com, "Token counting"; checked 2026-11-30. */
export const countTokens: CountFormat = {
  request(prefix) {
    const { body } = probe(prefix, { primitive: 'one_token', retention: '5m' })
    const { root } = readBody(body)
    const others = root.members.filter(({ key }) => !TAKEN.has(key)).map(({ key }): [string, null] => [key, null])
    return { path: '/v1/messages/count_tokens', body: edit(body, objectEdits(root, Object.fromEntries(others))) }
  },
  member: 'input_tokens',
}

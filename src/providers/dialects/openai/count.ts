import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { CountFormat, ProbeRequest } from '../../dialect.ts'
import { readBody } from '../shared/body.ts'

/** Members that the endpoint takes. Source: `InputTokenCountParams` of openai 7.55.0; checked 2026-12-01. */
const TAKEN: ReadonlySet<string> = new Set([
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'personality',
  'reasoning',
  'text',
  'truncation',
])

/** Counts the probe that `probeOf` writes. Source: developers.openai.com, "Counting tokens"; checked 2026-12-01. */
export function countInput(probeOf: (prefix: Parameters<CountFormat['request']>[0]) => ProbeRequest): CountFormat {
  return {
    request(prefix) {
      const { path, body } = probeOf(prefix)
      const { root } = readBody(body)
      const others = root.members.filter(({ key }) => !TAKEN.has(key)).map(({ key }): [string, null] => [key, null])
      return { path: `${path}/input_tokens`, body: edit(body, objectEdits(root, Object.fromEntries(others))) }
    },
    member: 'input_tokens',
  }
}

import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { countable, members, readBody } from '../shared/body.ts'
import type { CountFormat } from '../../dialect.ts'
import type { Wire } from '../../wire.ts'

/** Members that the endpoint takes. Source: `MessageCountTokensParams` of @anthropic-ai/sdk 1.11.0; checked 2026-11-30. */
const TAKEN = members('model messages system tools tool_choice thinking output_config cache_control')

/** Members that add no tokens to a prompt. MCP servers, containers and edits of the context may, so that they are none of them. */
const WITHOUT_TOKENS = members(
  `max_tokens stream metadata temperature top_p top_k stop_sequences service_tier inference_geo speed diagnostics
  anthropic_version`,
)

/**
 * Anthropic's `count_tokens`; where the version stands in the body, Vertex AI's `count-tokens`, whose body names the model. Sources:
 * platform.claude.com, "Token counting", checked 2026-11-30; docs.cloud.google.com, "Count tokens for Claude models", and
 * the client of anthropic-sdk-typescript for Vertex, checked 2026-12-01.
 */
export function countTokens({ version, versionInBody }: Pick<Wire, 'version' | 'versionInBody'>): CountFormat {
  return {
    request({ body }, model) {
      const counted = countable(body, TAKEN, WITHOUT_TOKENS)
      if (counted === null) return null
      if (versionInBody === null) return { path: `${version}/messages/count_tokens`, body: counted }
      const named = { model: JSON.stringify(model), anthropic_version: JSON.stringify(versionInBody) }
      return { path: '/count-tokens:rawPredict', body: edit(counted, objectEdits(readBody(counted).root, named)) }
    },
    member: 'input_tokens',
  }
}

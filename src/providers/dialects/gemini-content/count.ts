import { edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import { countable, members, readBody } from '../shared/body.ts'
import type { CountFormat } from '../../dialect.ts'
import type { Wire } from '../../wire.ts'

/**
 * Members that Vertex takes. Source: `projects.locations.publishers.models.countTokens` of its REST reference, v1; checked 2026-12-01. Both
 * spellings of protobuf JSON.
 */
const TAKEN = members('contents tools systemInstruction system_instruction generationConfig generation_config')
/** Members that add no tokens to a prompt. Assumed of the first: which functions may be called is no text of it. */
const WITHOUT_TOKENS = members(
  'model toolConfig tool_config safetySettings safety_settings labels serviceTier service_tier store',
)

/**
 * `countTokens` of the model that a request calls. The Gemini API takes the whole request in a member (ai.google.dev/api/tokens, checked
 * 2026-11-30); Vertex takes its members.
 */
export function countTokens({ countedIn }: Pick<Wire, 'countedIn'>): CountFormat {
  return {
    request({ path, body }) {
      const counting = path.replace(/:\w+(?:\?.*)?$/, ':countTokens')
      if (countedIn === null) {
        const counted = countable(body, TAKEN, WITHOUT_TOKENS)
        return counted === null ? null : { path: counting, body: counted }
      }
      const { root } = readBody(body)
      const resource = counting.slice(counting.search(/(?:models|tunedModels)\//)).replace(/:countTokens$/, '')
      const inner = edit(body, objectEdits(root, { model: JSON.stringify(resource) }))
      return { path: counting, body: `{${JSON.stringify(countedIn)}:${inner}}` }
    },
    member: 'totalTokens',
  }
}

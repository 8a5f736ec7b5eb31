import { countable, members } from '../shared/body.ts'
import type { CountFormat } from '../../dialect.ts'

/** Members of `ConverseTokensRequest` of npm @aws-sdk/client-bedrock-runtime 3.1162.0; checked 2026-12-01. */
const TAKEN = members('messages system toolConfig additionalModelRequestFields')

/** Members that add no tokens to a prompt. A format of the answer may, so that it is none of them. */
const WITHOUT_TOKENS = members(
  `modelId inferenceConfig guardrailConfig performanceConfig requestMetadata serviceTier
  additionalModelResponseFieldPaths`,
)

/** Bedrock's CountTokens of a Converse request. Source: docs.aws.amazon.com/bedrock, "Counting tokens"; checked 2026-12-01. */
export const countTokens: CountFormat = {
  request({ body }, model) {
    const counted = countable(body, TAKEN, WITHOUT_TOKENS)
    if (counted === null) return null
    return { path: `/model/${encodeURIComponent(model)}/count-tokens`, body: `{"input":{"converse":${counted}}}` }
  },
  member: 'inputTokens',
}

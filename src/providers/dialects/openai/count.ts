import { countable, members } from '../shared/body.ts'
import type { CountFormat } from '../../dialect.ts'

/** Members that the endpoint takes. Source: `InputTokenCountParams` of openai 7.55.0; checked 2026-12-01. */
const TAKEN = members(
  'model input instructions tools tool_choice parallel_tool_calls personality reasoning text truncation',
)

/** Members that add no tokens to a prompt. Prompts and conversations that the provider stores do, so that they are none of them. */
const WITHOUT_TOKENS = members(
  `background include max_output_tokens max_tool_calls metadata prompt_cache_key prompt_cache_options
  prompt_cache_retention safety_identifier service_tier store stream stream_options temperature top_logprobs top_p user`,
)

/** Source: developers.openai.com, "Counting tokens"; checked 2026-12-01. */
export const countInput: CountFormat = {
  request({ path, body }) {
    const counted = countable(body, TAKEN, WITHOUT_TOKENS)
    return counted === null ? null : { path: `${path}/input_tokens`, body: counted }
  },
  member: 'input_tokens',
}

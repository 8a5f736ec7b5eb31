/**
 * OpenAI's count of input tokens. Sources, checked 2026-12-01: OpenAI docs guides/token-counting; npm openai 7.55.0,
 * resources/responses/input-tokens.d.ts.
 */
import { addedTokens, freeCount, promptTokensOf } from './counting.ts'
import type { Answer, Call, Opened } from './dialect.ts'
import { arrayAt, compact } from './json.ts'
import type { OpenAIModel } from './models.ts'
import { inputItems } from './openai-responses.ts'
import { openaiHeaders, openaiRefusal } from './openai-wire.ts'

export const INPUT_TOKENS = 'v1/responses/input_tokens'

/** Members of `InputTokenCountParams`. */
const MEMBERS = new Set(
  (
    'conversation input instructions model parallel_tool_calls personality previous_response_id reasoning text ' +
    'tool_choice tools truncation'
  ).split(' '),
)

/** Counts what the same members would be in a request. It reads and writes no cache. */
export function countInput(call: Call, { body }: Opened, model: OpenAIModel): Answer {
  for (const name of body.keys()) {
    if (MEMBERS.has(name)) continue
    throw openaiRefusal(call, 400, `Unknown parameter: '${name}'.`, { param: name, code: 'unknown_parameter' })
  }
  const parts = inputItems(body).flatMap((item) => item.parts)
  // As in a request: models before GPT-5.6 take no breakpoint.
  if (model.regime === 'automatic' && parts.some(({ breakpointTtl }) => breakpointTtl !== undefined))
    throw openaiRefusal(
      call,
      400,
      "Unsupported parameter: 'prompt_cache_breakpoint' is not supported with this model.",
      {
        param: 'prompt_cache_breakpoint',
        code: 'unsupported_parameter',
      },
    )
  const texts = [...arrayAt(body, 'tools').map((tool) => compact(tool)), ...parts.map(({ text }) => text)]
  const tokens = texts.reduce((sum, text) => sum + promptTokensOf(text), addedTokens())
  return {
    json: { object: 'response.input_tokens', input_tokens: freeCount(tokens) },
    headers: openaiHeaders(call),
    begunAt: call.at,
    endsAt: call.at,
    usage: null,
  }
}

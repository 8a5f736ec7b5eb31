/**
 * Anthropic's count of tokens, at its own API and on Vertex AI. Sources: npm @anthropic-ai/sdk 1.11.0, `MessageCountTokensParams` (beta
 * included), checked 2026-11-30; docs.cloud.google.com, "Count tokens for Claude models" (the model in the body, its models and regions),
 * checked 2026-12-01.
 */
import { checkContent } from './anthropic-content.ts'
import { anthropicPrompt } from './anthropic-prompt.ts'
import { freeCount } from './counting.ts'
import type { Answer, Call } from './dialect.ts'
import { arrayAt } from './json.ts'
import type { JsonObject } from './json.ts'
import type { AnthropicModel } from './models.ts'

const MEMBERS = new Set(
  (
    'messages model cache_control output_config system thinking tool_choice tools context_management mcp_servers ' +
    'output_format speed'
  ).split(' '),
)

/** The message of the 400, or `undefined` when the body can be counted. */
export function checkCount(body: JsonObject, model: AnthropicModel): string | undefined {
  for (const name of body.keys()) if (!MEMBERS.has(name)) return `${name}: Extra inputs are not permitted`
  if (arrayAt(body, 'messages').length === 0) return 'messages: at least one message is required'
  return checkContent(body, model)
}

/** Counts the prompt of a body. It reads and writes no cache. */
export function countAnthropic(call: Call, body: JsonObject, model: AnthropicModel, requestId: string): Answer {
  return {
    json: { input_tokens: freeCount(anthropicPrompt(body, model).totalTokens) },
    headers: { 'content-type': 'application/json', 'request-id': requestId },
    begunAt: call.at,
    endsAt: call.at,
    usage: null,
  }
}

/** Whether Vertex AI counts the tokens of a model at a location. The lab's own location has what all of them have. */
export function isCountedByVertex(model: string, location: string): boolean {
  return LOCATIONS.has(location) && /^(?:lab-|claude-(?:(?:sonnet|opus|fable)-[45]|haiku-4-5|3-5-haiku))/.test(model)
}

const LOCATIONS = new Set(['us-east5', 'europe-west1', 'asia-southeast1', 'global', 'lab'])

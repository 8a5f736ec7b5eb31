import { member } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import { joinStreams } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { ANY, settingsOf, settingsUpTo } from '../shared/settings.ts'
import type { Setting } from '../../dialect.ts'

/** The API takes protobuf JSON: each member has two spellings. */
export const SYSTEM = ['systemInstruction', 'system_instruction']
export const TOOL_CONFIG = ['toolConfig', 'tool_config']
export const GENERATION = ['generationConfig', 'generation_config']
export const HANDLE = ['cachedContent', 'cached_content']

const NOT_COMPARED = new Set([
  'model',
  'contents',
  'tools',
  'safetySettings',
  'safety_settings',
  'labels',
  'serviceTier',
  'service_tier',
  'store',
  ...SYSTEM,
  ...TOOL_CONFIG,
  ...GENERATION,
])
/** Generation settings that affect the answer and not the prompt. */
export const SAMPLING = new Set([
  'maxOutputTokens',
  'max_output_tokens',
  'temperature',
  'topP',
  'top_p',
  'topK',
  'top_k',
  'seed',
  'candidateCount',
  'candidate_count',
  'stopSequences',
  'stop_sequences',
  'presencePenalty',
  'presence_penalty',
  'frequencyPenalty',
  'frequency_penalty',
  'responseLogprobs',
  'response_logprobs',
  'logprobs',
])
const PLAIN_TEXT = ['"text/plain"']
const TEXT_ALONE = ['[]', '["TEXT"]']
/** Whether thoughts are shown changes the answer alone. */
const THINKING = { includeThoughts: ANY, include_thoughts: ANY } as const
const GENERATION_DEFAULTS = {
  responseMimeType: PLAIN_TEXT,
  response_mime_type: PLAIN_TEXT,
  responseModalities: TEXT_ALONE,
  response_modalities: TEXT_ALONE,
  thinkingConfig: THINKING,
  thinking_config: THINKING,
}

/** The first member with one of these names that is not null. */
export function named(root: JsonNode, names: readonly string[]): { key: string; node: JsonNode } | null {
  for (const key of names) {
    const node = member(root, key)
    if (node !== undefined && node.type !== 'null') return { key, node }
  }
  return null
}

/** The parameters that are compared beside the prompt. Where they are rendered is not published. */
export function contentSettings(body: Body): Setting[] {
  const node = named(body.root, GENERATION)?.node
  const generation =
    node?.type === 'object'
      ? settingsOf({ text: body.text, root: node }, { without: SAMPLING, defaults: GENERATION_DEFAULTS })
      : []
  const own: Setting[] =
    generation.length === 0
      ? []
      : [{ name: 'generationConfig', text: joinStreams(settingsUpTo(generation, 0)), before: 0 }]
  return [...own, ...settingsOf(body, { without: NOT_COMPARED, defaults: {} })]
}

/** The mode AUTO is what an absent configuration says. */
export function isDefaultToolConfig({ text, root }: Body): boolean {
  const config = named(root, TOOL_CONFIG)?.node
  if (config?.type !== 'object') return false
  const calling = { mode: ['"AUTO"'], allowedFunctionNames: ['[]'], allowed_function_names: ['[]'] }
  const defaults = { functionCallingConfig: calling, function_calling_config: calling }
  return settingsOf({ text, root: config }, { without: new Set(), defaults }).length === 0
}

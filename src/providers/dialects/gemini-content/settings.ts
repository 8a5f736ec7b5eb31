import { member } from '../../../core/prompt/json-text.ts'
import type { JsonNode } from '../../../core/prompt/json-text.ts'
import { joinStreams } from '../shared/body.ts'
import type { Body } from '../shared/body.ts'
import { ANY, settingsOf, settingsUpTo } from '../shared/settings.ts'
import type { Defaults } from '../shared/settings.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { Setting } from '../../compared.ts'

/** The API takes protobuf JSON: each member has two spellings. */
export const SYSTEM = ['systemInstruction', 'system_instruction']
export const TOOL_CONFIG = ['toolConfig', 'tool_config']
export const GENERATION = ['generationConfig', 'generation_config']
export const HANDLE = ['cachedContent', 'cached_content']

/**
 * Members beside the prompt. The reference says of none that it changes what is cached. Source: ai.google.dev, generateContent, checked 2026-11-30.
 * Assumed of `serviceTier` and `store`: the caching page names neither.
 */
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
/** What an absent setting says. Bodies are compared in one spelling (`spelling.ts`). */
function defaults({ defaultEffort, defaultThinkingBudget }: Thinking): Readonly<Record<string, Defaults>> {
  return {
    responseMimeType: ['"text/plain"'],
    responseModalities: ['[]', '["TEXT"]'],
    mediaResolution: ['"MEDIA_RESOLUTION_UNSPECIFIED"'],
    thinkingConfig: {
      // Whether thoughts are shown changes the answer alone.
      includeThoughts: ANY,
      thinkingLevel: [UNSPECIFIED_LEVEL, ...(defaultEffort === undefined ? [] : [JSON.stringify(defaultEffort)])],
      thinkingBudget: defaultThinkingBudget === undefined ? [] : [String(defaultThinkingBudget)],
    },
  }
}

type Thinking = Pick<ModelFacts, 'defaultEffort' | 'defaultThinkingBudget'>

const UNSPECIFIED_LEVEL = '"THINKING_LEVEL_UNSPECIFIED"'

/** The first member with one of these names that is not null. */
export function named(root: JsonNode, names: readonly string[]): { key: string; node: JsonNode } | null {
  for (const key of names) {
    const node = member(root, key)
    if (node !== undefined && node.type !== 'null') return { key, node }
  }
  return null
}

/** The parameters that are compared beside the prompt. Where they are rendered is not published. */
export function contentSettings(body: Body, facts: Thinking): Setting[] {
  const node = named(body.root, GENERATION)?.node
  const generation =
    node?.type === 'object'
      ? settingsOf({ text: body.text, root: node }, { without: SAMPLING, defaults: defaults(facts) })
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
  const unsaid = { functionCallingConfig: calling, function_calling_config: calling }
  return settingsOf({ text, root: config }, { without: new Set(), defaults: unsaid }).length === 0
}

import type { Wire } from '../../wire.ts'
import { rawMembers, rawObject, rawValue, unsupportedSetting } from '../../neutral-settings.ts'
import type { NeutralSettings, ResponseSchema } from '../../neutral-settings.ts'

/**
 * Members of a Chat Completions body for the settings of the neutral form, as raw JSON texts. Sources: types of openai 7.55.0;
 * openrouter.ai reasoning tokens and api-docs.deepseek.com thinking mode; checked 2026-11-30; for Moonshot see its card.
 */
export function chatMembers(settings: NeutralSettings = {}, { thinking: wanted }: Pick<Wire, 'thinking'>): string[] {
  const { sampling = {}, stop, effort, thinking, responseSchema, toolChoice, parallelToolCalls } = settings
  const schema = responseSchema && rawObject(schemaMembers(responseSchema))
  return rawMembers({
    ...Object.fromEntries(Object.entries(sampling).map(([name, value]) => [name, rawValue(value)])),
    stop: rawValue(stop),
    ...(wanted === 'reasoning'
      ? { reasoning: reasoningText(effort, thinking) }
      : { reasoning_effort: rawValue(effort), thinking: wanted === 'type' ? typeText(thinking) : undefined }),
    response_format: schema && `{"type":"json_schema","json_schema":${schema}}`,
    tool_choice:
      typeof toolChoice === 'object'
        ? `{"type":"function","function":{"name":${JSON.stringify(toolChoice.tool)}}}`
        : rawValue(toolChoice),
    parallel_tool_calls: rawValue(parallelToolCalls),
  })
}

/** The same for a Responses body. Source: types of openai 7.55.0, checked 2026-11-30. */
export function responsesMembers(settings: NeutralSettings = {}): string[] {
  const { sampling = {}, effort, responseSchema, toolChoice, parallelToolCalls } = settings
  const format = responseSchema && rawObject({ type: '"json_schema"', ...schemaMembers(responseSchema) })
  return rawMembers({
    temperature: rawValue(sampling.temperature),
    top_p: rawValue(sampling.top_p),
    reasoning: rawObject({ effort: rawValue(effort) }),
    text: rawObject({ format }),
    tool_choice:
      typeof toolChoice === 'object'
        ? `{"type":"function","name":${JSON.stringify(toolChoice.tool)}}`
        : rawValue(toolChoice),
    parallel_tool_calls: rawValue(parallelToolCalls),
  })
}

/** In the order in which the vendor's helper `zodResponseFormat` writes them. */
function schemaMembers({ name, description, strict, schemaText }: ResponseSchema): Record<string, string | undefined> {
  return { description: rawValue(description), name: rawValue(name), strict: rawValue(strict), schema: schemaText }
}

function typeText(thinking: NeutralSettings['thinking']): string | undefined {
  if (thinking === undefined) return undefined
  if (thinking === 'enabled' || thinking === 'disabled') return `{"type":"${thinking}"}`
  throw unsupportedSetting('thinking', 'must be "enabled" or "disabled" here')
}

function reasoningText(effort: NeutralSettings['effort'], thinking: NeutralSettings['thinking']): string | undefined {
  if (effort !== undefined && typeof thinking === 'object') {
    throw unsupportedSetting('effort', 'must not be combined with thinking.budget_tokens here; give one of them')
  }
  if (thinking === 'adaptive' || thinking === 'between_tools') {
    throw unsupportedSetting('thinking', 'must be "enabled", "disabled" or {"budget_tokens": N} here')
  }
  return rawObject({
    effort: rawValue(effort),
    max_tokens: typeof thinking === 'object' ? String(thinking.budgetTokens) : undefined,
    enabled: typeof thinking === 'string' ? String(thinking === 'enabled') : undefined,
  })
}

import { rawMembers, rawObject, rawValue, unsupportedSetting } from '../../neutral-settings.ts'
import type { NeutralSettings, ResponseSchema } from '../../neutral-settings.ts'

/** Output tokens of a rendered body: real requests set their own. They must exceed a budget for thinking. */
const MAX_TOKENS = 1024

/**
 * Members of a body for the settings of the neutral form, as raw JSON texts.
 * Source: types of @anthropic-ai/sdk 1.11.0 (`MessageCreateParams`), checked 2026-11-30.
 */
export function settingMembers(settings: NeutralSettings = {}): string[] {
  const { sampling = {}, stop, effort, thinking, responseSchema } = settings
  const budget = typeof thinking === 'object' ? thinking.budgetTokens : 0
  return rawMembers({
    max_tokens: String(budget + MAX_TOKENS),
    temperature: rawValue(sampling.temperature),
    top_p: rawValue(sampling.top_p),
    top_k: rawValue(sampling.top_k),
    stop_sequences: rawValue(stop),
    thinking: thinkingText(thinking),
    output_config: rawObject({
      effort: effortText(effort),
      format: responseSchema && rawObject({ type: '"json_schema"', schema: schemaText(responseSchema) }),
    }),
    tool_choice: choiceText(settings),
  })
}

export function thinkingText(thinking: NeutralSettings['thinking']): string | undefined {
  if (thinking === undefined) return undefined
  if (typeof thinking === 'object') return `{"type":"enabled","budget_tokens":${thinking.budgetTokens}}`
  if (thinking !== 'enabled') return `{"type":"${thinking}"}`
  throw unsupportedSetting('thinking', 'must say how much here: {"budget_tokens": N}, or "adaptive"')
}

export function effortText(effort: NeutralSettings['effort']): string | undefined {
  if (effort !== 'none' && effort !== 'minimal') return rawValue(effort)
  throw unsupportedSetting('effort', 'must be low, medium, high, xhigh or max here')
}

/** The format always holds an answer to its schema, and names neither it nor a way to relax it. */
export function schemaText({ schemaText: text, strict, description }: ResponseSchema): string {
  if (!strict) throw unsupportedSetting('response_schema.strict', 'must not be false here, because answers always fit')
  if (description === undefined) return text
  throw unsupportedSetting('response_schema.description', 'has no member here; write it into the schema')
}

/** Calls of several tools are forbidden beside a choice. Where the model may call none, nothing is left to forbid. */
function choiceText({ toolChoice, parallelToolCalls }: NeutralSettings): string | undefined {
  const single = parallelToolCalls === false ? { disable_parallel_tool_use: 'true' } : {}
  if (toolChoice === undefined)
    return parallelToolCalls === false ? rawObject({ type: '"auto"', ...single }) : undefined
  if (toolChoice === 'none') return '{"type":"none"}'
  if (typeof toolChoice === 'object') {
    return rawObject({ type: '"tool"', name: JSON.stringify(toolChoice.tool), ...single })
  }
  return rawObject({ type: toolChoice === 'required' ? '"any"' : '"auto"', ...single })
}

import { rawMembers, rawObject, rawValue, unsupportedSetting } from '../../neutral-settings.ts'
import type { NeutralSettings, ResponseSchema } from '../../neutral-settings.ts'
import { effortText, thinkingText } from '../anthropic-messages/neutral.ts'

/**
 * Members of a body for the settings of the neutral form, as raw JSON texts; the choice of a tool is in `choiceMember`. What Converse has no
 * member for goes to Claude as its own. Sources: types of @aws-sdk/client-bedrock-runtime 3.1162.0; AWS guides to structured outputs and
 * to extended thinking; BerriAI/litellm#34347 (one tool at a time, tried at the API); checked 2026-11-30.
 */
export function settingMembers(settings: NeutralSettings = {}): string[] {
  const { sampling = {}, stop, effort, thinking, responseSchema } = settings
  return rawMembers({
    inferenceConfig: rawObject({
      temperature: rawValue(sampling.temperature),
      topP: rawValue(sampling.top_p),
      stopSequences: rawValue(stop),
    }),
    additionalModelRequestFields: rawObject({
      top_k: rawValue(sampling.top_k),
      thinking: thinkingText(thinking),
      output_config: rawObject({ effort: effortText(effort) }),
      tool_choice: isSingle(settings) ? '{"type":"auto","disable_parallel_tool_use":true}' : undefined,
    }),
    outputConfig: responseSchema && formatText(responseSchema),
  })
}

function isSingle({ parallelToolCalls }: NeutralSettings): boolean {
  return parallelToolCalls === false
}

/** Member of `toolConfig` with the choice of a tool. A choice there and one in Claude's own fields exclude each other. */
export function choiceMember(settings: NeutralSettings = {}): string[] {
  const { toolChoice } = settings
  if (toolChoice === undefined) return []
  if (toolChoice === 'none') throw unsupportedSetting('tool_choice', 'must not be none here: the format cannot say it')
  if (isSingle(settings)) {
    if (toolChoice === 'auto') return []
    throw unsupportedSetting('parallel_tool_calls', 'must not be false here beside a forced tool')
  }
  if (typeof toolChoice === 'object') return [`"toolChoice":{"tool":{"name":${JSON.stringify(toolChoice.tool)}}}`]
  return [`"toolChoice":{"${toolChoice === 'required' ? 'any' : 'auto'}":{}}`]
}

/** The schema is a text here, which holds the caller's exactly. */
function formatText({ name, description, strict, schemaText }: ResponseSchema): string {
  if (!strict) throw unsupportedSetting('response_schema.strict', 'must not be false here, because answers always fit')
  const schema = rawObject({
    schema: JSON.stringify(schemaText),
    name: rawValue(name),
    description: rawValue(description),
  })
  return `{"textFormat":{"type":"json_schema","structure":{"jsonSchema":${schema}}}}`
}

import { rawMembers, rawObject, rawValue, unsupportedSetting } from '../../neutral-settings.ts'
import type { NeutralSettings } from '../../neutral-settings.ts'
import { schemaText } from '../anthropic-messages/neutral.ts'

/**
 * Members of a body for the settings of the neutral form, as raw JSON texts.
 * Source: types of @google/genai 3.1.0 (`GenerateContentConfig`) and ai.google.dev thinking, checked 2026-11-30.
 */
export function settingMembers(settings: NeutralSettings = {}): string[] {
  const { sampling = {}, stop, responseSchema, toolChoice } = settings
  return rawMembers({
    toolConfig: toolChoice && `{"functionCallingConfig":${choiceText(toolChoice)}}`,
    generationConfig: rawObject({
      temperature: rawValue(sampling.temperature),
      topP: rawValue(sampling.top_p),
      topK: rawValue(sampling.top_k),
      seed: rawValue(sampling.seed),
      presencePenalty: rawValue(sampling.presence_penalty),
      frequencyPenalty: rawValue(sampling.frequency_penalty),
      stopSequences: rawValue(stop),
      responseMimeType: responseSchema && '"application/json"',
      responseJsonSchema: responseSchema && schemaText(responseSchema),
      thinkingConfig: thinkingText(settings),
    }),
  })
}

const MODES = { auto: 'AUTO', none: 'NONE', required: 'ANY' } as const

function choiceText(choice: NonNullable<NeutralSettings['toolChoice']>): string {
  if (typeof choice === 'string') return `{"mode":"${MODES[choice]}"}`
  return `{"mode":"ANY","allowedFunctionNames":[${JSON.stringify(choice.tool)}]}`
}

/** A budget of -1 lets the model choose. Level and budget exclude each other. */
function thinkingText({ effort, thinking }: NeutralSettings): string | undefined {
  if (effort !== undefined && thinking !== undefined)
    throw unsupportedSetting('effort', 'must not be combined with thinking here; give one of them')
  if (effort !== undefined) {
    if (effort === 'none' || effort === 'xhigh' || effort === 'max')
      throw unsupportedSetting('effort', 'must be minimal, low, medium or high here')
    return `{"thinkingLevel":"${effort.toUpperCase()}"}`
  }
  if (thinking === undefined) return undefined
  if (typeof thinking === 'object') return `{"thinkingBudget":${thinking.budgetTokens}}`
  if (thinking === 'disabled') return '{"thinkingBudget":0}'
  if (thinking === 'adaptive') return '{"thinkingBudget":-1}'
  throw unsupportedSetting('thinking', 'must be "disabled", "adaptive" or {"budget_tokens": N} here')
}

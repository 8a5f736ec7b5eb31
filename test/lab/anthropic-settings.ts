import { isObject, member, numberAt, stringAt } from './json.ts'
import type { JsonObject } from './json.ts'
import type { AnthropicModel } from './models.ts'

const EFFORTS = new Set(['low', 'medium', 'high', 'xhigh', 'max'])

/**
 * What a model does not take of sampling, thinking, effort and forced tools. Sources: Anthropic docs,
 * build-with-claude/thinking-troubleshooting, models/sonnet-5-5/migration-guide; UKGovernmentBEIS/inspect_ai#3721 (temperature);
 * mnfst/modelparams.dev#214 (temperature beside thinking); checked 2026-11-30.
 */
export function checkSettings(body: JsonObject, model: AnthropicModel): string | undefined {
  if (model.permissive) return undefined
  return (
    checkThinkingType(body, model) ??
    checkSampling(body, model) ??
    checkEffort(body, model) ??
    checkForcedTool(body, model)
  )
}

function checkThinkingType(body: JsonObject, model: AnthropicModel): string | undefined {
  const thinking = member(body, 'thinking')
  if (!isObject(thinking)) return undefined
  const type = stringAt(thinking, 'type') ?? ''
  if (type === 'adaptive' && !model.thinking.includes(type)) return 'adaptive thinking is not supported on this model'
  if (!model.thinking.includes(type)) {
    const instead = model.thinking.includes('between_tools')
      ? '"thinking.type.between_tools" for the lowest thinking setting, or "thinking.type.adaptive" and "output_config.effort"'
      : '"thinking.type.adaptive" and "output_config.effort"'
    return `"thinking.type.${type}" is not supported for this model. Use ${instead} to control thinking behavior.`
  }
  const extra = type === 'between_tools' ? [...thinking.keys()].find((name) => name !== 'type') : undefined
  return extra === undefined ? undefined : `thinking.between_tools.${extra}: Extra inputs are not permitted`
}

/** A value that is the default is taken by every model. Assumed of `top_p`: 1. */
function checkSampling(body: JsonObject, model: AnthropicModel): string | undefined {
  const temperature = numberAt(body, 'temperature')
  const topP = numberAt(body, 'top_p')
  if (!model.sampling) {
    if (temperature !== undefined && temperature !== 1) return '`temperature` is deprecated for this model.'
    if (topP !== undefined && topP !== 1) return '`top_p` is deprecated for this model.'
    if (numberAt(body, 'top_k') !== undefined) return '`top_k` is deprecated for this model.'
    return undefined
  }
  if (!thinks(body) || temperature === undefined || temperature === 1) return undefined
  return '`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.'
}

function thinks(body: JsonObject): boolean {
  const type = stringAt(member(body, 'thinking'), 'type')
  return type === 'enabled' || type === 'adaptive'
}

/** Thinking cannot be off, or only between tools, at the highest efforts. */
function checkEffort(body: JsonObject, model: AnthropicModel): string | undefined {
  const effort = stringAt(member(body, 'output_config'), 'effort')
  if (effort === undefined) return undefined
  if (!EFFORTS.has(effort)) return "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
  const type = stringAt(member(body, 'thinking'), 'type') ?? ''
  const low = type === 'between_tools' || (type === 'disabled' && model.thinksByDefault)
  if (!low || (effort !== 'xhigh' && effort !== 'max')) return undefined
  return `"thinking.type.${type}" is not supported with output_config.effort "${effort}".`
}

function checkForcedTool(body: JsonObject, model: AnthropicModel): string | undefined {
  const type = stringAt(member(body, 'tool_choice'), 'type')
  if (type !== 'any' && type !== 'tool') return undefined
  if (!model.forcedTools) return 'tool_choice: type "tool" and "any" are not supported for this model.'
  return thinks(body) ? 'Thinking may not be enabled when tool_choice forces tool use.' : undefined
}

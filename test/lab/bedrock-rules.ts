import { isBlank } from './dialect.ts'
import { TTL_MS } from './anthropic-prompt.ts'
import { elementsOf } from './bedrock-prompt.ts'
import type { Element } from './bedrock-prompt.ts'
import type { BedrockModel } from './bedrock-models.ts'
import { arrayAt, isObject, member, numberAt, stringAt } from './json.ts'
import type { JsonObject } from './json.ts'

const MAX_POINTS = 4

/**
 * The message of a `ValidationException`, or `undefined` when the request is fine. Sources: npm @aws-sdk/client-bedrock-runtime
 * 3.1162.0 types (maxTokens, ttl, type of a point); langgenius/dify#12340, Portkey-AI/gateway#748 (turns);
 * aws-samples/bedrock-engineer#8 (blank text); anomalyco/opencode#36517 (a point behind reasoning);
 * strands-agents/harness-sdk#3758 (order of lifetimes, measured); confident-ai/deepeval#3348 (temperature); checked 2026-11-30.
 * Assumed: the words about too many points.
 */
export function checkBedrock(body: JsonObject, model: BedrockModel): string | undefined {
  return checkTurns(body) ?? checkTexts(body) ?? checkPoints(body, model) ?? checkSettings(body, model)
}

function checkTurns(body: JsonObject): string | undefined {
  const roles = arrayAt(body, 'messages').map((message) => stringAt(message, 'role'))
  const unknown = roles.find((role) => role !== 'user' && role !== 'assistant')
  if (unknown !== undefined)
    return "Value at 'messages.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]"
  if (roles[0] !== 'user') {
    return 'A conversation must start with a user message. Try again with a conversation that starts with a user message.'
  }
  if (roles.some((role, i) => role === roles[i - 1])) {
    return 'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.'
  }
  const uses = elementsOf(body).some(({ node }) => isObject(node) && (node.has('toolUse') || node.has('toolResult')))
  const tools = arrayAt(member(body, 'toolConfig'), 'tools').length
  return uses && tools === 0
    ? 'The toolConfig field must be defined when using toolUse and toolResult content blocks.'
    : undefined
}

function checkTexts(body: JsonObject): string | undefined {
  for (const { where, node, role } of elementsOf(body)) {
    if (!isObject(node) || !node.has('text') || !isBlank(member(node, 'text'))) continue
    const kind = role === 'system' ? 'SystemContentBlock' : 'ContentBlock'
    return `The text field in the ${kind} object at ${where} is blank. Add text to the text field, and try again.`
  }
  return undefined
}

function checkPoints(body: JsonObject, model: BedrockModel): string | undefined {
  const elements = elementsOf(body)
  let shortest = Infinity
  for (const [i, { where, point, node }] of elements.entries()) {
    if (point === undefined) {
      if (isObject(node) && node.has('cachePoint')) return `${where}.cachePoint: must be an object`
      continue
    }
    const wrong = wrongPoint(where, point, model)
    if (wrong !== undefined) return wrong
    if (isReasoning(elements[i - 1], where)) {
      return 'Cache point cannot be inserted after reasoning block. Please remove the invalid cache point and try again.'
    }
    const ttlMs = TTL_MS[stringAt(point, 'ttl') ?? '5m'] ?? 0
    if (ttlMs > shortest) {
      return `${where}: a cache point with ttl 1h must not come after a cache point with ttl 5m. They are processed in the order of tools, system, messages.`
    }
    shortest = ttlMs
  }
  const count = elements.filter(({ point }) => point !== undefined).length
  return count > MAX_POINTS ? `A maximum of ${MAX_POINTS} cache points may be provided. Found ${count}.` : undefined
}

function wrongPoint(where: string, point: JsonObject, model: BedrockModel): string | undefined {
  const failed = (name: string, values: string): string =>
    `1 validation error detected: Value at '${where}.cachePoint.${name}' failed to satisfy constraint: Member must satisfy enum value set: [${values}]`
  if (stringAt(point, 'type') !== 'default') return failed('type', 'default')
  const ttl = member(point, 'ttl')
  if (ttl !== undefined && ttl !== '5m' && ttl !== '1h') return failed('ttl', '5m, 1h')
  return ttl === '1h' && !model.hour ? 'This model does not support a cache point with ttl 1h.' : undefined
}

function isReasoning(before: Element | undefined, where: string): boolean {
  const list = (place: string): string => place.slice(0, place.lastIndexOf('.'))
  return (
    before !== undefined &&
    list(before.where) === list(where) &&
    isObject(before.node) &&
    before.node.has('reasoningContent')
  )
}

function checkSettings(body: JsonObject, model: BedrockModel): string | undefined {
  const config = member(body, 'inferenceConfig')
  const max = numberAt(config, 'maxTokens')
  if (max !== undefined && max < 1) {
    return `1 validation error detected: Value '${max}' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1`
  }
  const said = (what: string): string => `The model returned the following errors: ${what}`
  const temperature = numberAt(config, 'temperature')
  if (!model.sampling && temperature !== undefined && temperature !== 1) {
    return said('`temperature` is deprecated for this model.')
  }
  const thinking = member(member(body, 'additionalModelRequestFields'), 'thinking')
  const type = stringAt(thinking, 'type')
  if (type !== undefined && !model.thinking.includes(type)) {
    return said(`"thinking.type.${type}" is not supported for this model.`)
  }
  const budget = numberAt(thinking, 'budget_tokens')
  if (type === 'enabled' && budget !== undefined && max !== undefined && max <= budget) {
    return said('`max_tokens` must be greater than `thinking.budget_tokens`.')
  }
  const choice = member(member(body, 'toolConfig'), 'toolChoice')
  const forced = isObject(choice) && (choice.has('any') || choice.has('tool'))
  return forced && !model.forcedTools
    ? said('tool_choice: type "tool" and "any" are not supported for this model.')
    : undefined
}

import { fields } from './usage.ts'
import type { Fields } from './usage.ts'
import { aiSdk, litellm, METADATA, SHAPES } from './framework-shapes.ts'
import type { Usage } from '../../../core/model/usage.ts'

/** Members in which a usage object may lie: of a message, of a log's row, of an event of a stream. */
const HOLDERS = [
  'usage_metadata',
  'usage',
  'usage_object',
  'x_groq',
  'totalUsage',
  'response_metadata',
  'tokenUsage',
  'token_usage',
  // Codex counts a whole session beside the last request.
  'info',
  'last_token_usage',
]

/** Counts by model, of which one alone can be told of one prompt. */
const BY_MODEL = ['modelUsage', 'model_usage']

const DEEPEST = 3

/** The usage object inside of what a caller gave: itself, or the one in a member that holds it. */
export function innerUsage(given: Fields, depth = 0): Fields {
  if (depth === DEEPEST || Object.keys(given).some((name) => /tokens|token_?count/i.test(name))) return given
  const inner = HOLDERS.map((name) => fields(given[name])).find((one) => one !== null) ?? onlyModel(given)
  if (inner === null) return given
  return innerUsage(
    METADATA in given && 'promptTokens' in inner ? { ...inner, [METADATA]: given[METADATA] } : inner,
    depth + 1,
  )
}

function onlyModel(given: Fields): Fields | null {
  const models = BY_MODEL.flatMap((name) => Object.values(fields(given[name]) ?? {}))
  return models.length === 1 ? fields(models[0]) : null
}

/** The provider's own usage object, where a framework hands it on inside of its own. */
export function rawUsageIn(usage: Fields): Fields | null {
  return aiSdk.is(usage) ? fields(usage['raw']) : 'promptTokens' in usage ? fields(usage['nativeUsage']) : null
}

/**
 * Reads the usage object of a framework; null where it is none. `own` is what the provider's own reader makes of it: where that knows
 * the prompt and the cached tokens, OpenAI's shape is the provider's.
 */
export function frameworkUsage(usage: Fields, own: Usage | null): Usage | null {
  const found = SHAPES.find((shape) => shape.is(usage))
  if (found !== undefined) return found.read(usage)
  if (own !== null && own.inputTokens !== null && own.cacheReadTokens !== null) return null
  return litellm.is(usage) ? litellm.read(usage) : null
}

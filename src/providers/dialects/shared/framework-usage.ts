import { count, fields, NO_USAGE, writesByRetention } from './usage.ts'
import type { Fields } from './usage.ts'
import type { Usage } from '../../../core/model/usage.ts'

/**
 * Usage objects as frameworks hand them on, whose providers they do not tell: LangChain's `usage_metadata`, Pydantic AI's `RequestUsage`,
 * the AI SDK's `LanguageModelUsage` and LiteLLM's `Usage`, by their sources, read 2026-11-30 (langchain-core `messages/ai.py`,
 * pydantic-ai `usage.py`, ai `types/usage.ts`, litellm `types/utils.py`). The input counts the cached tokens in all of them.
 * Earlier versions and the SDKs for agents do not always: where more is cached than the input has, it leaves the cached tokens out.
 */
interface Shape {
  is(usage: Fields): boolean
  read(usage: Fields): Usage
}

const langchain: Shape = {
  is: (usage) => fields(usage['input_token_details']) !== null,
  read(usage) {
    const details = fields(usage['input_token_details'])
    // Beside writes by retention `cache_creation` is 0, so that nobody adds them up twice.
    const byRetention = writesByRetention(details, /^ephemeral_(\w+)_input_tokens$/)
    const parts = Object.values(byRetention).reduce((sum, tokens) => sum + tokens, 0)
    const write = count(details?.['cache_creation'])
    return usageFrom({
      total: usage['input_tokens'],
      read: details?.['cache_read'] ?? details?.['cached_tokens'],
      write: parts === 0 ? write : Math.max(write ?? 0, parts),
      output: usage['output_tokens'],
      reasoning: fields(usage['output_token_details'])?.['reasoning'],
      byRetention,
    })
  },
}

const pydanticAi: Shape = {
  is: (usage) => 'input_tokens' in usage && ('cache_read_tokens' in usage || 'cache_write_tokens' in usage),
  read: (usage) =>
    usageFrom({
      total: usage['input_tokens'],
      read: usage['cache_read_tokens'],
      write: usage['cache_write_tokens'],
      output: usage['output_tokens'],
      reasoning: fields(usage['details'])?.['reasoning_tokens'],
    }),
}

/** Before version 1 of Pydantic AI the details had the names of the provider. */
const pydanticAiBefore1: Shape = {
  is: (usage) => 'request_tokens' in usage && 'response_tokens' in usage,
  read(usage) {
    const details = fields(usage['details'])
    const read =
      details?.['cached_tokens'] ?? details?.['cache_read_input_tokens'] ?? details?.['cached_content_tokens']
    const write = details?.['cache_creation_input_tokens']
    return {
      ...usageFrom({
        total: withCached(usage['request_tokens'], read, write),
        read,
        write,
        output: usage['response_tokens'],
        reasoning: details?.['reasoning_tokens'] ?? details?.['thoughts_tokens'],
      }),
      ...sumOf(count(usage['requests'])),
    }
  },
}

/**
 * Converse's own shape, which Strands uses for every provider: the input leaves the cached tokens out. The Agent SDK of Claude has it
 * for each model, with another name for the writes.
 */
const converse: Shape = {
  is: (usage) =>
    count(usage['inputTokens']) !== null && ('cacheReadInputTokens' in usage || 'cacheWriteInputTokens' in usage),
  read(usage) {
    const read = count(usage['cacheReadInputTokens'])
    const write = count(usage['cacheWriteInputTokens'] ?? usage['cacheCreationInputTokens'])
    const total = (count(usage['inputTokens']) ?? 0) + (read ?? 0) + (write ?? 0)
    return usageFrom({ total, read, write, output: usage['outputTokens'], reasoning: null })
  },
}

/** OpenAI's SDK for agents: its details have one entry for each request of a run. */
const openaiAgents: Shape = {
  is: (usage) => count(usage['inputTokens']) !== null && Array.isArray(usage['inputTokensDetails']),
  read(usage) {
    const [inputs, outputs] = [listOf(usage['inputTokensDetails']), listOf(usage['outputTokensDetails'])]
    return {
      ...usageFrom({
        total: usage['inputTokens'],
        read: sumIn(inputs, 'cached_tokens'),
        write: sumIn(inputs, 'cache_write_tokens'),
        output: usage['outputTokens'],
        reasoning: sumIn(outputs, 'reasoning_tokens'),
      }),
      ...sumOf(Math.max(inputs.length, count(usage['requests']) ?? 0)),
    }
  },
}

/** Genkit has Gemini's counts under other names: the output leaves the thoughts out. */
const genkit: Shape = {
  is: (usage) => count(usage['inputTokens']) !== null && 'cachedContentTokens' in usage,
  read(usage) {
    const [output, thoughts] = [count(usage['outputTokens']), count(usage['thoughtsTokens'])]
    return usageFrom({
      total: usage['inputTokens'],
      read: usage['cachedContentTokens'],
      write: null,
      output: output === null ? null : output + (thoughts ?? 0),
      reasoning: thoughts,
    })
  },
}

/** The AI SDK before version 5 has the cached counts in the metadata of the provider, which stand beside the usage. */
const aiSdk4: Shape = {
  is: (usage) => 'promptTokens' in usage && 'completionTokens' in usage,
  read(usage) {
    const told = Object.values(fields(usage[METADATA]) ?? {}).flatMap((one) => {
      const own = fields(one)
      return [own, fields(own?.['usage'])].filter((part) => part !== null)
    })
    const countOf = (name: string) => told.map((part) => count(part[name])).find((one) => one !== null) ?? null
    const apart = countOf('cacheReadInputTokens')
    const write = countOf('cacheCreationInputTokens') ?? countOf('cacheWriteInputTokens')
    const prompt = count(usage['promptTokens'])
    return usageFrom({
      // Providers that count reads under this name leave the cached tokens out of the input.
      total: prompt === null ? null : prompt + (apart ?? 0) + (write ?? 0),
      read: apart ?? countOf('cachedPromptTokens'),
      write,
      output: usage['completionTokens'],
      reasoning: countOf('reasoningTokens'),
    })
  },
}

/** A step has its counts in objects; a whole call has them side by side. */
const aiSdk: Shape = {
  is: (usage) =>
    fields(usage['inputTokens']) !== null || (count(usage['inputTokens']) !== null && 'outputTokens' in usage),
  read(usage) {
    const step = fields(usage['inputTokens'])
    const details = fields(usage['inputTokenDetails'])
    const total = step === null ? usage['inputTokens'] : step['total']
    const read = count(step?.['cacheRead'] ?? details?.['cacheReadTokens'] ?? usage['cachedInputTokens'])
    const output = fields(usage['outputTokens'])
    return usageFrom({
      // Version 5 hands on what the provider calls its input, with the cached tokens or without.
      total: read !== null && read > (count(total) ?? 0) ? null : total,
      read,
      write: step?.['cacheWrite'] ?? details?.['cacheWriteTokens'],
      output: output === null ? usage['outputTokens'] : output['total'],
      reasoning:
        output?.['reasoning'] ?? fields(usage['outputTokenDetails'])?.['reasoningTokens'] ?? usage['reasoningTokens'],
    })
  },
}

/** OpenAI's shape with Anthropic's counts beside it. */
const litellm: Shape = {
  is: (usage) =>
    'prompt_tokens' in usage && ('cache_read_input_tokens' in usage || fields(usage['prompt_tokens_details']) !== null),
  read(usage) {
    const details = fields(usage['prompt_tokens_details'])
    const read = count(usage['cache_read_input_tokens']) ?? count(details?.['cached_tokens'])
    const write = count(usage['cache_creation_input_tokens']) ?? count(details?.['cache_creation_tokens'])
    return usageFrom({
      // Calls in Anthropic's own format leave the cached tokens out (github.com/BerriAI/litellm/issues/23342).
      total: withCached(usage['prompt_tokens'], read, write),
      read,
      write,
      output: usage['completion_tokens'],
      reasoning: fields(usage['completion_tokens_details'])?.['reasoning_tokens'],
    })
  },
}

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
]

/** Counts by model, of which one alone can be told of one prompt. */
const BY_MODEL = ['modelUsage', 'model_usage']

/** What the AI SDK before version 5 hands on beside a usage. */
const METADATA = 'providerMetadata'

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
  return aiSdk.is(usage) ? fields(usage['raw']) : null
}

/** The first that fits is read. */
const SHAPES = [langchain, pydanticAi, pydanticAiBefore1, converse, openaiAgents, genkit, aiSdk, aiSdk4]

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

function listOf(value: unknown): Fields[] {
  return (Array.isArray(value) ? value : []).map(fields).filter((one) => one !== null)
}

function sumIn(entries: readonly Fields[], name: string): number | null {
  const counts = entries.map((entry) => count(entry[name])).filter((one) => one !== null)
  return counts.length === 0 ? null : counts.reduce((sum, one) => sum + one, 0)
}

/** Says of counts that they are those of several requests. */
function sumOf(requests: number | null): Pick<Usage, 'summed'> {
  return requests !== null && requests > 1 ? { summed: true } : {}
}

/** The whole input where `given` may leave the cached tokens out. */
function withCached(given: unknown, read: unknown, write: unknown): number | null {
  const total = count(given)
  const cached = (count(read) ?? 0) + (count(write) ?? 0)
  return total !== null && total < cached ? total + cached : total
}

function usageFrom(parts: {
  total: unknown
  read: unknown
  write: unknown
  output: unknown
  reasoning: unknown
  byRetention?: Record<string, number>
}): Usage {
  const [total, read, write] = [count(parts.total), count(parts.read), count(parts.write)]
  const cached = read === null ? null : read + (write ?? 0)
  return {
    ...NO_USAGE,
    inputTokens: total,
    uncachedTokens: total === null || cached === null || cached > total ? null : total - cached,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: parts.byRetention ?? {},
    outputTokens: count(parts.output),
    reasoningTokens: count(parts.reasoning),
  }
}

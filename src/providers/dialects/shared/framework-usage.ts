import { count, fields, NO_USAGE, writesByRetention } from './usage.ts'
import type { Fields } from './usage.ts'
import type { Usage } from '../../../core/model/usage.ts'

/**
 * Usage objects as frameworks hand them on, whose providers they do not tell: LangChain's `usage_metadata`, Pydantic AI's `RequestUsage`,
 * the AI SDK's `LanguageModelUsage` and LiteLLM's `Usage`, by their sources, read 2026-11-30 (langchain-core `messages/ai.py`,
 * pydantic-ai `usage.py`, ai `types/usage.ts`, litellm `types/utils.py`). The input counts the cached tokens in all of them.
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

/** Converse's own shape, which Strands uses for every provider: the input leaves the cached tokens out. */
const converse: Shape = {
  is: (usage) =>
    count(usage['inputTokens']) !== null && ('cacheReadInputTokens' in usage || 'cacheWriteInputTokens' in usage),
  read(usage) {
    const [read, write] = [count(usage['cacheReadInputTokens']), count(usage['cacheWriteInputTokens'])]
    const total = (count(usage['inputTokens']) ?? 0) + (read ?? 0) + (write ?? 0)
    return usageFrom({ total, read, write, output: usage['outputTokens'], reasoning: null })
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
    const total = count(usage['prompt_tokens'])
    const cached = (read ?? 0) + (write ?? 0)
    return usageFrom({
      // Calls in Anthropic's own format leave the cached tokens out (github.com/BerriAI/litellm/issues/23342).
      total: total !== null && total < cached ? total + cached : total,
      read,
      write,
      output: usage['completion_tokens'],
      reasoning: fields(usage['completion_tokens_details'])?.['reasoning_tokens'],
    })
  },
}

/** Members in which a usage object may lie: of a message, of a log's row, of an event of a stream. */
const HOLDERS = ['usage_metadata', 'usage', 'usage_object', 'x_groq', 'totalUsage']

const DEEPEST = 3

/** The usage object inside of what a caller gave: itself, or the one in a member that holds it. */
export function innerUsage(given: Fields, depth = 0): Fields {
  if (depth === DEEPEST || Object.keys(given).some((name) => /tokens|token_?count/i.test(name))) return given
  const inner = HOLDERS.map((name) => fields(given[name])).find((one) => one !== null)
  return inner == null ? given : innerUsage(inner, depth + 1)
}

/** The provider's own usage object, where a framework hands it on inside of its own. */
export function rawUsageIn(usage: Fields): Fields | null {
  return aiSdk.is(usage) ? fields(usage['raw']) : null
}

/**
 * Reads the usage object of a framework; null where it is none. `own` is what the provider's own reader makes of it: where that knows
 * the prompt and the cached tokens, OpenAI's shape is the provider's.
 */
export function frameworkUsage(usage: Fields, own: Usage | null): Usage | null {
  const found = [langchain, pydanticAi, converse, aiSdk].find((shape) => shape.is(usage))
  if (found !== undefined) return found.read(usage)
  if (own !== null && own.inputTokens !== null && own.cacheReadTokens !== null) return null
  return litellm.is(usage) ? litellm.read(usage) : null
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

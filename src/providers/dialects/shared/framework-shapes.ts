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
      // Agno has these names too, and what the provider calls its input.
      total: withCached(usage['input_tokens'], usage['cache_read_tokens'], usage['cache_write_tokens']),
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

/** Codex, in the events of its log. */
const codex: Shape = {
  is: (usage) => count(usage['input_tokens']) !== null && 'cached_input_tokens' in usage,
  read: (usage) =>
    usageFrom({
      total: usage['input_tokens'],
      read: usage['cached_input_tokens'],
      write: null,
      output: usage['output_tokens'],
      reasoning: usage['reasoning_output_tokens'],
    }),
}

/** Gemini's counts as its SDK for Python names them. What its API leaves out, as it does with zeros, is null there. */
const geminiPython: Shape = {
  is: (usage) => count(usage['prompt_token_count']) !== null,
  read(usage) {
    const [output, thoughts] = [count(usage['candidates_token_count']), count(usage['thoughts_token_count'])]
    return usageFrom({
      total: usage['prompt_token_count'],
      read: count(usage['cached_content_token_count']) ?? 0,
      write: null,
      output: output === null ? null : output + (thoughts ?? 0),
      reasoning: thoughts,
    })
  },
}

/**
 * Converse's own shape, which Strands uses for every provider: the input leaves the cached tokens out. The Agent SDK of Claude has it
 * for each model, with another name for the writes. Examples in the guide of Bedrock end the names in `TokenCount`.
 */
const converse: Shape = {
  is: (usage) =>
    count(usage['inputTokens']) !== null &&
    Object.keys(usage).some((name) => /^cache(?:Read|Write)InputToken(?:s|Count)$/.test(name)),
  read(usage) {
    const read = count(usage['cacheReadInputTokens'] ?? usage['cacheReadInputTokenCount'])
    const write = count(
      usage['cacheWriteInputTokens'] ?? usage['cacheCreationInputTokens'] ?? usage['cacheWriteInputTokenCount'],
    )
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

/** What the AI SDK before version 5 hands on beside a usage. */
export const METADATA = 'providerMetadata'

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
export const aiSdk: Shape = {
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
export const litellm: Shape = {
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

/** The first that fits is read. */
export const SHAPES = [
  langchain,
  pydanticAi,
  pydanticAiBefore1,
  codex,
  geminiPython,
  converse,
  openaiAgents,
  genkit,
  aiSdk,
  aiSdk4,
]

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

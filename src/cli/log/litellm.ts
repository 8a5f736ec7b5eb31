import { digest, fault, readCount, readFields, readText, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { readTime, TIME_FORMS } from './time.ts'

/**
 * Spend logs of LiteLLM's proxy: rows of the table LiteLLM_SpendLogs, as `GET /spend/logs` answers them or as a dump of the table
 * holds them (https://docs.litellm.ai/docs/proxy/cost_tracking, schema.prisma and spend_tracking_utils.py of
 * BerriAI/litellm, read 2026-11-21). `prompt_tokens` counts the cached tokens too.
 */
export function isLitellm(fields: Fields): boolean {
  return 'startTime' in fields && ('call_type' in fields || 'custom_llm_provider' in fields || 'api_key' in fields)
}

const OTHER_CALLS = /embed|image|audio|speech|transcri|moderation|rerank|ocr|file|batch|vector|mcp|search|video/i

export function readLitellm(fields: Fields): Reading {
  const call = readText(fields['call_type']) ?? ''
  if (OTHER_CALLS.test(call)) return { leftOut: 'calls other than completions' }
  if (readText(fields['status']) === 'failure') return { leftOut: 'failed calls' }
  // LiteLLM's own response cache: nothing was sent to the provider.
  if (/^true$/i.test(String(fields['cache_hit'] ?? ''))) return { leftOut: "answers of the proxy's own cache" }
  const at = readTime(fields['startTime'])
  if (at === null) return fault('startTime', TIME_FORMS)
  const tokens = readCount(fields['prompt_tokens'])
  if (tokens === undefined) return fault('prompt_tokens', TOKENS_RIGHT)
  const metadata = readFields(fields['metadata'])
  const usage = readFields(metadata?.['additional_usage_values']) ?? readFields(metadata?.['usage_object'])
  const details = readFields(usage?.['prompt_tokens_details'])
  const read = readCount(usage?.['cache_read_input_tokens']) ?? readCount(details?.['cached_tokens']) ?? 0
  const written =
    readCount(usage?.['cache_creation_input_tokens']) ?? readCount(details?.['cache_creation_tokens']) ?? 0
  const [prefix, label] = prefixOf(fields)
  return {
    entry: {
      prefix,
      label,
      provider: readText(fields['custom_llm_provider']),
      model: readText(fields['model']),
      at,
      tokens: tokens === 0 ? null : tokens,
      cached: read + written,
    },
  }
}

/** Identifies the prefix by the system prompt if the proxy stores requests, else by the key, else by the model alone. */
function prefixOf(fields: Fields): [prefix: string, label: string] {
  const system = beginning(fields['proxy_server_request']) ?? beginning(fields['messages'])
  if (system !== null) return [`system ${system}`, `system ${system.slice(0, 8)}`]
  const key = readText(fields['api_key'])
  if (key === null) return ['', 'all requests']
  const name = digest(key)
  return [`key ${name}`, `key ${name.slice(0, 8)}`]
}

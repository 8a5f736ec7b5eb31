import { readTime } from './instant.ts'
import type { Told } from './told-call.ts'
import { cacheCounts, wholePrompt } from './told-counts.ts'
import { readCount, readFields, readText } from './values.ts'
import type { Fields } from './values.ts'

const OTHER_CALLS = /embed|image|audio|speech|transcri|moderation|rerank|ocr|file|batch|vector|mcp|search|video/i

/**
 * One call as LiteLLM's proxy logs it: a row of LiteLLM_SpendLogs, or a StandardLoggingPayload
 * (https://docs.litellm.ai/docs/proxy/cost_tracking and https://docs.litellm.ai/docs/proxy/logging_spec, schema.prisma and
 * spend_tracking_utils.py of BerriAI/litellm, read 2026-11-21 and 2026-12-01). `prompt_tokens` counts the cached tokens too, but not in calls of
 * Anthropic's own format (https://github.com/BerriAI/litellm/issues/23342).
 */
export function readLitellmCall(fields: Fields): Told {
  if (OTHER_CALLS.test(readText(fields['call_type']) ?? '')) return { leftOut: 'not_a_model_call' }
  if (readText(fields['status']) === 'failure') return { leftOut: 'failed' }
  // LiteLLM's own response cache: nothing was sent to the provider.
  if (/^true$/i.test(String(fields['cache_hit'] ?? ''))) return { leftOut: 'own_cache' }
  const startedAt = readTime(fields['startTime'])
  if (startedAt === null) return { leftOut: 'bad_time', field: 'startTime' }
  const input = readCount(fields['prompt_tokens'])
  if (input === undefined) return { leftOut: 'bad_count', field: 'prompt_tokens' }
  const metadata = readFields(fields['metadata'])
  // Either may be empty while the other one has the counts.
  const usage = { ...[readFields(metadata?.['additional_usage_values']), readFields(metadata?.['usage_object'])] }
  const cache = cacheCounts(usage)
  const [output = null, total = null] = [readCount(fields['completion_tokens']), readCount(fields['total_tokens'])]
  const whole = wholePrompt(input, (cache.read ?? 0) + (cache.written ?? 0), { total, output, usage })
  return {
    call: {
      id: readText(fields['id']) ?? readText(fields['request_id']),
      provider: readText(fields['custom_llm_provider']),
      models: [readText(fields['model'])].filter((name) => name !== null),
      startedAt,
      ttftMs: firstTokenMs(fields, startedAt),
      counts: { input: whole, ...cache, output },
      prefixes: prefixesOf(metadata),
    },
  }
}

/** Time to the first token. Of a plain answer LiteLLM writes its end there. */
function firstTokenMs(fields: Fields, startedAt: number): number | null {
  const [begun, ended] = [readTime(fields['completionStartTime']), readTime(fields['endTime'])]
  return begun === null || begun < startedAt || begun === ended ? null : begun - startedAt
}

/** What its caller's metadata names as the prefix: `pilotlight_prefix` or `pilotlight_name`. */
function prefixesOf(metadata: Fields | null): string[] {
  const holders = [readFields(metadata?.['requester_metadata']), metadata]
  return holders.flatMap((holder) =>
    ['pilotlight_prefix', 'pilotlight_name'].flatMap((name) => readText(holder?.[name]) ?? []),
  )
}

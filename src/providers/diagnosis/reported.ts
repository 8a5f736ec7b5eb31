import type { Reported } from '../../core/diagnosis/evidence.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import { isObject } from './values.ts'

/**
 * Reasons of the providers, and what they stand for. Null: they compare nothing. Sources: types of @anthropic-ai/sdk 1.14.0
 * (`cache_miss_reason`) and of openai 7.59.0 (`prompt_cache_diagnostics`), checked 2026-11-30.
 */
const REASONS: Readonly<Record<string, Verdict | null>> = {
  model_changed: 'model_changed',
  system_changed: 'text_changed',
  tools_changed: 'tools_changed',
  messages_changed: 'history_rewritten',
  previous_message_not_found: null,
  unavailable: null,
  prompt_cache_key_changed: 'cache_key_changed',
  text_format_changed: 'response_schema_changed',
  verbosity_changed: 'response_schema_changed',
  reasoning_effort_changed: 'effort_changed',
  context_compacted: 'history_rewritten',
  input_changed: 'text_changed',
  service_tier_changed: 'service_tier_changed',
  comparison_response_not_found: null,
}

/** Reads a provider's own diagnostics, as an answer has them or with the member around them. Null: there are none. */
export function readReported(value: unknown): Reported | null {
  if (!isObject(value)) return null
  const inner = ['diagnostics', 'prompt_cache_diagnostics'].map((name) => value[name]).find(isObject)
  if (inner !== undefined) return readReported(inner)
  if ('cache_miss_reason' in value) {
    const reason = value['cache_miss_reason']
    return isObject(reason) ? reasonOf(reason['type'], reason['cache_missed_input_tokens']) : null
  }
  const { type, reason } = value
  if (type === 'cache_hit') return reportedAs('cache_hit', 0)
  if (type === 'cache_miss') return reasonOf(reason, value['cache_missed_tokens'])
  return typeof type === 'string' && Object.hasOwn(REASONS, type) ? reasonOf(type, null) : null
}

function reasonOf(reason: unknown, tokens: unknown): Reported | null {
  if (typeof reason !== 'string' || !/^[a-z_]{1,60}$/.test(reason)) return null
  return reportedAs(reason, typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens >= 0 ? tokens : null)
}

/** The same of a reason that was read before. */
export function reportedAs(reason: string, missedTokens: number | null): Reported {
  const verdict = Object.hasOwn(REASONS, reason) ? (REASONS[reason] ?? null) : null
  return { verdict, reason, missedTokens, hit: reason === 'cache_hit' }
}

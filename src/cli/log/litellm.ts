import { readLitellmCall } from '../../usage/litellm.ts'
import type { LeftOut } from '../../usage/told-call.ts'
import { digest, fault, readText, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { TIME_FORMS } from './time.ts'

/** A row of LiteLLM's spend logs, as `GET /spend/logs` answers them or as a dump of the table holds them, or one call of its callbacks. */
export function isLitellm(fields: Fields): boolean {
  return 'startTime' in fields && ('call_type' in fields || 'custom_llm_provider' in fields || 'api_key' in fields)
}

const LEFT_OUT: Partial<Record<LeftOut, string>> = {
  failed: 'failed calls',
  own_cache: "answers of the proxy's own cache",
}

export function readLitellm(fields: Fields): Reading {
  const told = readLitellmCall(fields)
  if (!('call' in told)) {
    if (told.leftOut === 'bad_time') return fault(told.field ?? null, TIME_FORMS)
    if (told.leftOut === 'bad_count') return fault(told.field ?? null, TOKENS_RIGHT)
    return { leftOut: LEFT_OUT[told.leftOut] ?? 'calls other than completions' }
  }
  const { id, provider, models, startedAt, counts } = told.call
  const [prefix, label] = prefixOf(fields)
  return {
    entry: {
      ...(id === null ? {} : { id }),
      prefix,
      label,
      provider,
      model: models[0] ?? null,
      at: startedAt,
      tokens: counts.input,
      cached: (counts.read ?? 0) + (counts.written ?? 0),
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

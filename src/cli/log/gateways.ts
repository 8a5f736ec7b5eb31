import { digest, fault, readCount, readFields, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Reading } from './entry.ts'
import { beginning } from './system.ts'
import { readTime, TIME_FORMS } from './time.ts'
import { cachedTokens, wholePrompt } from './usage.ts'

/** Names of the members of a gateway's rows. Of several names the first that a row has counts. */
interface Names {
  id: readonly string[]
  time: readonly string[]
  model: readonly string[]
  provider: string
  tokens: readonly string[]
  /** HTTP status of the answer. */
  status?: string
}

const CLOUDFLARE: Names = {
  id: ['id'],
  time: ['created_at'],
  model: ['model'],
  provider: 'provider',
  tokens: ['tokens_in'],
  status: 'status_code',
}

/**
 * Logs of Cloudflare AI Gateway, as `GET …/ai-gateway/gateways/{id}/logs` answers them
 * (https://developers.cloudflare.com/api/resources/ai_gateway/subresources/logs, read 2026-11-30). They have no cached counts.
 */
export function isCloudflare(fields: Fields): boolean {
  return 'created_at' in fields && 'tokens_in' in fields
}

export function readCloudflare(fields: Fields): Reading {
  if (isTrue(fields['cached'])) return { leftOut: "answers of the proxy's own cache" }
  if (/^false$/i.test(String(fields['success'] ?? ''))) return { leftOut: 'failed calls' }
  const kind = `${readText(fields['request_type']) ?? ''} ${readText(fields['model_type']) ?? ''}`
  if (/embed|image|audio|speech|transcri|moderation|rerank|realtime|translation/i.test(kind))
    return { leftOut: 'calls other than completions' }
  return readRow(fields, CLOUDFLARE, ['', 'all requests'])
}

const HELICONE: Names = {
  id: ['request_id'],
  time: ['request_created_at'],
  model: ['model_override', 'request_model', 'response_model', 'model'],
  provider: 'provider',
  tokens: ['prompt_tokens'],
  status: 'response_status',
}

/**
 * Requests of Helicone: `POST /v1/request/query` and the files of its export tool
 * (https://docs.helicone.ai/rest/request/post-v1requestquery, read 2026-11-30).
 */
export function isHelicone(fields: Fields): boolean {
  return 'request_created_at' in fields && ('request_model' in fields || 'prompt_tokens' in fields)
}

export function readHelicone(fields: Fields): Reading {
  const reference = readText(fields['cache_reference_id'])
  if (reference !== null && /[1-9a-f]/i.test(reference)) return { leftOut: "answers of the proxy's own cache" }
  const properties = readFields(fields['request_properties']) ?? readFields(fields['properties'])
  const prompt = readText(fields['prompt_id']) ?? readText(properties?.['Helicone-Prompt-Id'])
  if (prompt !== null) return readRow(fields, HELICONE, [`prompt ${prompt}`, shown(prompt, 'prompt')])
  const system = beginning(fields['request_body'])
  return readRow(
    fields,
    HELICONE,
    system === null ? ['', 'all requests'] : [`system ${system}`, `system ${system.slice(0, 8)}`],
  )
}

const OPENROUTER: Names = {
  id: ['generation_id', 'id'],
  time: ['created_at'],
  model: ['model_permaslug', 'model'],
  provider: 'provider_name',
  tokens: ['native_tokens_prompt', 'tokens_prompt'],
}

/**
 * OpenRouter's log of generations as CSV, and answers of `GET /api/v1/generation`
 * (https://openrouter.ai/docs/api-reference/get-a-generation, read 2026-11-30). The provider is the upstream that was paid.
 */
export function isOpenrouter(fields: Fields): boolean {
  const row = readFields(fields['data']) ?? fields
  return 'created_at' in row && OPENROUTER.tokens.some((name) => name in row)
}

export function readOpenrouter(fields: Fields): Reading {
  const row = readFields(fields['data']) ?? fields
  const key = readText(row['api_key_name'])
  const app = readText(row['app_name'])
  const name = digest(JSON.stringify([app, key]))
  if (app === null && key === null) return readRow(row, OPENROUTER, ['', 'all requests'])
  return readRow(row, OPENROUTER, [`app ${name}`, app === null ? `key ${name.slice(0, 8)}` : shown(app, 'app')])
}

const PORTKEY: Names = {
  id: ['id'],
  time: ['created_at'],
  model: ['ai_model'],
  provider: 'ai_org',
  tokens: ['req_units'],
  status: 'response_status_code',
}

/**
 * Exported logs of Portkey, JSONL
 * (https://portkey.ai/docs/product/observability/logs-export, read 2026-12-01). Cached counts stand in the answer's usage, if bodies are exported.
 */
export function isPortkey(fields: Fields): boolean {
  return 'created_at' in fields && 'req_units' in fields
}

export function readPortkey(fields: Fields): Reading {
  if (/hit$/i.test(readText(fields['cache_status']) ?? '')) return { leftOut: "answers of the proxy's own cache" }
  if (/^(?:0|false)$/i.test(String(fields['is_success'] ?? ''))) return { leftOut: 'failed calls' }
  if (/\/(?:embeddings|images|audio|moderations|rerank)\b/i.test(readText(fields['request_url']) ?? ''))
    return { leftOut: 'calls other than completions' }
  const body = (name: string): unknown => fields[`${name}.body`] ?? bodyOf(fields[name])
  const usage = readFields(readFields(body('response'))?.['usage'])
  const row = { ...fields, usage }
  const prompt = readText(fields['prompt_slug'])
  if (prompt !== null) return readRow(row, PORTKEY, [`prompt ${prompt}`, shown(prompt, 'prompt')])
  const system = beginning(body('request'))
  return readRow(
    row,
    PORTKEY,
    system === null ? ['', 'all requests'] : [`system ${system}`, `system ${system.slice(0, 8)}`],
  )
}

/** A request or an answer, which stands in `body` beside its headers, or by itself. */
function bodyOf(value: unknown): unknown {
  const found = readFields(value)
  return found?.['body'] ?? found
}

function readRow(fields: Fields, names: Names, [prefix, label]: [prefix: string, label: string]): Reading {
  const status = readCount(fields[names.status ?? ''])
  if (status !== null && status !== undefined && status >= 400) return { leftOut: 'failed calls' }
  const text = (of: readonly string[]): string | null => of.map((name) => readText(fields[name])).find(Boolean) ?? null
  const timeName = names.time.find((name) => name in fields) ?? names.time[0] ?? 'time'
  const at = readTime(fields[timeName])
  if (at === null) return fault(timeName, TIME_FORMS)
  const tokensName = names.tokens.find((name) => readText(fields[name]) !== null) ?? names.tokens[0] ?? 'tokens'
  const input = readCount(fields[tokensName])
  if (input === undefined) return fault(tokensName, TOKENS_RIGHT)
  const cached = cachedTokens({ ...countsBeside(fields), usage: readFields(fields['usage']) })
  const id = text(names.id)
  return {
    entry: {
      ...(id === null ? {} : { id }),
      prefix,
      label,
      provider: readText(fields[names.provider]),
      model: text(names.model),
      at,
      tokens: wholePrompt(input, cached),
      cached,
    },
  }
}

/** The members of a row that count tokens: other members with `cache` in their names are times and settings. */
function countsBeside(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name.includes('tokens')))
}

function isTrue(value: unknown): boolean {
  return /^true$/i.test(String(value ?? ''))
}

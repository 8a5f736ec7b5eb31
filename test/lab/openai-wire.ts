import { Refusal } from './dialect.ts'
import type { Call, RefusalKind } from './dialect.ts'
import { arrayAt, isObject, member } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'

export function openaiRequestId(call: Call): string {
  return `req_lab_${String(call.seq).padStart(8, '0')}`
}

type ErrorFields = { type?: string; param?: string | null; code?: string | null; headers?: Record<string, string> }

/** Source: OpenAI docs, guides/error-codes: `{error: {message, type, param, code}}`; checked 2026-11-21. */
export function openaiRefusal(call: Call, status: number, message: string, fields: ErrorFields = {}): Refusal {
  const { type = 'invalid_request_error', param = null, code = null, headers = {} } = fields
  return new Refusal(
    status,
    { error: { message, type, param, code } },
    {
      'content-type': 'application/json',
      'x-request-id': openaiRequestId(call),
      ...headers,
    },
  )
}

/**
 * Anthropic's marker is an unknown parameter here. Sources: BerriAI/litellm#28431 (`input[0].content[0].cache_control`, tried against the
 * API), gethnet/litellm-connector-copilot#138 (at the top); checked 2026-11-30. On Chat Completions some models let it pass in a block of the
 * role `system`, and refuse it under `developer`: the lab takes the stricter.
 */
export function checkForeignMarkers(call: Call, body: JsonObject, turns: 'messages' | 'input'): void {
  const places: [string, JsonNode][] = [['', body]]
  arrayAt(body, 'tools').forEach((tool, i) => places.push([`tools[${i}].`, tool]))
  arrayAt(body, turns).forEach((turn, i) => {
    places.push([`${turns}[${i}].`, turn])
    const content = member(turn, 'content')
    if (!Array.isArray(content)) return
    content.forEach((part, n) => places.push([`${turns}[${i}].content[${n}].`, part]))
  })
  const found = places.find(([, node]) => isObject(node) && node.has('cache_control'))
  if (found === undefined) return
  const param = `${found[0]}cache_control`
  throw openaiRefusal(call, 400, `Unknown parameter: '${param}'.`, { param, code: 'unknown_parameter' })
}

/** Source: OpenAI docs, guides/rate-limits, "rate limits in headers"; checked 2026-11-21. */
export function openaiHeaders(call: Call, limited = false, resetMs = 6): Record<string, string> {
  const seconds = resetMs < 1000 ? `${Math.ceil(resetMs)}ms` : `${(resetMs / 1000).toFixed(3).replace(/\.?0+$/, '')}s`
  return {
    'content-type': 'application/json',
    'x-request-id': openaiRequestId(call),
    'openai-version': '2020-10-01',
    'openai-processing-ms': '1',
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-limit-tokens': '30000000',
    'x-ratelimit-remaining-requests': limited ? '0' : '9999',
    'x-ratelimit-remaining-tokens': limited ? '0' : '29990000',
    'x-ratelimit-reset-requests': seconds,
    'x-ratelimit-reset-tokens': seconds,
  }
}

export function refuseOpenai(
  kind: RefusalKind,
  options: { retryAfterMs: number; status?: number | undefined },
  call: Call,
): Refusal {
  switch (kind) {
    case 'rate_limited':
      return openaiRefusal(
        call,
        429,
        'Rate limit reached for this model on tokens per min (TPM). Please try again later.',
        {
          type: 'tokens',
          code: 'rate_limit_exceeded',
          headers: {
            ...openaiHeaders(call, true, options.retryAfterMs),
            'retry-after': String(Math.ceil(options.retryAfterMs / 1000)),
            'retry-after-ms': String(Math.ceil(options.retryAfterMs)),
          },
        },
      )
    case 'insufficient_quota':
      return openaiRefusal(call, 429, 'You exceeded your current quota, please check your plan and billing details.', {
        type: 'insufficient_quota',
        code: 'insufficient_quota',
        headers: { 'x-should-retry': 'false' },
      })
    case 'overloaded':
      return openaiRefusal(call, options.status ?? 503, 'The engine is currently overloaded, please try again later.', {
        type: 'server_error',
        code: 'server_is_overloaded',
        headers: { 'retry-after': String(Math.ceil(options.retryAfterMs / 1000)) },
      })
    case 'server_error':
      return openaiRefusal(
        call,
        options.status ?? 500,
        'The server had an error while processing your request. Sorry about that!',
        {
          type: 'server_error',
        },
      )
    case 'geo_refusal':
      return openaiRefusal(call, 403, 'Country, region, or territory not supported', {
        type: 'request_forbidden',
        code: 'unsupported_country_region_territory',
      })
  }
}

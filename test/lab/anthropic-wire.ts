import { Refusal } from './dialect.ts'
import type { Call } from './dialect.ts'

export const COUNT_TOKENS_ONLY = 'v1/messages/count_tokens'

export function requestId(call: Call): string {
  return `req_lab_${String(call.seq).padStart(8, '0')}`
}

export function isoSeconds(at: number): string {
  return `${new Date(Math.ceil(at / 1000) * 1000).toISOString().slice(0, 19)}Z`
}

/** Source: Anthropic docs, api/errors: `{type, error: {type, message}, request_id}`; checked 2026-11-21. */
export function anthropicRefusal(
  call: Call,
  status: number,
  type: string,
  message: string,
  headers: Record<string, string> = {},
): Refusal {
  const body = { type: 'error', error: { type, message }, request_id: requestId(call) }
  return new Refusal(status, body, { 'content-type': 'application/json', 'request-id': requestId(call), ...headers })
}

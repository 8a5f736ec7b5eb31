import { hkdfSync } from 'node:crypto'
import { Failure } from '../contract/failure.ts'
import type { ToolResult } from '../core/conversation/turn.ts'
import { isPrivate } from '../contract/host.ts'
import { exchange } from '../providers/transport/send.ts'
import { isDevelopment } from '../runtime/env.ts'
import type { Vars } from '../runtime/env.ts'
import { network } from './send.ts'
import { standardWebhookHeaders } from './standard-webhook.ts'
import { serviceFetch } from './tool-service.ts'

/**
 * One call of a tool over HTTP. It is signed like a Standard Webhook (id, time, HMAC-SHA256) and limited in time and size. It goes
 * to a service that the administrator allows, or to public https addresses alone, also after redirects. The model gets each failure as the tool's result.
 */
export interface ToolCallRequest {
  url: string
  /** The service binding that receives the call, in place of the network. */
  service?: string
  /** The same in each attempt of this call, so that a tool can recognise a repeat. */
  id: string
  body: string
  /** Real instant, also where the product's clock runs faster. */
  sentAt: number
  /** In real milliseconds. */
  timeoutMs: number
  account: string
  /** Gives the call up. */
  signal?: AbortSignal
}

const MAX_RESULT_BYTES = 64 * 1024
const MAX_REDIRECTS = 3
const MAX_ERROR_CHARS = 2_000

/** Reason why a tool may not be at this address; null when it may. Only the text is checked: no name is resolved. */
export function wrongToolUrl(text: string, vars: Vars): string | null {
  if (!URL.canParse(text)) return 'is not a URL'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'must not contain credentials'
  if (isDevelopment(vars) && openOrigins(vars).includes(url.origin)) return null
  if (url.protocol !== 'https:') return 'must be an https URL'
  return isPrivate(url.hostname) ? 'must name a public host' : null
}

/** Origins that development allows although they are not public: the lab, and those listed in TOOL_ORIGINS. */
function openOrigins({ LAB_URL = '', TOOL_ORIGINS = '' }: Vars): string[] {
  return [LAB_URL, ...TOOL_ORIGINS.split(',')].flatMap((text) => {
    const origin = text.trim()
    return URL.canParse(origin) ? [new URL(origin).origin] : []
  })
}

/** Secret with which an account's tools check signatures, in the form of Standard Webhooks. Throws `not_configured`. */
export function toolSecret(account: string, vars: Vars): string {
  const [current] = secretsOf(account, vars)
  if (current === undefined) {
    throw new Failure(
      'not_configured',
      'This deployment cannot sign tool calls because KEY_ENCRYPTION_SECRET is missing.',
      {
        variable: 'KEY_ENCRYPTION_SECRET',
      },
    )
  }
  return current
}

/**
 * Secrets derived from the deployment's current secret, and from the previous one while that is set. Each signs, so that a tool
 * that knows either accepts the call.
 */
function secretsOf(account: string, vars: Vars): string[] {
  return [vars.KEY_ENCRYPTION_SECRET, vars.KEY_ENCRYPTION_SECRET_PREVIOUS].flatMap((text) => {
    const secret = text?.trim() ?? ''
    if (secret === '') return []
    const derived = Buffer.from(hkdfSync('sha256', secret, account, 'pilotlight tool calls', 32))
    return [`whsec_${derived.toString('base64')}`]
  })
}

export function signedHeaders(
  { id, body, sentAt, account }: Pick<ToolCallRequest, 'id' | 'body' | 'sentAt' | 'account'>,
  vars: Vars,
): Record<string, string> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, text/plain',
    ...standardWebhookHeaders({ id, body, sentAt }, secretsOf(account, vars)),
    'idempotency-key': id,
  }
}

/** Calls a tool. Never throws: a failure is a result with a sentence for the model. */
export async function callTool(
  call: ToolCallRequest,
  vars: Vars,
  fetch: typeof globalThis.fetch = network,
): Promise<ToolResult> {
  const timeout = new AbortController()
  // One limit for all redirects. It is cleared below, because a pending timer keeps a Durable Object in memory.
  const timer = setTimeout(() => timeout.abort(new DOMException('late', 'TimeoutError')), call.timeoutMs)
  const signal = call.signal === undefined ? timeout.signal : AbortSignal.any([timeout.signal, call.signal])
  try {
    return await follow(call, vars, fetch, signal)
  } finally {
    clearTimeout(timer)
  }
}

async function follow(
  call: ToolCallRequest,
  vars: Vars,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<ToolResult> {
  const init = { method: 'POST', headers: signedHeaders(call, vars), body: call.body }
  const limits = { timeoutMs: call.timeoutMs, maxBytes: MAX_RESULT_BYTES, signal }
  if (call.service !== undefined) {
    const toService = serviceFetch(call.service, vars)
    if (toService === null) return failed('Its service is not allowed here any more.')
    const sent = await exchange(toService, call.url, init, limits)
    if (sent.kind === 'failed') return failed(whyOf(sent.failure.kind, call))
    if (sent.status >= 300 && sent.status < 400) return failed('It redirects, which a service may not.')
    return resultOf(sent.status, sent.text)
  }
  let { url } = call
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    const wrong = wrongToolUrl(url, vars)
    if (wrong !== null) {
      return failed(
        hop === 0 ? `Its address ${wrong}.` : `It redirects to an address that is not allowed: the address ${wrong}.`,
      )
    }
    const sent = await exchange(fetch, url, init, limits)
    if (sent.kind === 'failed') return failed(whyOf(sent.failure.kind, call))
    const location = sent.headers.get('location')
    if (sent.status < 300 || sent.status >= 400 || location === null) return resultOf(sent.status, sent.text)
    // Other redirects turn the request into a GET, which is not the call that was signed.
    if (sent.status !== 307 && sent.status !== 308)
      return failed(`It answers ${sent.status}; only 307 and 308 are followed.`)
    if (!URL.canParse(location, url)) return failed('It redirects to an invalid address.')
    url = new URL(location, url).href
  }
  return failed(`It redirects more than ${MAX_REDIRECTS} times.`)
}

const FAILURE_SENTENCES: Partial<Record<string, string>> = {
  provider_timeout: 'It did not answer in time.',
  unreadable_answer: `Its answer is larger than ${MAX_RESULT_BYTES} bytes.`,
}

function whyOf(kind: string, { signal }: Pick<ToolCallRequest, 'signal'>): string {
  if (signal?.aborted === true) return 'It was given up and may have run.'
  return FAILURE_SENTENCES[kind] ?? 'It could not be reached.'
}

function resultOf(status: number, text: string): ToolResult {
  if (status >= 200 && status < 300) return { text: text === '' ? 'Done. The answer is empty.' : text, isError: false }
  return failed(`It answered ${status}. ${text.slice(0, MAX_ERROR_CHARS)}`.trim())
}

function failed(why: string): ToolResult {
  return { text: `The tool failed. ${why}`, isError: true }
}

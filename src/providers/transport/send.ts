import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { failureValue } from '../../contract/failure.ts'
import type { FailureKind, FailureValue } from '../../contract/failure.ts'
import type { Card } from '../card.ts'
import type { DialectDefinition, ProbeRequest } from '../dialect.ts'

/** One call to a provider. */
export interface Call {
  card: Pick<Card, 'auth' | 'headers' | 'dialect'>
  /** Base URL of the card's paths: the card's own, or the administrator's instead. */
  baseUrl: string
  credential: string
  request: ProbeRequest
  /** Limit for the whole call, including reading the answer. */
  timeoutMs: number
  signal?: AbortSignal
  /** The most bytes read of an answer; 4 MiB when absent. */
  maxBytes?: number
  /** Receives the text of a good answer in pieces, as it arrives. */
  onText?: (piece: string) => void
}

/**
 * How a call ended. `answered`: the provider answered, with success or an error; the dialect reads it. `failed`: it did not.
 * `outcomeKnown` is false where the provider may have processed the request, and billed it.
 */
export type Sent =
  | { kind: 'answered'; status: number; headers: Headers; text: string }
  | { kind: 'failed'; failure: FailureValue; outcomeKnown: boolean }

/** A form for a vendor's token endpoint. Its content is signed, so no credential is sent beside it. */
export interface Post {
  url: string
  form: string
  timeoutMs: number
}

export interface Transport {
  send(call: Call): Promise<Sent>
  post(form: Post): Promise<Sent>
}

/** Longer answers are refused. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/**
 * Creates the only sender of requests to providers. A vendor's SDK sends our bytes where there is one: it sends a string unchanged, and
 * its retries are off. The answer is read here, within limits of size and time. Redirects are never followed, so a credential reaches
 * no other host.
 */
export function createTransport({ fetch }: { fetch: typeof globalThis.fetch }): Transport {
  return {
    async send(call) {
      if (!/^[\x21-\x7e]+$/.test(call.credential)) {
        // A line break in it would be refused, or would add a header.
        return failed('provider_key_refused', 'The credential is not a printable key.', true)
      }
      let sent: Sent | null = null
      const fetchOnce: Fetch = async (url, init) => {
        sent = await exchange(fetch, url, init ?? {}, call)
        return new Response(null, { status: 204 }) // the SDK only sends; the answer is in `sent`
      }
      try {
        await CLIENTS[call.card.dialect.client](call, fetchOnce)
      } catch {
        // An SDK that refuses its settings, such as an invalid base URL, has sent nothing. Its message may contain the credential.
      }
      return sent ?? failed('internal', 'The request was not sent.', true)
    },
    post({ url, form, timeoutMs }) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
      return exchange(fetch, url, { method: 'POST', headers, body: form }, { timeoutMs })
    },
  }
}

type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>
type Client = (call: Call, fetch: Fetch) => Promise<unknown>

/** Added to the SDK's time-out, so that ours ends a call first. */
const SDK_GRACE_MS = 5_000

const CLIENTS: Readonly<Record<DialectDefinition['client'], Client>> = {
  'anthropic-sdk': withAnthropic,
  'openai-sdk': withOpenai,
  fetch: withFetch,
}

/** All settings are given that the SDK would otherwise read from the environment. */
function withAnthropic(call: Call, fetch: Fetch): Promise<unknown> {
  const client = new Anthropic({
    apiKey: call.credential,
    baseURL: call.baseUrl,
    webhookKey: null,
    logLevel: 'off',
    maxRetries: 0,
    timeout: call.timeoutMs + SDK_GRACE_MS,
    fetch,
  })
  return client.post(call.request.path, { body: call.request.body, headers: headersOf(call) }).asResponse()
}

function withOpenai(call: Call, fetch: Fetch): Promise<unknown> {
  const client = new OpenAI({
    apiKey: call.credential,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: call.baseUrl,
    logLevel: 'off',
    maxRetries: 0,
    timeout: call.timeoutMs + SDK_GRACE_MS,
    fetch,
  })
  return client.post(call.request.path, { body: call.request.body, headers: headersOf(call) }).asResponse()
}

function withFetch(call: Call, fetch: Fetch): Promise<unknown> {
  return fetch(call.baseUrl.replace(/\/$/, '') + call.request.path, requestOf(call))
}

function requestOf(call: Call): RequestInit {
  const headers = Object.entries(headersOf(call)).filter((entry): entry is [string, string] => entry[1] !== null)
  const { method = 'POST', body } = call.request
  return body === '' ? { method, headers } : { method, headers, body }
}

/**
 * With this content type the SDKs send our string as it is instead of encoding it again. The credential is sent in the card's header
 * and in no other: null removes the header that an SDK would add.
 */
function headersOf({ card, credential, request }: Call): Record<string, string | null> {
  const auth: Record<string, string | null> =
    card.auth.header === 'authorization-bearer'
      ? { authorization: `Bearer ${credential}`, 'x-api-key': null }
      : { authorization: null, [card.auth.header]: [card.auth.scheme, credential].filter(Boolean).join(' ') }
  return { ...card.headers, ...request.headers, ...auth, 'content-type': 'application/json' }
}

/** Sends a request and reads its answer within the limits of time and size. Never throws: failures are returned. */
export async function exchange(
  fetch: typeof globalThis.fetch,
  url: string | URL | Request,
  init: RequestInit,
  call: Pick<Call, 'timeoutMs' | 'signal' | 'maxBytes' | 'onText'>,
): Promise<Sent> {
  if (call.signal?.aborted === true) {
    return failed('provider_unavailable', 'The call was cancelled before it was sent.', true)
  }
  // Not `AbortSignal.timeout`: its timer outlives the call, and keeps a Durable Object from hibernating.
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(new DOMException('late', 'TimeoutError')), call.timeoutMs)
  const signal = AbortSignal.any([timeout.signal, ...(call.signal === undefined ? [] : [call.signal])])
  let stop: () => void = () => {}
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  // A fetch or a body that ignores the signal must not block the call: both are raced against it.
  const untilStopped = <T>(work: Promise<T>): Promise<T> => Promise.race([work, stopped])
  try {
    if (signal.aborted) throw signal.reason
    const response = await untilStopped(fetch(url, { ...init, signal, redirect: 'manual' }))
    const text = await readBounded(response, untilStopped, call)
    if (text === null) return failed('unreadable_answer', 'The answer is larger than the limit.', false)
    return { kind: 'answered', status: response.status, headers: response.headers, text }
  } catch (error) {
    return outcome(error, signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    stopped.catch(() => {}) // no other code awaits it
  }
}

/** The body's text; null when it is too large. */
async function readBounded(
  response: Response,
  untilStopped: <T>(work: Promise<T>) => Promise<T>,
  { maxBytes = MAX_ANSWER_BYTES, onText = () => {} }: Pick<Call, 'maxBytes' | 'onText'>,
): Promise<string | null> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  let finished = false
  try {
    for (;;) {
      const { done, value } = await untilStopped(reader.read())
      if (done) break
      bytes += value.byteLength
      if (bytes > maxBytes) return null
      const piece = decoder.decode(value, { stream: true })
      text += piece
      if (response.ok) onText(piece)
    }
    finished = true
    return text + decoder.decode()
  } finally {
    // A failed cancellation does not matter: the call has its result.
    if (!finished) reader.cancel().catch(() => {})
  }
}

/** Error codes of a request that never left: the provider cannot have processed it. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function outcome(error: unknown, signal: AbortSignal): Sent {
  if (signal.aborted) {
    const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
    return timedOut
      ? failed('provider_timeout', 'The provider did not answer in time.', false)
      : failed('provider_unavailable', 'The call was cancelled before the provider answered.', false)
  }
  const cause = error instanceof Error ? error.cause : undefined
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  return failed('provider_unavailable', 'The connection to the provider failed.', NEVER_SENT.has(code))
}

function failed(kind: FailureKind, message: string, outcomeKnown: boolean): Sent {
  return { kind: 'failed', failure: failureValue(kind, message), outcomeKnown }
}

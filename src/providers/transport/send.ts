import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { failureValue } from '../../contract/failure.ts'
import type { FailureKind, FailureValue } from '../../contract/failure.ts'
import type { Card } from '../card.ts'
import type { DialectDefinition, ProbeRequest } from '../dialect.ts'

/** One call to a provider. */
export interface Call {
  card: Pick<Card, 'auth' | 'headers' | 'dialect'>
  /** Where the card's paths begin: the card's own base URL, or the administrator's instead of it. */
  baseUrl: string
  credential: string
  request: ProbeRequest
  /** For the whole call, the reading of its answer included. */
  timeoutMs: number
  signal?: AbortSignal
  /** The most that is read of an answer; 4 MiB when absent. */
  maxBytes?: number
  /** Hears the answer's text in pieces, as it comes. */
  onText?: (piece: string) => void
}

/**
 * How a call ended. `answered`: the provider said something, good or bad; the dialect reads it. `failed`: it did not, and
 * `outcomeKnown` is false when the provider may nevertheless have taken the request (and charged for it).
 */
export type Sent =
  | { kind: 'answered'; status: number; headers: Headers; text: string }
  | { kind: 'failed'; failure: FailureValue; outcomeKnown: boolean }

/** A form for a vendor's token endpoint: what it carries is signed, so that no credential goes beside it. */
export interface Post {
  url: string
  form: string
  timeoutMs: number
}

export interface Transport {
  send(call: Call): Promise<Sent>
  post(form: Post): Promise<Sent>
}

/** Longer answers than this are no answers to a probe. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024

/**
 * The only way out to a provider. The vendors' SDKs carry our bytes where they exist (they send a string unchanged; their own
 * retries are off); the answer is read here, bounded in size and time. Redirects are answers like others and are never followed,
 * so that a credential reaches no other host.
 */
export function createTransport({ fetch }: { fetch: typeof globalThis.fetch }): Transport {
  return {
    async send(call) {
      if (!/^[\x21-\x7e]+$/.test(call.credential)) {
        // A line break in it would be refused, or worse, become a header of its own.
        return failed('provider_key_refused', 'The credential is not a printable key.', true)
      }
      let sent: Sent | null = null
      const carried: Carry = async (url, init) => {
        sent = await exchange(fetch, url, init ?? {}, call)
        return new Response(null, { status: 204 }) // the SDK only carries; what came back is in `sent`
      }
      try {
        await CARRIERS[call.card.dialect.client](call, carried)
      } catch {
        // A client that refuses its settings (a base URL that is none) has sent nothing; what it says may hold the credential.
      }
      return sent ?? failed('internal', 'The request was not sent.', true)
    },
    post({ url, form, timeoutMs }) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
      return exchange(fetch, url, { method: 'POST', headers, body: form }, { timeoutMs })
    },
  }
}

type Carry = (url: string | URL | Request, init?: RequestInit) => Promise<Response>
type Carrier = (call: Call, fetch: Carry) => Promise<unknown>

/** Longer than our own time-out, which must be the one that ends a call. */
const SDK_GRACE_MS = 5_000

const CARRIERS: Readonly<Record<DialectDefinition['client'], Carrier>> = {
  'anthropic-sdk': withAnthropic,
  'openai-sdk': withOpenai,
  fetch: withFetch,
}

/** Every setting that the client would otherwise read from the environment is given. */
function withAnthropic(call: Call, fetch: Carry): Promise<unknown> {
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

function withOpenai(call: Call, fetch: Carry): Promise<unknown> {
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

function withFetch(call: Call, fetch: Carry): Promise<unknown> {
  return fetch(call.baseUrl.replace(/\/$/, '') + call.request.path, requestOf(call))
}

function requestOf(call: Call): RequestInit {
  const headers = Object.entries(headersOf(call)).filter((entry): entry is [string, string] => entry[1] !== null)
  const { method = 'POST', body } = call.request
  return body === '' ? { method, headers } : { method, headers, body }
}

/**
 * The content type makes the SDKs send our string as it is instead of encoding it once more. The credential goes into the card's
 * own header and no other, whatever a client would do with a key of its own; null takes a header away from it.
 */
function headersOf({ card, credential, request }: Call): Record<string, string | null> {
  const auth: Record<string, string | null> =
    card.auth.header === 'authorization-bearer'
      ? { authorization: `Bearer ${credential}`, 'x-api-key': null }
      : { authorization: null, [card.auth.header]: [card.auth.scheme, credential].filter(Boolean).join(' ') }
  return { ...card.headers, ...request.headers, ...auth, 'content-type': 'application/json' }
}

/** Sends and reads, within the time and the size allowed. Never throws: how it went wrong is part of the answer. */
export async function exchange(
  fetch: typeof globalThis.fetch,
  url: string | URL | Request,
  init: RequestInit,
  call: Pick<Call, 'timeoutMs' | 'signal' | 'maxBytes' | 'onText'>,
): Promise<Sent> {
  // Not `AbortSignal.timeout`: its timer outlives the call, and keeps the object that made the call from being put to rest.
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new DOMException('late', 'TimeoutError')), call.timeoutMs)
  const signal = AbortSignal.any([late.signal, ...(call.signal === undefined ? [] : [call.signal])])
  let stop: () => void = () => {}
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  // A fetch or a body that does not heed the signal must not hold us: both are raced against it.
  const within = <T>(work: Promise<T>): Promise<T> => Promise.race([work, stopped])
  try {
    if (signal.aborted) throw signal.reason
    const response = await within(fetch(url, { ...init, signal, redirect: 'manual' }))
    const text = await readBounded(response, within, call)
    if (text === null) return failed('unreadable_answer', 'The answer is larger than what is read of one.', false)
    return { kind: 'answered', status: response.status, headers: response.headers, text }
  } catch (error) {
    return outcome(error, signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    stopped.catch(() => {}) // settled or not, nobody else listens to it
  }
}

/** The body's text; null when it is too large. */
async function readBounded(
  response: Response,
  within: <T>(work: Promise<T>) => Promise<T>,
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
      const { done, value } = await within(reader.read())
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
    // Whatever cancelling has to say, we have what we wanted, or have given up.
    if (!finished) reader.cancel().catch(() => {})
  }
}

/** Codes that say the request never left: the provider cannot have taken it. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function outcome(error: unknown, signal: AbortSignal): Sent {
  if (signal.aborted) {
    const timedOut = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
    return timedOut
      ? failed('provider_timeout', 'The provider did not answer in time.', false)
      : failed('provider_unavailable', 'The call was given up before the provider answered.', false)
  }
  const cause = error instanceof Error ? error.cause : undefined
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
  return failed('provider_unavailable', 'The connection to the provider failed.', NEVER_SENT.has(code))
}

function failed(kind: FailureKind, message: string, outcomeKnown: boolean): Sent {
  return { kind: 'failed', failure: failureValue(kind, message), outcomeKnown }
}

import { Failure } from '../contract/failure.ts'
import { asksToDrain, withFaults } from './request/own-headers.ts'
import { framingOf } from '../usage/find.ts'
import { readAhead } from './diagnosis/ahead.ts'
import type { Ahead } from './diagnosis/ahead.ts'
import type { Timely } from './diagnosis/in-time.ts'
import { pumped } from './pump.ts'
import type { Watcher } from './pump.ts'

/** Answer header that says what was done with a call. */
export const DONE = 'x-pilotlight'

/** Answer header with the registered prefix that a call began with, where that is known in time. */
export const PREFIX = 'x-pilotlight-prefix'

/** Answer header that says how warm that prefix is now, and what it costs in the next request. */
export const WARMTH = 'x-pilotlight-warmth'

/** Answer header that says why the call missed, where that is sure when the headers leave. */
export const VERDICT = 'x-pilotlight-verdict'

/** Where a call goes, and how. */
export interface Onward {
  url: string
  headers: Headers
  /** Its body; absent: the request's own, as it comes. */
  body?: Uint8Array | ReadableStream<Uint8Array>
  send: typeof globalThis.fetch
  waitUntil: (work: Promise<unknown>) => void
  answerHeaders: (given: Headers) => Headers
  /** What was changed of its body; absent: nothing. */
  edited?: string
  /** What watches an answer as it passes. Null: nothing does, and the platform moves its bytes. `why`: what the answer's header says of it. */
  watch: (answer: Response) => Watch
  /** What was done with the call before it was sent, for the answer's header; absent: nothing. */
  done?: string
}

interface Watch {
  watcher: Watcher | null
  why: string
  prefix?: string
  warmth?: string
  /** What may know why the call missed. */
  timely?: Timely
}

/** Calls are never answered from a cache of the platform, whatever their path looks like. */
const NOT_CACHED = { cacheTtlByStatus: { '100-599': -1 } }

/**
 * Sends one request on and its answer back, byte by byte as it came, compressed or not. Nothing is held, and each side is read as fast as the other
 * one takes it. A caller who leaves ends the provider's call.
 */
export async function passing(request: Request, onward: Onward): Promise<Response> {
  const drains = asksToDrain(request.headers)
  const answer = await sent(request, onward, drains ? null : own(request.signal))
  const { watcher, why, prefix, warmth, timely } = onward.watch(answer)
  const ahead = watcher === null || timely?.isSuspect !== true ? null : await taken(answer)
  const headers = onward.answerHeaders(answer.headers)
  const { done: before, edited } = onward
  const reason = before === undefined ? why : watcher === null ? `${why}; ${before}` : before
  const all = edited === undefined ? reason : [edited, ...(before === undefined ? [] : [before])].join('; ')
  const what = edited !== undefined ? 'edited' : watcher === null ? 'pass' : 'observed'
  headers.set(DONE, `${what}; reason="${withFaults(all, request)}"`)
  if (prefix !== undefined) headers.set(PREFIX, prefix)
  if (warmth !== undefined) headers.set(WARMTH, warmth)
  const verdict = watcher === null ? null : (timely?.verdict(answer, ahead) ?? null)
  if (verdict !== null) headers.set(VERDICT, verdict)
  const init = { status: answer.status, statusText: answer.statusText, headers, encodeBody: 'manual' as const }
  if (answer.body === null || (watcher === null && !drains)) return new Response(answer.body, init)
  const { readable, done } = pumped(answer.body, {
    length: lengthOf(answer.headers),
    signal: request.signal,
    drains,
    ...(watcher === null ? {} : { watcher }),
    ...(ahead === null ? {} : { ahead }),
  })
  // Announced now: once the caller has left, the platform hears of no new work.
  onward.waitUntil(done)
  return new Response(readable, init)
}

/** What came with the headers of an answer; null: it has no body that tells counts. */
async function taken({ body, headers }: Response): Promise<Ahead | null> {
  const framing = framingOf(headers.get('content-type') ?? '')
  return body === null || framing === null ? null : readAhead(body, framing, headers.get('content-encoding'))
}

/** The stated length of a body; null: it is sent in chunks. */
function lengthOf(headers: Headers): number | null {
  const length = headers.get('content-length') ?? ''
  return /^\d{1,15}$/.test(length) ? Number(length) : null
}

/** The runtime takes no signal of a caller's request for a call of ours: work that is kept alive would let the call run on. */
function own(signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  if (signal.aborted) controller.abort()
  else signal.addEventListener('abort', () => controller.abort(), { once: true })
  return controller.signal
}

async function sent(
  request: Request,
  { url, headers, body, send }: Onward,
  signal: AbortSignal | null,
): Promise<Response> {
  try {
    return await send(url, {
      method: request.method,
      headers,
      body: body ?? request.body,
      signal,
      redirect: 'manual',
      // The bytes of the answer as the provider packed them.
      encodeResponseBody: 'manual',
      cf: NOT_CACHED,
    } as RequestInit)
  } catch {
    // The error may quote the address, and with it a key in the query.
    throw new Failure(
      'provider_unavailable',
      'The connection to the provider failed; it may have received the request.',
    )
  }
}

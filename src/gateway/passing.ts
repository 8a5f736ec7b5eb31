import { Failure } from '../contract/failure.ts'

/** Header that says what becomes of the provider's call when the caller leaves: `abort` (the default) or `drain`. */
export const ON_DISCONNECT = 'x-pilotlight-on-disconnect'

/** Real time for which a call whose caller left is read on: less than the 30 s that the platform gives. */
export const DRAIN_MS = 25_000

/** Where a call goes, and how. */
export interface Onward {
  url: string
  headers: Headers
  send: typeof globalThis.fetch
  waitUntil: (work: Promise<unknown>) => void
  answerHeaders: (given: Headers) => Headers
}

/** Calls are never answered from a cache of the platform, whatever their path looks like. */
const NOT_CACHED = { cacheTtlByStatus: { '100-599': -1 } }

/**
 * Sends one request on and its answer back. The platform moves the bytes of both, so nothing is held here and each side is read as fast as the
 * other one takes it. A caller who leaves ends the provider's call.
 */
export async function passing(request: Request, onward: Onward): Promise<Response> {
  const drains = request.headers.get(ON_DISCONNECT) === 'drain'
  const answer = await sent(request, onward, drains ? null : request.signal)
  const body = drains && answer.body !== null ? drained(answer.body, onward.waitUntil) : answer.body
  const headers = onward.answerHeaders(answer.headers)
  headers.set('x-pilotlight', 'pass')
  return new Response(body, { status: answer.status, statusText: answer.statusText, headers })
}

async function sent(request: Request, { url, headers, send }: Onward, signal: AbortSignal | null): Promise<Response> {
  const { method } = request
  try {
    return await send(url, {
      method,
      headers,
      body: request.body,
      signal,
      redirect: 'manual',
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

/**
 * The same bytes, read here, so that they are read to their end when nobody takes them any more: the provider finishes what it bills anyway.
 * `waitUntil` is called now: once the caller has left, the platform hears of no new work.
 */
function drained(body: ReadableStream<Uint8Array>, waitUntil: Onward['waitUntil']): ReadableStream<Uint8Array> {
  const { readable, writable } = new IdentityTransformStream()
  waitUntil(pump(body.getReader(), writable.getWriter()))
  return readable
}

async function pump(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  let left = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const leave = (): void => {
    left = true
    timer = setTimeout(() => reader.cancel().catch(() => {}), DRAIN_MS)
  }
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (!left) await writer.write(value).catch(leave)
    }
    if (!left) await writer.close()
  } catch (thrown) {
    // The provider's stream broke, and so does the caller's.
    await writer.abort(thrown).catch(() => {})
  } finally {
    clearTimeout(timer)
  }
}

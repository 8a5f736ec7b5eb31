import type { Lifetime } from '../contract/lifetime.ts'
import { modelIn } from '../usage/address.ts'
import { Ends } from '../usage/ends.ts'
import type { KeptText } from '../usage/ends.ts'
import { framingOf, usageIn } from '../usage/find.ts'
import type { UsageObject } from '../usage/find.ts'
import { ask } from './connection.ts'
import type { Connection } from './connection.ts'
import { beforeExit, hostOf, lifetimeOf } from './lifetime.ts'
import { Reports } from './reports.ts'
import type { Observation } from './reports.ts'
import { bodyOf, isRequest, STREAM } from './request-body.ts'
import type { KnownBody } from './request-body.ts'

export interface ObserveOptions {
  /** Id of the requests' provider (`GET /providers`): `anthropic`, `openai`, `openai-chat`, `gemini`, … */
  provider: string
  /**
   * Id of the prefix that the requests share. Absent: each is matched by its own bytes, together with `cache` and `headers`. The bytes are
   * fingerprinted and not stored.
   */
  prefixId?: string
  /** What the prefix was registered with as `cache`, if anything. Without `prefixId` alone. */
  cache?: Observation['cache']
  /** Headers that the prefix was registered with, if any. Without `prefixId` alone. */
  headers?: Record<string, string>
  /** Name of the account's credential with which the prefix was registered. Absent: `default`. */
  credential?: string
  /**
   * How long the sessions of this process live. Absent: as the process shows it (`docs/client.md`); `unknown`: nothing is told. One-shots buy
   * the short retention and no keep-alives.
   */
  lifetime?: Lifetime | 'unknown'
  /**
   * Whether the end of this process is the end of its sessions, which is then reported. Absent: yes, where the lifetime is known. Set it to
   * false where processes share a prefix.
   */
  endsWithProcess?: boolean
  /** Keeps a Worker running until reports are sent: `ctx.waitUntil.bind(ctx)`. */
  waitUntil?: (work: Promise<unknown>) => void
  /**
   * Called for each report that could not be sent, and once where requests cannot be reported, because their bodies are streams (without
   * `onError` that goes to the console). The observed requests never fail because of a report.
   */
  onError?: (error: unknown) => void
  /** Clock in epoch milliseconds, for tests and virtual time. */
  now?: () => number
}

/** Longest time that the end of a process waits for its last reports. */
const END_WITHIN_MS = 1_000

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A `fetch` for the official SDKs that reports usage. */
export interface ObservingFetch extends Fetch {
  /** Sends the waiting reports; resolves when each is sent or has failed. Call it at the end of a process. */
  flush(): Promise<void>
  /** Sends the waiting reports, and reports that the session is over. Waits a second at most, and never fails. */
  end(): Promise<void>
}

/**
 * Wraps a `fetch` so that it reports the usage of real requests to Pilotlight in the background. Requests and answers pass through
 * unchanged: it reads an answer only as its reader does, and reports after the end. Only `onError` learns of a failed report.
 */
export function observe(connection: Connection, fetch: Fetch, options: ObserveOptions): ObservingFetch {
  const reports = new Reports(connection, options)
  const now = options.now ?? (() => Date.now())
  const { provider, cache, headers } = options
  const named = { provider, ...(cache === undefined ? {} : { cache }), ...(headers === undefined ? {} : { headers }) }
  const host = hostOf()
  const told = options.lifetime ?? lifetimeOf(host)
  const lifetime = told === 'unknown' ? undefined : told
  const unread = new Set<Promise<void>>()
  const refuseStream = once(() =>
    (options.onError ?? console.warn)(
      new Error('a request whose body is a stream is not reported: give prefixId, or the body as text'),
    ),
  )
  const observing = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const startedAt = now()
    const body = bodyOf(input, init)
    const answer = await fetch(input, init)
    if (!answer.ok || answer.body === null || body === null) return answer
    const isNamed = options.prefixId !== undefined
    if (body === STREAM && !isNamed) {
      refuseStream()
      return answer
    }
    const model = modelIn(isRequest(input) ? input.url : String(input))
    const report = (request: KnownBody, usage: UsageObject | null, ttftMs: number | null): void => {
      if (request === null) return
      reports.add({
        ...(isNamed || request === STREAM
          ? { prefix_id: options.prefixId }
          : { ...named, request, ...(model === null ? {} : { model }) }),
        ...(options.credential === undefined ? {} : { credential: options.credential }),
        // Without usage the report still counts: it says that a real request came.
        usage: usage ?? { uncached_input_tokens: null },
        started_at: startedAt,
        ...(lifetime === undefined ? {} : { lifetime }),
        ...(ttftMs === null ? {} : { ttft_ms: ttftMs }),
      })
    }
    const signal = init?.signal ?? (isRequest(input) ? input.signal : null)
    return watched(answer, { now, signal }, (text, firstAt) => {
      const framing = framingOf(answer.headers.get('content-type') ?? '') ?? 'json'
      const usage = usageIn(text, framing)
      const ttftMs = framing !== 'json' && firstAt !== null ? Math.max(0, firstAt - startedAt) : null
      if (!(body instanceof Promise)) {
        report(body, usage, ttftMs)
        return
      }
      const later = body.then((request) => {
        report(request, usage, ttftMs)
        unread.delete(later)
      })
      unread.add(later)
      options.waitUntil?.(later)
    })
  }
  const flush = async (): Promise<void> => {
    await Promise.all(unread)
    await reports.flush()
  }
  const end = async (): Promise<void> => {
    const tooLong = AbortSignal.timeout(END_WITHIN_MS)
    try {
      const late = new Promise<never>((_, reject) =>
        tooLong.addEventListener('abort', () => reject(tooLong.reason as Error)),
      )
      await Promise.race([Promise.all([...unread, reports.flush(tooLong)]), late])
      await Promise.all(reports.matched.map((id) => signalEnd(connection, id, tooLong)))
    } catch (thrown) {
      options.onError?.(thrown)
    }
  }
  if (host !== null && (options.endsWithProcess ?? lifetime !== undefined)) beforeExit(host, () => void end())
  return Object.assign(observing, { flush, end })
}

/** Tells that nobody returns to a prefix; one that was deleted meanwhile is no failure. */
async function signalEnd(connection: Connection, id: string, signal: AbortSignal): Promise<void> {
  const path = `/prefixes/${encodeURIComponent(id)}/signals`
  await ask({ ...connection, retries: 0 }, 'POST', path, { body: { kind: 'end' }, signal })
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}

/**
 * Returns the same answer and records its bytes as the reader reads them: it reads nothing ahead and delays nothing. `ended` gets the
 * first and last part of the text once: at the end, when the reader stops early, when the stream breaks, and when `signal` aborts it.
 */
function watched(
  answer: Response,
  { now, signal }: { now: () => number; signal: AbortSignal | null },
  ended: (text: KeptText, firstAt: number | null) => void,
): Response {
  const ends = new Ends()
  let firstAt: number | null = null
  let finished = false
  const finish = (): void => {
    if (finished) return
    finished = true
    signal?.removeEventListener('abort', finish)
    ended(ends.text(), firstAt)
  }
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  // After an abort nobody may read any more, and then only the signal, or the end of the stream, tells of it.
  signal?.addEventListener('abort', finish)
  reader.closed.catch(finish)
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) {
          controller.close()
          finish()
          return
        }
        firstAt ??= now()
        ends.add(value)
        controller.enqueue(value)
      },
      async cancel(reason) {
        finish()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const passed = new Response(body, answer)
  // A new Response has an empty `url`, and SDKs show it.
  Object.defineProperty(passed, 'url', { value: answer.url })
  return passed
}

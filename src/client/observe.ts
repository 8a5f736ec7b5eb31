import type { Connection } from './connection.ts'
import { Reports } from './reports.ts'
import { usageIn } from './usage.ts'

/** Of an answer so much is kept to find its usage in: the beginning, and the end, where it stands. */
const HEAD_BYTES = 64 * 1024
const TAIL_BYTES = 256 * 1024

export interface ObserveOptions {
  /** The provider that these requests go to, by its id (`GET /providers`): `anthropic`, `openai`, `openai-chat`, `gemini`, … */
  provider: string
  /** The prefix that they share. Absent: each request is found by its own bytes, which are fingerprinted and not stored. */
  prefixId?: string
  /** The account's credential that the prefix was registered with, if it was. */
  credential?: string
  /** Keeps a Worker running until reports are sent: `ctx.waitUntil.bind(ctx)`. */
  waitUntil?: (work: Promise<unknown>) => void
  /** Hears of reports that were given up. Nothing else does: the observed requests never fail for it. */
  onError?: (error: unknown) => void
  /** For tests and virtual clocks: the time of a request's start, in epoch milliseconds. */
  now?: () => number
}

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A `fetch` for the official SDKs, and what is left to be sent of its reports. */
export interface ObservingFetch extends Fetch {
  /** Sends what waits, and resolves when it is sent or given up. For the end of a process. */
  flush(): Promise<void>
}

/**
 * A `fetch` that tells Pilotlight what real requests used, in the background. Requests and answers pass through untouched: an
 * answer is only looked at while its reader reads it, and what is found is reported after its end. Whatever goes wrong with
 * a report is told to `onError` alone.
 */
export function observe(connection: Connection, fetch: Fetch, options: ObserveOptions): ObservingFetch {
  const reports = new Reports(connection, options)
  const now = options.now ?? (() => Date.now())
  const observing = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const startedAt = now()
    const answer = await fetch(input, init)
    const request = bodyOf(init)
    if (!answer.ok || answer.body === null || request === null) return answer
    const model = modelIn(input)
    return watched(answer, now, (text, ttftMs) => {
      const isStream = (answer.headers.get('content-type') ?? '').includes('text/event-stream')
      const usage = usageIn(text, isStream)
      reports.add({
        ...(options.prefixId === undefined
          ? { provider: options.provider, request, ...(model === null ? {} : { model }) }
          : { prefix_id: options.prefixId }),
        ...(options.credential === undefined ? {} : { credential: options.credential }),
        // Nothing was said of what it read: it is a real request all the same.
        usage: usage ?? { uncached_input_tokens: null },
        started_at: startedAt,
        ...(isStream && ttftMs !== null ? { ttft_ms: Math.max(0, ttftMs - startedAt) } : {}),
      })
    })
  }
  return Object.assign(observing, { flush: () => reports.flush() })
}

/** The body of a `POST` as JSON text, or null where it is none that could be told apart: streams, forms, other methods. */
function bodyOf(init: RequestInit | undefined): { json: string } | null {
  if (init?.method?.toUpperCase() !== 'POST') return null
  const { body } = init
  const text =
    typeof body === 'string'
      ? body
      : body instanceof Uint8Array || body instanceof ArrayBuffer
        ? new TextDecoder().decode(body)
        : ''
  return /^\s*\{/.test(text) ? { json: text } : null
}

/** Gemini and Bedrock name the model in the address alone. */
function modelIn(input: string | URL | Request): string | null {
  const address = typeof input === 'object' && 'url' in input ? input.url : String(input)
  const found =
    /\/models?\/([^/:?]+)(?::[a-zA-Z]+GenerateContent|:generateContent|:streamGenerateContent|\/converse)/.exec(address)
  return found?.[1] === undefined ? null : decodeURIComponent(found[1])
}

/**
 * The same answer, whose bytes are kept an eye on as they pass: nothing is read ahead of the reader, and nothing held back.
 * `ended` hears the beginning and the end of the text once, also where the reader leaves early.
 */
function watched(answer: Response, now: () => number, ended: (text: string, firstAt: number | null) => void): Response {
  const head: Uint8Array[] = []
  const tail: Uint8Array[] = []
  let headBytes = 0
  let tailBytes = 0
  let firstAt: number | null = null
  let told = false
  const tell = (): void => {
    if (told) return
    told = true
    const decoder = new TextDecoder()
    const text = [...head, ...tail].map((piece) => decoder.decode(piece, { stream: true })).join('')
    ended(text, firstAt)
  }
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) {
          controller.close()
          tell()
          return
        }
        firstAt ??= now()
        if (headBytes < HEAD_BYTES) {
          head.push(value)
          headBytes += value.byteLength
        } else {
          tail.push(value)
          tailBytes += value.byteLength
          while (tailBytes - (tail[0]?.byteLength ?? 0) > TAIL_BYTES) tailBytes -= tail.shift()?.byteLength ?? 0
        }
        controller.enqueue(value)
      },
      async cancel(reason) {
        tell()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const passed = new Response(body, answer)
  // A response that is made has no address of its own; SDKs show it.
  Object.defineProperty(passed, 'url', { value: answer.url })
  return passed
}

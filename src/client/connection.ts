import type { FailureKind } from '../contract/failure.ts'

export interface SocketLike {
  addEventListener(type: 'open' | 'message' | 'close' | 'error', heard: (event: { data?: unknown }) => void): void
  close(code?: number): void
}

/** Browsers' own takes no headers, and so no account key; that of Node, and of the package ws, does. */
export type SocketWithHeaders = new (url: string, options: { headers: Record<string, string> }) => SocketLike

export interface ClientOptions {
  /** Of the deployment, for example `http://127.0.0.1:8787`. */
  baseUrl: string
  /** An account key. It belongs in no browser. */
  key: string
  fetch?: FetchLike
  WebSocket?: SocketWithHeaders
  /** Tries after the first, where another may help: 2 when absent. */
  retries?: number
  /** How long one try may take, in milliseconds: 120,000 when absent, which is longer than any provider is waited for. */
  timeoutMs?: number
}

export type FetchLike = (input: string, init?: RequestInit) => Promise<Response>

export interface Connection {
  baseUrl: string
  headers: Record<string, string>
  fetch: FetchLike
  WebSocket: SocketWithHeaders
  retries: number
  timeoutMs: number
}

/** What a call carries: a value, or JSON text that is sent as it is. */
interface Content {
  body?: unknown
  text?: string
}

/** What may be said of one call. */
export interface CallOptions {
  /** Ends the call, its waits and its further tries. */
  signal?: AbortSignal
  /** The same key answers the same call with the same answer, and does nothing twice; one is made when absent. */
  idempotencyKey?: string
}

/** What the deployment answered in place of what was asked. `kind` is one of the documented kinds. */
export class PilotlightError extends Error {
  readonly kind: FailureKind
  readonly status: number
  /** Whether the same call may be tried again. */
  readonly retryable: boolean
  readonly detail: Readonly<Record<string, unknown>>

  constructor(
    kind: FailureKind,
    message: string,
    status: number,
    retryable: boolean,
    detail: Record<string, unknown>,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'PilotlightError'
    this.kind = kind
    this.status = status
    this.retryable = retryable
    this.detail = detail
  }
}

export function connectionOf(options: ClientOptions): Connection {
  const { baseUrl, key, fetch, WebSocket, retries = 2, timeoutMs = 120_000 } = options
  return {
    baseUrl: baseUrl.replace(/\/+$/, ''),
    headers: { authorization: `Bearer ${key}` },
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
    WebSocket: WebSocket ?? (globalThis.WebSocket as unknown as SocketWithHeaders),
    retries,
    timeoutMs,
  }
}

/**
 * One call, and its answer as JSON; tried again where that may help. A `POST` carries an idempotency key, so that a second try
 * does nothing twice. Throws `PilotlightError`, and what `signal` was aborted with.
 */
export async function ask<Answer>(
  connection: Connection,
  method: string,
  path: string,
  given: CallOptions & Content = {},
): Promise<Answer> {
  const key = given.idempotencyKey ?? (method === 'POST' ? crypto.randomUUID() : undefined)
  for (let tries = 0; ; tries++) {
    try {
      return await once<Answer>(connection, method, path, {
        ...given,
        ...(key === undefined ? {} : { idempotencyKey: key }),
      })
    } catch (thrown) {
      given.signal?.throwIfAborted()
      if (!(thrown instanceof PilotlightError) || !thrown.retryable || tries >= connection.retries) throw thrown
      await pause(waitMs(thrown, tries), given.signal)
    }
  }
}

async function once<Answer>(
  { baseUrl, headers, fetch, timeoutMs }: Connection,
  method: string,
  path: string,
  { body, text, idempotencyKey, signal }: CallOptions & Content,
): Promise<Answer> {
  const tooLong = AbortSignal.timeout(timeoutMs)
  const content = text ?? (body === undefined ? undefined : JSON.stringify(body))
  let answer: Response
  try {
    answer = await fetch(`${baseUrl}${path}`, {
      method,
      headers: {
        ...headers,
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      ...(content === undefined ? {} : { body: content }),
      signal: signal === undefined ? tooLong : AbortSignal.any([signal, tooLong]),
    })
    if (answer.ok) return (await answer.json()) as Answer
  } catch (thrown) {
    signal?.throwIfAborted()
    const what = tooLong.aborted ? `no answer within ${timeoutMs} ms` : 'the deployment was not reached'
    throw new PilotlightError('internal', what, 0, true, {}, { cause: thrown })
  }
  throw await refused(answer)
}

/** Before another try: what the deployment asks for, or half a second and its doubles, within a minute. */
function waitMs({ detail }: PilotlightError, tries: number): number {
  const asked = detail['retry_after_seconds']
  const ms = typeof asked === 'number' ? asked * 1_000 : 500 * 2 ** tries
  return Math.min(60_000, ms * (1 + Math.random() / 4))
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Of an answer that is none of ours, as a gateway's page is, only the status is told. */
export async function refused(answer: Response): Promise<PilotlightError> {
  const text = await answer.text()
  const { error } = readObject(text) as { error?: Record<string, unknown> }
  const { kind, message, retryable, detail } = error ?? {}
  if (typeof kind !== 'string' || typeof message !== 'string') {
    return new PilotlightError(
      'internal',
      `HTTP ${answer.status}, and no reason`,
      answer.status,
      answer.status >= 500,
      {},
    )
  }
  return new PilotlightError(
    kind as FailureKind,
    message,
    answer.status,
    retryable === true,
    (detail ?? {}) as Record<string, unknown>,
  )
}

function readObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

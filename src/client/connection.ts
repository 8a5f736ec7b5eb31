import type { FailureKind } from '../contract/failure.ts'

export interface SocketLike {
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: { data?: unknown }) => void): void
  close(code?: number): void
}

/** WebSocket with headers, for the account key. Those of Node and of the package ws have them; browsers' do not. */
export type SocketWithHeaders = new (url: string, options: { headers: Record<string, string> }) => SocketLike

export interface ClientOptions {
  /** Base URL of the deployment, for example `http://127.0.0.1:8787`. */
  baseUrl: string
  /** Account key. Never give it to a browser. */
  key: string
  fetch?: FetchLike
  WebSocket?: SocketWithHeaders
  /** Number of retries of a call whose failure is retryable. Default: 2. */
  retries?: number
  /** Limit for one attempt, in milliseconds. Default: 120,000, longer than the deployment waits for a provider. */
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

/** Content of a call: a value, or JSON text that is sent unchanged. */
interface Content {
  body?: unknown
  text?: string
}

/** Options of one call. */
export interface CallOptions {
  /** Aborts the call, its waits and its retries. */
  signal?: AbortSignal
  /** A repeated call with the same key gets the same answer and has no second effect. Default: a new key for each call. Null: none, as the administrator's routes want it. */
  idempotencyKey?: string | null
}

/** Failure that the deployment answered. `kind` is one of the documented kinds. */
export class PilotlightError extends Error {
  readonly kind: FailureKind
  readonly status: number
  /** True if a retry of the same call may succeed. */
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
 * Makes one call and returns its JSON answer. It retries retryable failures; a `POST` carries an idempotency key, so that a retry has
 * no second effect. Throws `PilotlightError`, or the reason of `signal`.
 */
export async function ask<Answer>(
  connection: Connection,
  method: string,
  path: string,
  given: CallOptions & Content = {},
): Promise<Answer> {
  const { idempotencyKey = method === 'POST' ? crypto.randomUUID() : null } = given
  for (let attempt = 0; ; attempt++) {
    try {
      return await once<Answer>(connection, method, path, { ...given, idempotencyKey })
    } catch (thrown) {
      given.signal?.throwIfAborted()
      if (!(thrown instanceof PilotlightError) || !thrown.retryable || attempt >= connection.retries) throw thrown
      await pause(waitMs(thrown, attempt), given.signal)
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
        ...(idempotencyKey == null ? {} : { 'idempotency-key': idempotencyKey }),
      },
      ...(content === undefined ? {} : { body: content }),
      signal: signal === undefined ? tooLong : AbortSignal.any([signal, tooLong]),
    })
    if (answer.ok) return (await answer.json()) as Answer
  } catch (thrown) {
    signal?.throwIfAborted()
    const what = tooLong.aborted ? `no answer within ${timeoutMs} ms` : 'the deployment could not be reached'
    throw new PilotlightError('internal', what, 0, true, {}, { cause: thrown })
  }
  throw await refused(answer)
}

/** Wait before a retry: the deployment's `retry_after_seconds`, else 0.5 s doubled by each attempt; a minute at most. */
function waitMs({ detail }: PilotlightError, attempt: number): number {
  const asked = detail['retry_after_seconds']
  const ms = typeof asked === 'number' ? asked * 1_000 : 500 * 2 ** attempt
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

/** Reads the failure from an answer. An answer of another server, such as a proxy's page, gives only its status. */
export async function refused(answer: Response): Promise<PilotlightError> {
  const text = await answer.text()
  const { error } = readObject(text) as { error?: Record<string, unknown> }
  const { kind, message, retryable, detail } = error ?? {}
  if (typeof kind !== 'string' || typeof message !== 'string') {
    return new PilotlightError(
      'internal',
      `HTTP ${answer.status} without a reason`,
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

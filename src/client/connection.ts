import type { FailureKind } from '../contract/failures.ts'

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
  fetch?: (input: string, init?: RequestInit) => Promise<Response>
  WebSocket?: SocketWithHeaders
}

export interface Connection {
  baseUrl: string
  headers: Record<string, string>
  fetch: (input: string, init?: RequestInit) => Promise<Response>
  WebSocket: SocketWithHeaders
}

/** What the deployment answered in place of what was asked. `kind` is one of the documented kinds. */
export class BotError extends Error {
  readonly kind: FailureKind
  readonly status: number
  /** Whether the same call may be tried again. */
  readonly retryable: boolean
  readonly detail: Readonly<Record<string, unknown>>

  constructor(kind: FailureKind, message: string, status: number, retryable: boolean, detail: Record<string, unknown>) {
    super(message)
    this.name = 'BotError'
    this.kind = kind
    this.status = status
    this.retryable = retryable
    this.detail = detail
  }
}

export function connectionOf({ baseUrl, key, fetch, WebSocket }: ClientOptions): Connection {
  return {
    baseUrl: baseUrl.replace(/\/+$/, ''),
    headers: { authorization: `Bearer ${key}` },
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
    WebSocket: WebSocket ?? (globalThis.WebSocket as unknown as SocketWithHeaders),
  }
}

/** One call, and its answer as JSON. Throws `BotError`. */
export async function ask<Answer>(
  { baseUrl, headers, fetch }: Connection,
  method: string,
  path: string,
  { body, idempotencyKey }: { body?: unknown; idempotencyKey?: string } = {},
): Promise<Answer> {
  const answer = await fetch(`${baseUrl}${path}`, {
    method,
    headers: {
      ...headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw await refused(answer)
  return (await answer.json()) as Answer
}

/** Of an answer that is none of ours, as a gateway's page is, only the status is told. */
export async function refused(answer: Response): Promise<BotError> {
  const text = await answer.text()
  const { error } = readObject(text) as { error?: Record<string, unknown> }
  const { kind, message, retryable, detail } = error ?? {}
  if (typeof kind !== 'string' || typeof message !== 'string') {
    return new BotError('internal', `HTTP ${answer.status}, and no reason`, answer.status, answer.status >= 500, {})
  }
  return new BotError(
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

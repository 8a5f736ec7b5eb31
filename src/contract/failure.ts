/**
 * Kinds of failures, with their HTTP status and whether a retry of the same call may succeed. Code recognises a failure by its
 * `kind`, never by its class: an error loses its class between objects.
 */
export const FAILURES = {
  invalid_request: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  budget_exhausted: { status: 402, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  conflict: { status: 409, retryable: false },
  cancelled: { status: 409, retryable: false },
  payload_too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  prefix_too_short: { status: 422, retryable: false },
  unsupported: { status: 422, retryable: false },
  cache_not_honoured: { status: 424, retryable: false },
  rate_limited: { status: 429, retryable: true },
  internal: { status: 500, retryable: true },
  provider_key_refused: { status: 502, retryable: false },
  provider_rejected: { status: 502, retryable: false },
  unreadable_answer: { status: 502, retryable: true },
  not_configured: { status: 503, retryable: false },
  provider_limited: { status: 503, retryable: true },
  provider_unavailable: { status: 503, retryable: true },
  provider_timeout: { status: 504, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>

export type FailureKind = keyof typeof FAILURES

/** Facts about a failure that anybody may see: field paths, limits, statuses; never prompt text, keys or tenant ids. */
export type FailureDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** A failure as plain data: the form that crosses between objects and is stored. */
export interface FailureValue {
  kind: FailureKind
  message: string
  detail?: FailureDetail
}

const MARK = 'pilotlight failure '

/**
 * The only error that the product throws on purpose. Its message contains kind and detail, because of an error only the message
 * is certain to arrive through RPC: class and extra properties are lost.
 */
export class Failure extends Error {
  readonly kind: FailureKind
  readonly detail: FailureDetail | undefined
  readonly text: string

  constructor(kind: FailureKind, text: string, detail?: FailureDetail) {
    super(MARK + JSON.stringify(detail === undefined ? { kind, message: text } : { kind, message: text, detail }))
    this.name = 'Failure'
    this.kind = kind
    this.detail = detail
    this.text = text
  }

  get value(): FailureValue {
    return failureValue(this.kind, this.text, this.detail)
  }
}

export function failureValue(kind: FailureKind, message: string, detail?: FailureDetail): FailureValue {
  return detail === undefined ? { kind, message } : { kind, message, detail }
}

/** Makes the refusal of one field of a request, with the message `field: what.` */
export function invalid(field: string, what: string): Failure {
  return new Failure('invalid_request', `${field}: ${what}.`, { field })
}

/** The refusal of an idempotency key that came with another body before. */
export function otherBodyFailure(): Failure {
  return new Failure('conflict', 'idempotency-key: was used before with another body.', { field: 'idempotency-key' })
}

/** Reads the failure from a thrown value, also from one thrown through RPC; null when it is no `Failure`. */
export function readFailure(thrown: unknown): FailureValue | null {
  if (!(thrown instanceof Error)) return null
  const start = thrown.message.indexOf(MARK)
  if (start < 0) return null
  try {
    const value = JSON.parse(thrown.message.slice(start + MARK.length)) as FailureValue
    return Object.hasOwn(FAILURES, value.kind) ? value : null
  } catch {
    return null // the mark without JSON behind it: another error's text
  }
}

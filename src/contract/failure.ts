import * as z from 'zod'

/**
 * The table of failures: what went wrong, the HTTP status that says so, and whether the same call may be tried again.
 * A failure is recognised by its `kind`, never by its class: a thrown error loses its class between objects.
 */
export const FAILURES = {
  invalid_request: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  budget_exhausted: { status: 402, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  conflict: { status: 409, retryable: false },
  payload_too_large: { status: 413, retryable: false },
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

/** Facts beside a failure, safe to show: field paths, limits, statuses; never prompt text, keys or tenant ids. */
export type FailureDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** A failure as plain data, the form that crosses between objects and is stored. */
export interface FailureValue {
  kind: FailureKind
  message: string
  detail?: FailureDetail
}

const MARK = 'pilotlight failure '

/**
 * The only error thrown on purpose. Its message carries kind and detail in a form that survives an RPC boundary,
 * where the class and extra properties of an error are lost (only the message is certain to arrive).
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

/** A refusal of one field of a request: its message is `field: what.` */
export function invalid(field: string, what: string): Failure {
  return new Failure('invalid_request', `${field}: ${what}.`, { field })
}

/** Reads a failure back from anything that was thrown, here or on the far side of an RPC call; null when it is not one of ours. */
export function readFailure(thrown: unknown): FailureValue | null {
  if (!(thrown instanceof Error)) return null
  const start = thrown.message.indexOf(MARK)
  if (start < 0) return null
  try {
    const value = JSON.parse(thrown.message.slice(start + MARK.length)) as FailureValue
    return Object.hasOwn(FAILURES, value.kind) ? value : null
  } catch {
    return null // the mark without our JSON behind it: someone else's text
  }
}

const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]

const detail = z.record(z.string(), z.unknown())

export const errorAnswer = z.strictObject({
  error: z.strictObject({
    kind: z.enum(kinds),
    message: z.string(),
    retryable: z.boolean(),
    request_id: z.string(),
    detail: detail.optional(),
  }),
})

export const failureAnswer = z.strictObject({
  kind: z.enum(kinds),
  message: z.string(),
  retryable: z.boolean(),
  detail: detail.optional(),
})

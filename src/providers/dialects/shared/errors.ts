import { failureValue } from '../../../contract/failure.ts'
import type { FailureDetail, FailureKind } from '../../../contract/failure.ts'
import { fields } from './usage.ts'
import type { Fields } from './usage.ts'
import type { Wire } from '../../wire.ts'
import type { ErrorReading } from '../../dialect.ts'
import { DAY_MS } from '../../../core/time/time.ts'

/** An error body as far as all wire formats agree: an `error` object with tokens and a message that we read but never repeat. */
export interface ErrorBody {
  /** `type`, `code`, `status` and reasons of the error, in lower case. */
  tokens: string[]
  param: string
  message: string
  error: Fields
}

/** What a wire format adds to the common reading. */
export interface ErrorRules {
  /** True when the provider refused the primitive itself, not the registered body. */
  refusesPrimitive(body: ErrorBody): boolean
  /** The provider's own words, beyond those that all have. */
  words?: Pick<Wire, 'spentTokens' | 'spentWords' | 'keyWords' | 'busyTokens'>
}

const KEY_TOKENS = new Set([
  'authentication_error',
  'permission_error',
  'invalid_api_key',
  'api_key_invalid',
  'permission_denied',
  'unauthenticated',
  'account_deactivated',
])
const SPENT_TOKENS = new Set([
  'insufficient_quota',
  'billing_error',
  'billing_hard_limit_reached',
  'billing_not_active',
  'access_terminated',
])
/** Anthropic's empty balance is a plain `invalid_request_error`, known by its words alone. */
const SPENT_MESSAGE = /credit balance is too low/i
const GEO_TOKENS = new Set(['unsupported_country_region_territory', 'unsupported_country'])
const GEO_MESSAGE =
  /location is not supported|not available in your (country|region)|unsupported (country|region)|^request not allowed$/i
const NONE: ReadonlySet<string> = new Set()
const LONGEST_WAIT_MS = DAY_MS

/** A gateway in front of the provider waited in vain, as we do in a time-out: what stands behind it may do the work, and bill it. */
const GAVE_UP: readonly number[] = [504, 524]

/** Whether the call behind an answer that is an error was surely not taken: `false`. Null: nobody knows. */
export function takenDespite(status: number): false | null {
  return GAVE_UP.includes(status) ? null : false
}

/** Reads an error answer. The provider's own text decides but is never passed on: it may quote the prompt or a key. */
export function readErrorWith(rules: ErrorRules, status: number, headers: Headers, text: string): ErrorReading {
  const body = errorBody(text, headers)
  const { words } = rules
  const has = (tokens: ReadonlySet<string>, own: readonly string[] = []): boolean =>
    body.tokens.some((token) => tokens.has(token) || own.includes(token))
  const says = (own: readonly string[] = []): boolean => own.some((part) => body.message.toLowerCase().includes(part))
  const token = body.tokens.find((entry) => /^[a-z_]{1,60}$/.test(entry))
  const detail: FailureDetail = token === undefined ? { status } : { status, type: token }
  const reading = (
    kind: FailureKind,
    message: string,
    extra: Partial<ErrorReading> & { detail?: FailureDetail } = {},
  ) => ({
    failure: failureValue(kind, message, { ...detail, ...extra.detail }),
    retryAfterMs: extra.retryAfterMs ?? null,
    primitiveRefused: extra.primitiveRefused ?? false,
    permanent: extra.permanent ?? false,
  })

  if (status < 500 && (has(GEO_TOKENS) || GEO_MESSAGE.test(body.message))) {
    return reading('provider_rejected', 'The provider does not serve the place that the call came from.', {
      detail: { geo: true },
    })
  }
  const isSpent = has(SPENT_TOKENS, words?.spentTokens) || SPENT_MESSAGE.test(body.message) || says(words?.spentWords)
  if (status === 402 || isSpent || isFreeTierStorage(body)) {
    return reading('provider_limited', 'The quota or the balance of this credential is spent.', { permanent: true })
  }
  if (status === 403 && /cachedcontent/i.test(body.message)) {
    return reading('provider_rejected', 'The handle is gone or belongs to another credential.', {
      detail: { handle_gone: true },
      permanent: true,
    })
  }
  if (status === 401 || status === 403 || has(KEY_TOKENS) || says(words?.keyWords)) {
    return reading('provider_key_refused', 'The provider refused the credential.', { permanent: true })
  }
  const retryAfterMs = waitFrom(headers, body)
  if (has(NONE, words?.busyTokens)) {
    return reading('provider_unavailable', 'The provider cannot answer now.', { retryAfterMs })
  }
  if (status === 429) return reading('provider_limited', 'The provider limits the rate of calls.', { retryAfterMs })
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return reading('provider_unavailable', 'The provider cannot answer now.', { retryAfterMs })
  }
  if ((status === 400 || status === 422) && rules.refusesPrimitive(body)) {
    return reading('provider_rejected', 'The provider does not take this kind of probe.', { primitiveRefused: true })
  }
  return reading('provider_rejected', 'The provider rejected the request.', { permanent: true })
}

function errorBody(text: string, headers: Headers): ErrorBody {
  let parsed: unknown = null
  try {
    parsed = JSON.parse(text)
  } catch {
    // An error page instead of an error body: the status has to say it all.
  }
  const outer = Array.isArray(parsed) ? fields(parsed[0]) : fields(parsed)
  // Most put it into `error`, some into a list of `errors`, some say it at the top.
  const listed = Array.isArray(outer?.['errors']) ? fields(outer['errors'][0]) : null
  const error = fields(outer?.['error']) ?? listed ?? outer ?? {}
  const details = Array.isArray(error['details']) ? error['details'].map(fields) : []
  const tokens = [
    ...[error['code'], error['status'], error['type'], error['__type']].map(tokenOf),
    ...details.map((entry) => tokenOf(entry?.['reason'])),
    // AWS names the error beside the body, with an address behind the name.
    tokenOf(headers.get('x-amzn-errortype')?.split(':')[0]),
  ]
  const messages = [error['message'], outer?.['error'], error['detail'], outer?.['message']]
  return {
    tokens: tokens.filter((token) => token !== ''),
    param: typeof error['param'] === 'string' ? error['param'] : '',
    message: messages.find((message): message is string => typeof message === 'string') ?? '',
    error,
  }
}

/** Codes are words with some and numbers with others; a namespace in front of a type says nothing. */
function tokenOf(value: unknown): string {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? value.slice(value.lastIndexOf('#') + 1).toLowerCase() : ''
}

/** Gemini's free tier stores nothing, and says so with a quota of 0 that no waiting raises. */
function isFreeTierStorage(body: ErrorBody): boolean {
  return /TotalCachedContentStorageTokensPerModelFreeTier/.test(JSON.stringify(body.error))
}

/** How long the provider asks us to wait, in ms. A date counts from the answer's own `date`, so that no clock of ours is needed. */
function waitFrom(headers: Headers, body: ErrorBody): number | null {
  const inMs = Number.parseFloat(headers.get('retry-after-ms') ?? '')
  const after = headers.get('retry-after') ?? ''
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(after) ? Number.parseFloat(after) : Number.NaN
  const dated = Math.max(0, Date.parse(after) - Date.parse(headers.get('date') ?? ''))
  const details = Array.isArray(body.error['details']) ? body.error['details'] : []
  const google = details.map((entry) => fields(entry)?.['retryDelay']).find((entry) => typeof entry === 'string')
  const delay = Number.parseFloat(/^(\d+(?:\.\d+)?)s$/.exec(google ?? '')?.[1] ?? '')
  const found = [inMs, seconds * 1000, dated, delay * 1000].find((wait) => Number.isFinite(wait) && wait >= 0)
  if (found !== undefined) return Math.min(Math.ceil(found), LONGEST_WAIT_MS)
  // "Do not retry" without a time: not soon.
  return headers.get('x-should-retry') === 'false' ? 60_000 : null
}

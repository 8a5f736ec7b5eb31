import { failureValue } from '../../../contract/failure.ts'
import type { FailureDetail, FailureKind } from '../../../contract/failure.ts'
import { markDisagreeing } from '../../../core/prompt/json-disagreeing.ts'
import { fields } from './usage.ts'
import type { Fields } from './usage.ts'
import type { Wire } from '../../wire.ts'
import type { ErrorReading } from '../../dialect.ts'
import { DAY_MS } from '../../../core/time/time.ts'
import { knownRefusal } from './known-refusals.ts'

/** The members of an error body that all wire formats have. The message is read and never repeated. */
export interface ErrorBody {
  /** `type`, `code`, `status` and reasons of the error, in lower case. */
  tokens: string[]
  param: string
  message: string
  error: Fields
}

/** Rules of one wire format, beside the common ones. */
export interface ErrorRules {
  /** True: the provider refused the primitive, and not the registered body. */
  refusesPrimitive(body: ErrorBody): boolean
  /** The provider's own error words, beside the common ones. */
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
/** Anthropic reports an empty balance as a plain `invalid_request_error`: only the message shows it. */
const SPENT_MESSAGE = /credit balance is too low/i
const GEO_TOKENS = new Set(['unsupported_country_region_territory', 'unsupported_country'])
const GEO_MESSAGE =
  /location is not supported|not available in your (country|region)|unsupported (country|region)|^request not allowed$/i
const NONE: ReadonlySet<string> = new Set()
const LONGEST_WAIT_MS = DAY_MS

/**
 * Statuses with which something in front of the provider answers. The server behind it may have the request, process and bill it. 504: a gateway
 * waited in vain. 520 to 530 are Cloudflare's: of an origin that refused the connection (521), was not reached (523), has no address (530) or
 * failed the handshake (525, 526); and of one that broke off (520) or was silent (522, 524). Source: developers.cloudflare.com, "Cloudflare
 * 5xx errors"; checked 2026-11-30.
 */
const IN_FRONT: ReadonlySet<number> = new Set([504, 520, 521, 522, 523, 524, 525, 526, 527, 530])

/** Text of the answer that Cloudflare makes itself for a Worker whose request could not be sent, by status. */
const NEVER_SENT: Readonly<Record<number, RegExp>> = {
  521: /^error code: 521$/,
  523: /^error code: 523$/,
  530: /^error code: 10\d\d$/,
}

/** Headers of such an answer. What an edge of the provider wrote has others: of its zone, its cookies, its request ids. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'cache-control',
  'cf-ray',
  'connection',
  'content-length',
  'content-type',
  'date',
  'expires',
  'referrer-policy',
  'server',
  'x-frame-options',
])

/**
 * Whether the provider processed a request that was answered with an error. `false`: it did not. Null: unknown. Of the statuses of
 * something in front of it, those count as not processed that Cloudflare makes for a Worker whose request never left
 * (docs/decisions/0063-never-left.md).
 */
export function takenDespite(status: number, headers: Headers, text: string): false | null {
  return IN_FRONT.has(status) && !hasNeverLeft(status, headers, text) ? null : false
}

function hasNeverLeft(status: number, headers: Headers, text: string): boolean {
  if (NEVER_SENT[status]?.test(text.trim()) !== true) return false
  if (headers.get('server')?.toLowerCase() !== 'cloudflare') return false
  return [...headers.keys()].every((name) => OWN_HEADERS.has(name.toLowerCase()))
}

/** Members in which errors and answers carry the counts of a call. */
const COUNTED_IN = ['usage', 'usageMetadata', 'usage_metadata'] as const

/** The usage object of an error answer; null: it has none, or counts nothing. A provider that counted tokens bills them, whatever it answers. */
export function usageDespite(text: string): Fields | null {
  let parsed: unknown = null
  try {
    parsed = markDisagreeing(text, JSON.parse(text))
  } catch {
    return null // an error page
  }
  const outer = fields(Array.isArray(parsed) ? parsed[0] : parsed)
  const places = [outer, ...['error', 'response', 'message'].map((name) => fields(outer?.[name]))]
  const found = places.flatMap((place) => COUNTED_IN.map((name) => fields(place?.[name])))
  return found.find((usage) => usage !== null && hasCounts(usage)) ?? null
}

function hasCounts(usage: Fields): boolean {
  return Object.values(usage).some((value) => {
    const inside = fields(value)
    if (inside !== null) return hasCounts(inside)
    return typeof value === 'number' && value !== 0
  })
}

/** Reads an error answer. The provider's own text is read and never passed on: it may quote the prompt or a key. */
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
    return reading('provider_rejected', 'The provider does not serve the region of the call.', {
      detail: { geo: true },
    })
  }
  const isSpent = has(SPENT_TOKENS, words?.spentTokens) || SPENT_MESSAGE.test(body.message) || says(words?.spentWords)
  if (status === 402 || isSpent || isFreeTierStorage(body)) {
    return reading('provider_limited', 'The quota or balance of this credential is used up.', { permanent: true })
  }
  if (status === 403 && /cachedcontent/i.test(body.message)) {
    return reading('provider_rejected', 'The handle does not exist or belongs to another credential.', {
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
  const isRefusal = status === 400 || status === 422
  if (isRefusal && rules.refusesPrimitive(body)) {
    return reading('provider_rejected', 'The provider does not accept this kind of probe.', { primitiveRefused: true })
  }
  const known = isRefusal ? knownRefusal(body) : null
  if (known !== null) {
    const { field, cause, what } = known
    const message = field === null ? `The provider rejected the request: ${what}.` : `request.${field}: ${what}.`
    const place = field === null ? {} : { field: `request.${field}` }
    return reading('provider_rejected', message, { permanent: true, detail: { ...place, cause } })
  }
  if (status === 404) {
    const unknown = { permanent: true, detail: { cause: 'unknown_model' } }
    return reading('provider_rejected', 'The provider does not know the model, or this key may not use it.', unknown)
  }
  return reading('provider_rejected', 'The provider rejected the request.', { permanent: true })
}

function errorBody(text: string, headers: Headers): ErrorBody {
  let parsed: unknown = null
  try {
    parsed = JSON.parse(text)
  } catch {
    // An error page instead of an error body: the status alone decides.
  }
  const outer = Array.isArray(parsed) ? fields(parsed[0]) : fields(parsed)
  // Most providers use `error`, some a list of `errors`, some the top level.
  const listed = Array.isArray(outer?.['errors']) ? fields(outer['errors'][0]) : null
  const error = fields(outer?.['error']) ?? listed ?? outer ?? {}
  const details = Array.isArray(error['details']) ? error['details'].map(fields) : []
  const tokens = [
    ...[error['code'], error['status'], error['type'], error['__type']].map(tokenOf),
    ...details.map((entry) => tokenOf(entry?.['reason'])),
    // AWS names the error in a header, with a URL behind the name.
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

/** A code as a word or a number, in lower case. A namespace in front of a type is removed. */
function tokenOf(value: unknown): string {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? value.slice(value.lastIndexOf('#') + 1).toLowerCase() : ''
}

/** True: the free tier of Gemini, which stores nothing. Its quota of 0 does not rise with time. */
function isFreeTierStorage(body: ErrorBody): boolean {
  return /TotalCachedContentStorageTokensPerModelFreeTier/.test(JSON.stringify(body.error))
}

/** The wait that the provider asks for, in ms; null: none. A date is compared with the answer's own `date`, so no clock is needed. */
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
  // "Do not retry" without a time: a minute.
  return headers.get('x-should-retry') === 'false' ? 60_000 : null
}

import { Failure, failureValue } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { fields } from '../dialects/shared/usage.ts'

/**
 * Google's service-account keys: reads a key, writes the request for an access token, and reads the answer. Pure: `calls` signs and
 * sends. Source: developers.google.com/identity/protocols/oauth2/service-account, checked 2026-11-21.
 */
export interface ServiceAccount {
  email: string
  /** PKCS#8 in PEM. */
  privateKey: string
  keyId: string | null
}

/** The only token endpoint. A key's own `token_uri` is not read, so that no key can send its signature elsewhere. */
export const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** The longest life of an assertion that Google accepts, in seconds. */
const ASSERTION_S = 3_600

/** True: the credential is the text of a key file, which must be exchanged for an access token before a call. */
export function isKeyFile(credential: string): boolean {
  return credential.trimStart().startsWith('{')
}

/** Reads a key file. Throws `provider_key_refused` with the name of the wrong member, never with a value. */
export function readServiceAccount(text: string): ServiceAccount {
  const file = fields(parsed(text))
  if (file === null) throw refused('is not JSON')
  if (file['type'] !== 'service_account') throw refused('has another type than service_account', 'type')
  const email = file['client_email']
  if (typeof email !== 'string' || !/^[\x21-\x7e]+@[\x21-\x7e]+$/.test(email)) {
    throw refused('has no client_email', 'client_email')
  }
  const privateKey = file['private_key']
  if (typeof privateKey !== 'string' || !/^-----BEGIN PRIVATE KEY-----\s/.test(privateKey)) {
    throw refused('has no private_key in PKCS#8 (BEGIN PRIVATE KEY)', 'private_key')
  }
  const universe = file['universe_domain'] ?? 'googleapis.com'
  if (universe !== 'googleapis.com') throw refused('belongs to another universe than googleapis.com', 'universe_domain')
  const keyId = file['private_key_id']
  return { email, privateKey, keyId: typeof keyId === 'string' && keyId !== '' ? keyId : null }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // the parser's message quotes the text, which is a key
  }
}

function refused(what: string, member?: string): Failure {
  const detail = member === undefined ? undefined : { member }
  return new Failure('provider_key_refused', `The service-account key ${what}.`, detail)
}

/** The claims of the assertion (JWT). `iat` and `exp` are in whole seconds. */
export interface Claims {
  iss: string
  scope: string
  aud: string
  iat: number
  exp: number
}

export function claimsOf({ email }: Pick<ServiceAccount, 'email'>, now: number): Claims {
  const iat = Math.floor(now / 1_000)
  return { iss: email, scope: SCOPE, aud: TOKEN_URL, iat, exp: iat + ASSERTION_S }
}

/** The form with an assertion, URL-encoded. */
export function tokenForm(assertion: string): string {
  return new URLSearchParams({ grant_type: GRANT, assertion }).toString()
}

/** Result of an exchange. `permanent`: the key itself is refused. */
export type TokenReading =
  | { kind: 'token'; token: string; lifeMs: number }
  | { kind: 'failed'; failure: FailureValue; permanent: boolean }

/** Error codes of RFC 6749 and of Google that blame the key. Google's message is never passed on. */
const KEY_CODES = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'invalid_request',
  'invalid_scope',
  'access_denied',
  'disabled_client',
  'deleted_client',
  'unsupported_grant_type',
])

/** Reads the answer of the token endpoint. Never throws. */
export function readToken(status: number, text: string): TokenReading {
  const body = fields(parsed(text))
  if (status >= 200 && status < 300) {
    const token = body?.['access_token']
    const seconds = body?.['expires_in']
    // Both are needed: a token of unknown life would be used after its end, or requested for each call.
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) && typeof seconds === 'number' && seconds > 0) {
      return { kind: 'token', token, lifeMs: Math.floor(seconds * 1_000) }
    }
    return fault('unreadable_answer', 'The answer of the token endpoint cannot be read.', false)
  }
  if (status < 400) return fault('unreadable_answer', 'The token endpoint answered with a redirect.', false, { status })
  const code = body?.['error']
  const known = typeof code === 'string' && KEY_CODES.has(code)
  const detail = known ? { status, type: code } : { status }
  if (status === 429) return fault('provider_limited', 'Google limits the rate of access tokens.', false, detail)
  if (status >= 500 || status === 408) {
    return fault('provider_unavailable', 'Google cannot issue an access token now.', false, detail)
  }
  if (status !== 401 && status !== 403 && !known) {
    // A proxy's page or a wrong path: the answer does not blame the key.
    return fault('provider_unavailable', 'The token endpoint refused the key and gave no reason.', false, detail)
  }
  return fault('provider_key_refused', 'Google issued no access token for the service-account key.', true, detail)
}

function fault(
  kind: FailureValue['kind'],
  message: string,
  permanent: boolean,
  detail?: NonNullable<FailureValue['detail']>,
): TokenReading {
  return { kind: 'failed', failure: failureValue(kind, message, detail), permanent }
}

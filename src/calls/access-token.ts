import { createHash } from 'node:crypto'
import { importPKCS8, SignJWT } from 'jose'
import { Failure, failureValue, readFailure } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { Sent } from '../providers/transport/send.ts'
import {
  claimsOf,
  isKeyFile,
  readServiceAccount,
  readToken,
  tokenForm,
} from '../providers/transport/service-account.ts'
import type { ServiceAccount } from '../providers/transport/service-account.ts'
import type { Clock } from '../runtime/clock.ts'
import { transport } from './send.ts'
import type { Access } from '../runtime/env.ts'

/** Result of a call whose credential may first have to be exchanged for an access token. */
export type SentWith =
  | { kind: 'sent'; sent: Sent; sentAt: number }
  /** Nothing was sent to the provider. */
  | { kind: 'no_token'; failure: FailureValue; permanent: boolean }
  /** The token arrived after the time limit or after `sendBy`. Nothing was sent to the provider. */
  | { kind: 'late' }
  /** The kill switch is on, or nobody said that it is off. Nothing was sent to the provider. */
  | { kind: 'held'; why: string }

export interface Sending {
  access: Pick<Access, 'card' | 'tokenUrl'>
  /** A key, an access token, or a service-account key. */
  credential: string
  clock: Clock
  /** Limit for the exchange and the call together, in virtual milliseconds of `clock`. */
  timeoutMs: number
  /** Latest instant at which the call may begin. */
  sendBy?: number
  /** Asked right before each sending: the reason why nothing may be sent; null: it may. Absent: always. */
  held?: (() => Promise<string | null>) | undefined
}

/**
 * Sends a request with a credential. `send` gets a key as it is. For a service-account key it gets an access token instead: the
 * key itself goes to the provider in no request. `send` takes its `timeoutMs` in real milliseconds. A token that the provider
 * refuses (401) is replaced once.
 */
export async function sendWith(
  { access, credential, clock, timeoutMs, sendBy, held = async () => null }: Sending,
  send: (credential: string, timeoutMs: number) => Promise<Sent>,
): Promise<SentWith> {
  const endAt = clock.now() + timeoutMs
  const leftMs = (): number => Math.max(1, clock.realMs(endAt - clock.now()))
  const { tokenUrl } = access
  if (access.card.serviceAccounts !== true || tokenUrl === null || !isKeyFile(credential)) {
    const why = await held()
    if (why !== null) return { kind: 'held', why }
    const sentAt = clock.now()
    return { kind: 'sent', sent: await send(credential, leftMs()), sentAt }
  }
  let refused: string | null = null
  for (;;) {
    const got = await tokenFor(credential, tokenUrl, clock, endAt, refused)
    if (got.kind === 'failed') return { kind: 'no_token', failure: got.failure, permanent: got.permanent }
    const why = await held()
    if (why !== null) return { kind: 'held', why }
    const sentAt = clock.now()
    if (sentAt >= endAt || (sendBy !== undefined && sentAt > sendBy)) return { kind: 'late' }
    const sent = await send(got.token, leftMs())
    const again = refused === null && sent.kind === 'answered' && sent.status === 401 && clock.now() < endAt
    if (!again) return { kind: 'sent', sent, sentAt }
    refused = got.token
  }
}

/**
 * A credential as it goes into the header of a call: a key as it is, in place of a service-account key an access token. Throws the `Failure` of
 * its exchange.
 */
export async function bearerOf(
  { card, tokenUrl }: Sending['access'],
  credential: string,
  clock: Clock,
): Promise<string> {
  if (card.serviceAccounts !== true || tokenUrl === null || !isKeyFile(credential)) return credential
  const got = await tokenFor(credential, tokenUrl, clock, clock.now() + EXCHANGE_MS * clock.rate, null)
  if (got.kind === 'token') return got.token
  throw new Failure(got.failure.kind, got.failure.message, got.failure.detail)
}

type Token = { kind: 'token'; token: string; usableUntilAt: number }
type TokenResult = Token | { kind: 'failed'; failure: FailureValue; permanent: boolean }

/** Tokens and running exchanges of this isolate. Their key is the hash of the credential and of the token endpoint. */
const cachedTokens = new Map<string, Token>()
const runningExchanges = new Map<string, Promise<TokenResult>>()
const MAX_CACHED_TOKENS = 200
/** A token is not used in its last two minutes, so that it stays valid until the call ends. */
const BEFORE_EXPIRY_MS = 120_000
/** Limit for an exchange: longer than an exchange takes, shorter than the time-out of a call. */
const EXCHANGE_MS = 10_000

/** Gets a token from the cache or by an exchange. It never returns `refused`, a token that the provider did not accept. */
async function tokenFor(
  credential: string,
  tokenUrl: string,
  clock: Clock,
  endAt: number,
  refused: string | null,
): Promise<TokenResult> {
  const key = createHash('sha256')
    .update(JSON.stringify([tokenUrl, credential]))
    .digest('base64')
  const known = cachedTokens.get(key)
  if (known !== undefined && known.token !== refused && clock.now() < known.usableUntilAt) return known
  if (known !== undefined) cachedTokens.delete(key)
  const timeoutMs = Math.max(1, Math.min(EXCHANGE_MS, clock.realMs(endAt - clock.now())))
  const running = runningExchanges.get(key)
  if (running !== undefined) {
    // The exchange belongs to another invocation, which may end at any time. After half of the time limit this one asks itself.
    const got = await within(running, timeoutMs / 2)
    if (got !== null && (got.kind === 'failed' || got.token !== refused)) return got
  }
  const leftMs = Math.max(1, Math.min(EXCHANGE_MS, clock.realMs(endAt - clock.now())))
  const own = exchange(credential, tokenUrl, clock, leftMs)
  runningExchanges.set(key, own)
  try {
    const got = await own
    if (got.kind === 'token') {
      if (cachedTokens.size >= MAX_CACHED_TOKENS) cachedTokens.clear()
      cachedTokens.set(key, got)
    }
    return got
  } finally {
    if (runningExchanges.get(key) === own) runningExchanges.delete(key)
  }
}

/** Awaits a promise for at most `realMs`; null after that. */
export async function within<T>(promise: Promise<T>, realMs: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timedOut = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), realMs)
  })
  try {
    return await Promise.race([promise, timedOut])
  } finally {
    clearTimeout(timer)
  }
}

/** Exchanges a service-account key for a token. Never throws, because other invocations await the same promise. */
async function exchange(credential: string, tokenUrl: string, clock: Clock, timeoutMs: number): Promise<TokenResult> {
  try {
    const account = readServiceAccount(credential)
    const askedAt = clock.now()
    const sent = await transport.post({ url: tokenUrl, form: tokenForm(await signed(account, askedAt)), timeoutMs })
    if (sent.kind === 'failed') return { kind: 'failed', failure: sent.failure, permanent: false }
    const reading = readToken(sent.status, sent.text)
    if (reading.kind === 'failed') return reading
    const { token, lifeMs } = reading
    return { kind: 'token', token, usableUntilAt: askedAt + lifeMs - Math.min(BEFORE_EXPIRY_MS, lifeMs / 2) }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure !== null) return { kind: 'failed', failure, permanent: true }
    // The error text of the crypto library may contain parts of the key.
    const unusable = failureValue(
      'provider_key_refused',
      'The service-account key cannot sign: its private_key is not an RSA key.',
    )
    return { kind: 'failed', failure: unusable, permanent: true }
  }
}

async function signed(account: ServiceAccount, now: number): Promise<string> {
  const key = await importPKCS8(account.privateKey, 'RS256')
  const header = { alg: 'RS256', typ: 'JWT', ...(account.keyId === null ? {} : { kid: account.keyId }) }
  return new SignJWT({ ...claimsOf(account, now) }).setProtectedHeader(header).sign(key)
}

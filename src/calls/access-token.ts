import { createHash } from 'node:crypto'
import { importPKCS8, SignJWT } from 'jose'
import { failureValue, readFailure } from '../contract/failure.ts'
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

/** How a call with a credential ended, where the credential may first have to be exchanged. */
export type SentWith =
  | { kind: 'sent'; sent: Sent; sentAt: number }
  /** Nothing was sent to the provider. */
  | { kind: 'no_token'; failure: FailureValue; permanent: boolean }
  /** There was a token, but too late. */
  | { kind: 'late' }

export interface Sending {
  access: Pick<Access, 'card' | 'tokenUrl'>
  /** A key, an access token, or a service-account key. */
  credential: string
  clock: Clock
  /** For everything together, in the clock's time. */
  timeoutMs: number
  /** No call begins after it. */
  sendBy?: number
}

/**
 * Sends with a credential. A service-account key never leaves: it is exchanged for an access token here, which is what `send` is
 * given (`timeoutMs` in real milliseconds). A token that is refused before its time is replaced once.
 */
export async function sendWith(
  { access, credential, clock, timeoutMs, sendBy }: Sending,
  send: (credential: string, timeoutMs: number) => Promise<Sent>,
): Promise<SentWith> {
  const endAt = clock.now() + timeoutMs
  const leftMs = (): number => Math.max(1, clock.realMs(endAt - clock.now()))
  const { tokenUrl } = access
  if (access.card.serviceAccounts !== true || tokenUrl === null || !isKeyFile(credential)) {
    const sentAt = clock.now()
    return { kind: 'sent', sent: await send(credential, leftMs()), sentAt }
  }
  let refused: string | null = null
  for (;;) {
    const got = await tokenFor(credential, tokenUrl, clock, endAt, refused)
    if (got.kind === 'failed') return { kind: 'no_token', failure: got.failure, permanent: got.permanent }
    const sentAt = clock.now()
    if (sentAt >= endAt || (sendBy !== undefined && sentAt > sendBy)) return { kind: 'late' }
    const sent = await send(got.token, leftMs())
    const again = refused === null && sent.kind === 'answered' && sent.status === 401 && clock.now() < endAt
    if (!again) return { kind: 'sent', sent, sentAt }
    refused = got.token
  }
}

type Token = { kind: 'token'; token: string; goodUntil: number }
type Got = Token | { kind: 'failed'; failure: FailureValue; permanent: boolean }

/** Tokens of this isolate, and exchanges on their way, by the hash of the key and of where it is exchanged. */
const held = new Map<string, Token>()
const flights = new Map<string, Promise<Got>>()
const MOST_HELD = 200
/** A token is not used in its last two minutes: no call that it begins with outlives it. */
const BEFORE_EXPIRY_MS = 120_000
/** Longer than an exchange takes; shorter than what a call has. */
const EXCHANGE_MS = 10_000

/** `refused`: a token that the provider would not take, and that is not given out again. */
async function tokenFor(
  credential: string,
  tokenUrl: string,
  clock: Clock,
  endAt: number,
  refused: string | null,
): Promise<Got> {
  const key = createHash('sha256')
    .update(JSON.stringify([tokenUrl, credential]))
    .digest('base64')
  const known = held.get(key)
  if (known !== undefined && known.token !== refused && clock.now() < known.goodUntil) return known
  if (known !== undefined) held.delete(key)
  const timeoutMs = Math.max(1, Math.min(EXCHANGE_MS, clock.realMs(endAt - clock.now())))
  const flight = flights.get(key)
  if (flight !== undefined) {
    // It belongs to another invocation, which may be ended at any time: whoever waits has a time of its own, and then asks.
    const got = await within(flight, timeoutMs / 2)
    if (got !== null && (got.kind === 'failed' || got.token !== refused)) return got
  }
  const left = Math.max(1, Math.min(EXCHANGE_MS, clock.realMs(endAt - clock.now())))
  const own = exchange(credential, tokenUrl, clock, left)
  flights.set(key, own)
  try {
    const got = await own
    if (got.kind === 'token') {
      if (held.size >= MOST_HELD) held.clear()
      held.set(key, got)
    }
    return got
  } finally {
    if (flights.get(key) === own) flights.delete(key)
  }
}

/** What a promise came to; null when that took too long. */
async function within<T>(promise: Promise<T>, realMs: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), realMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Asks for a token. Never throws: others wait for the same promise. */
async function exchange(credential: string, tokenUrl: string, clock: Clock, timeoutMs: number): Promise<Got> {
  try {
    const account = readServiceAccount(credential)
    const askedAt = clock.now()
    const sent = await transport.post({ url: tokenUrl, form: tokenForm(await signed(account, askedAt)), timeoutMs })
    if (sent.kind === 'failed') return { kind: 'failed', failure: sent.failure, permanent: false }
    const reading = readToken(sent.status, sent.text)
    if (reading.kind === 'failed') return reading
    const { token, lifeMs } = reading
    return { kind: 'token', token, goodUntil: askedAt + lifeMs - Math.min(BEFORE_EXPIRY_MS, lifeMs / 2) }
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure !== null) return { kind: 'failed', failure, permanent: true }
    // What cryptography has to say of a key may hold parts of it.
    const unusable = failureValue(
      'provider_key_refused',
      'The service-account key cannot sign: its private_key is no RSA key.',
    )
    return { kind: 'failed', failure: unusable, permanent: true }
  }
}

async function signed(account: ServiceAccount, now: number): Promise<string> {
  const key = await importPKCS8(account.privateKey, 'RS256')
  const header = { alg: 'RS256', typ: 'JWT', ...(account.keyId === null ? {} : { kid: account.keyId }) }
  return new SignJWT({ ...claimsOf(account, now) }).setProtectedHeader(header).sign(key)
}

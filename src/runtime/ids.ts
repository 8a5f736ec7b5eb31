import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Draws ids and secrets. No other file of the Worker does. */

export function newId(prefix: string): string {
  return `${prefix}_${randomHex(12)}`
}

const SEAL_CHARS = 16

/** What a key may do in its account: everything, only read, or only send calls through the gateway. */
export type KeyAccess = 'full' | 'read' | 'via'

/**
 * Makes an account key: account, access, key id, 224 random bits, and a seal of the deployment. The seal lets the Worker refuse an
 * invented key without a call to a Registry, which the call would create. A version that does not know of the access refuses the key.
 */
export function newAccountKey(account: string, seed: string, access: KeyAccess = 'full'): { id: string; key: string } {
  const id = randomHex(6)
  const open = `plk_${account}${access === 'full' ? '' : `.${access}`}_${id}_${randomHex(28)}`
  return { id, key: open + seal(open, seed) }
}

const KEY = /^plk_([a-z0-9-]{1,40}(?:\.eu)?)(?:\.(read|via))?_([0-9a-f]{12})_[0-9a-f]{72}$/

/** Reads account (by its name inside), access and key id from an account key; null when the text has another form. */
export function readAccountKey(key: string): { account: string; access: KeyAccess; id: string } | null {
  const [, account, access = 'full', id] = KEY.exec(key) ?? []
  if (account === undefined || id === undefined) return null
  return { account, access: access as KeyAccess, id }
}

/** True if this deployment made the key. Only the account knows whether the key is still valid. */
export function isSealed(key: string, seed: string): boolean {
  const expected = seal(key.slice(0, -SEAL_CHARS), seed)
  return timingSafeEqual(Buffer.from(key.slice(-SEAL_CHARS)), Buffer.from(expected))
}

/** Draws the secret of a deployment's seals. It is drawn once for a deployment. */
export function newKeySeed(): string {
  return randomHex(32)
}

function seal(open: string, seed: string): string {
  return createHmac('sha256', seed).update(open).digest('hex').slice(0, SEAL_CHARS)
}

/** The keyed hash that marks managed caches: 32 hex digits. `key`: the deployment's. */
export function managedCacheMark(text: string, key: string): string {
  return createHmac('sha256', key).update(text).digest('hex').slice(0, 32)
}

/** A candidate's id: a hash of its entry under a key of the account, so that equal contents of two accounts show no likeness. */
export function candidateId(entry: string, salt: string): string {
  return `cnd_${createHmac('sha256', salt).update(entry).digest('base64url').slice(0, 16)}`
}

/** Draws a signing secret for a webhook: 256 random bits in the form of Standard Webhooks. */
export function newWebhookSecret(): string {
  return `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')}`
}

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')
}

/** Lower-case hex SHA-256. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

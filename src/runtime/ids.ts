import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** Ids and secrets: the one place where they are drawn. */

export function newId(prefix: string): string {
  return `${prefix}_${randomHex(12)}`
}

const SEAL_CHARS = 16

/**
 * An account key: it names its account and itself, and carries 224 random bits that only its holder knows. It ends in a
 * seal of the deployment, so that an invented key is turned away without asking (and thereby making) any object.
 */
export function newAccountKey(account: string, seed: string): { id: string; key: string } {
  const id = randomHex(6)
  const open = `plk_${account}_${id}_${randomHex(28)}`
  return { id, key: open + seal(open, seed) }
}

const KEY = /^plk_([a-z0-9-]{1,40})_([0-9a-f]{12})_[0-9a-f]{72}$/

/** Which account and which of its keys this text names, if it has the form of a key. */
export function readAccountKey(key: string): { account: string; id: string } | null {
  const [, account, id] = KEY.exec(key) ?? []
  return account === undefined || id === undefined ? null : { account, id }
}

/** Whether this deployment made the key at some time; whether it is still good, the account knows. */
export function isSealed(key: string, seed: string): boolean {
  const expected = seal(key.slice(0, -SEAL_CHARS), seed)
  return timingSafeEqual(Buffer.from(key.slice(-SEAL_CHARS)), Buffer.from(expected))
}

/** What seals are made with: drawn once for a deployment. */
export function newKeySeed(): string {
  return randomHex(32)
}

function seal(open: string, seed: string): string {
  return createHmac('sha256', seed).update(open).digest('hex').slice(0, SEAL_CHARS)
}

/** What messages to a webhook are signed with: 256 random bits, spelled as Standard Webhooks spells them. */
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

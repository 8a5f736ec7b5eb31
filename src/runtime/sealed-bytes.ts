import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { Failure } from '../contract/failure.ts'

/** Seals what a table holds of prompts, and opens it. `place` names the row: bytes that were moved to another one do not open. */
export interface BodySeals {
  seal(bytes: Uint8Array, place: string): Uint8Array
  open(bytes: Uint8Array, place: string): Uint8Array
}

/** Keeps bytes as they are, for tables without a key. */
export const UNSEALED: BodySeals = { seal: (bytes) => bytes, open: (bytes) => bytes }

/** First byte of sealed bytes. Bodies that are not sealed are gzip, which begins with 31. The first version wrote no fingerprint of the key. */
const SEALED_WITHOUT_PRINT = 1
const SEALED = 2
const PRINT_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** True for bytes that `sealBytes` made. */
export function areSealed(bytes: Uint8Array): boolean {
  return bytes[0] === SEALED || bytes[0] === SEALED_WITHOUT_PRINT
}

/** A new key of an account (AES-256), as base64url. */
export function newBodyKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url')
}

/** Fingerprint of a key, as 16 hex digits. It tells keys apart, and says nothing of the key. */
export function printOf(key: string): string {
  return createHash('sha256')
    .update('pilotlight body key')
    .update(key)
    .digest('hex')
    .slice(0, 2 * PRINT_BYTES)
}

/** Seals bytes with AES-256-GCM: a mark, the fingerprint of the key, a fresh nonce, the sealed bytes, the tag. */
export function sealBytes(bytes: Uint8Array, key: string, place: string): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64url'), nonce)
  cipher.setAAD(Buffer.from(place))
  const head = Buffer.concat([Buffer.from([SEALED]), Buffer.from(printOf(key), 'hex'), nonce])
  return new Uint8Array(Buffer.concat([head, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]))
}

/** Fingerprint of the key that sealed bytes; null: they are not sealed, or by the first version, which wrote none. */
export function printIn(bytes: Uint8Array): string | null {
  return bytes[0] === SEALED ? Buffer.from(bytes.subarray(1, 1 + PRINT_BYTES)).toString('hex') : null
}

/** Opens sealed bytes; others are returned as they are. Throws `not_found` where another key sealed them, or where they were changed. */
export function openBytes(bytes: Uint8Array, key: string, place: string): Uint8Array {
  if (!areSealed(bytes)) return bytes
  const printed = bytes[0] === SEALED ? PRINT_BYTES : 0
  if (printed > 0 && printIn(bytes) !== printOf(key))
    throw unopened('it was sealed under another key, which was forgotten')
  const rest = bytes.subarray(1 + printed)
  try {
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64url'), rest.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(place))
    decipher.setAuthTag(rest.subarray(-TAG_BYTES))
    const opened = decipher.update(rest.subarray(NONCE_BYTES, -TAG_BYTES))
    return new Uint8Array(Buffer.concat([opened, decipher.final()]))
  } catch {
    const why = printed > 0 ? 'it was changed, or moved from another row' : 'the key that sealed it was forgotten'
    throw unopened(why)
  }
}

function unopened(why: string): Failure {
  return new Failure('not_found', `The stored prompt cannot be opened: ${why}. Register it again.`)
}

/** A text as a column holds it: sealed, or as it is in tables without a key. */
export function sealText(seals: BodySeals, text: string, place: string): string | Uint8Array {
  return seals === UNSEALED ? text : seals.seal(Buffer.from(text), place)
}

/** A text from its column. One that an older version stored in clear is read as it is. */
export function openText(seals: BodySeals, stored: string | Uint8Array | ArrayBuffer, place: string): string {
  if (typeof stored === 'string') return stored
  return Buffer.from(seals.open(new Uint8Array(stored), place)).toString()
}

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Failure } from '../contract/failure.ts'
import { seal, sealedWith, unseal } from './seal.ts'
import type { SealedFor } from './seal.ts'
import type { Vars } from './env.ts'

/** Seals what a table holds of prompts, and opens it. `place` names the row: bytes that were moved to another one do not open. */
export interface BodySeals {
  seal(bytes: Uint8Array, place: string): Uint8Array
  open(bytes: Uint8Array, place: string): Uint8Array
}

/** Keeps bytes as they are, for tables without a key. */
export const UNSEALED: BodySeals = { seal: (bytes) => bytes, open: (bytes) => bytes }

/** First byte of sealed bytes. Bodies that are not sealed are gzip, which begins with 31. */
const SEALED = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** True for bytes that `sealBytes` made. */
export function areSealed(bytes: Uint8Array): boolean {
  return bytes[0] === SEALED
}

/** A new key of an account (AES-256), as base64url. */
export function newBodyKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url')
}

/** Seals bytes with AES-256-GCM: a mark, a fresh nonce, the sealed bytes, the tag. */
export function sealBytes(bytes: Uint8Array, key: string, place: string): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64url'), nonce)
  cipher.setAAD(Buffer.from(place))
  return new Uint8Array(
    Buffer.concat([Buffer.from([SEALED]), nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]),
  )
}

/** Opens sealed bytes; others are returned as they are. Throws `not_found` where the key that sealed them was forgotten. */
export function openBytes(bytes: Uint8Array, key: string, place: string): Uint8Array {
  if (!areSealed(bytes)) return bytes
  try {
    const nonce = bytes.subarray(1, 1 + NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64url'), nonce)
    decipher.setAAD(Buffer.from(place))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    const opened = decipher.update(bytes.subarray(1 + NONCE_BYTES, -TAG_BYTES))
    return new Uint8Array(Buffer.concat([opened, decipher.final()]))
  } catch {
    throw new Failure('not_found', 'The stored body cannot be opened: the key that sealed it was forgotten.')
  }
}

const CLEAR = 'clear.'
const keyOf = (account: string): SealedFor => ({ account, name: 'bodies', generation: 1, host: '' })

/** A key as it is stored: sealed under the deployment's secret, or as it is where the deployment has no usable one. */
export function wrapBodyKey(key: string, account: string, vars: Vars): string {
  try {
    return seal(key, keyOf(account), vars)
  } catch {
    return CLEAR + key // the key still stands apart from what it seals, and is wrapped once there is a secret
  }
}

/** Throws `not_configured` where the deployment lacks the secret that wrapped the key. */
export function unwrapBodyKey(wrapped: string, account: string, vars: Vars): string {
  return wrapped.startsWith(CLEAR) ? wrapped.slice(CLEAR.length) : unseal(wrapped, keyOf(account), vars)
}

/** A stored key, wrapped under the current secret; null where it is, or cannot be opened. */
export function rewrapped(wrapped: string, account: string, vars: Vars): string | null {
  try {
    if (!wrapped.startsWith(CLEAR) && sealedWith(wrapped, vars) !== 'previous') return null
    const next = wrapBodyKey(unwrapBodyKey(wrapped, account, vars), account, vars)
    return next.startsWith(CLEAR) ? null : next
  } catch {
    return null
  }
}

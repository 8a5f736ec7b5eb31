import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { Failure } from '../contract/failure.ts'
import { isDevelopment, MIN_SECRET_LENGTH } from './env.ts'
import type { Vars } from './env.ts'

/** Row that a sealed secret is bound to. Moved to another row, it cannot be unsealed. */
export interface SealedFor {
  account: string
  name: string
  generation: number
  host: string
}

/** Credentials of a body, as sealed JSON: an array of texts, in the order of the body. */
export interface SealedCredentials extends SealedFor {
  sealed: string
}

/** The deployment's secret that sealed a text; `unknown` when it is neither of the two. */
export type SealedWith = 'current' | 'previous' | 'unknown'

const VERSION = 's1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Seals a secret (AES-256-GCM, a fresh nonce each time) under the deployment's current key-encryption secret. */
export function seal(secret: string, to: SealedFor, vars: Vars): string {
  const key = keysOf(vars).current
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce)
  cipher.setAAD(boundTo(to))
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return [VERSION, key.id, nonce.toString('base64url'), text.toString('base64url')].join('.')
}

/**
 * Unseals a text that `seal` made under the current or the previous secret. Throws `not_configured` when the deployment lacks the
 * secret that sealed it, and when the text was changed or belongs to another row.
 */
export function unseal(sealed: string, to: SealedFor, vars: Vars): string {
  const { current, previous } = keysOf(vars)
  const [version, id, nonce, text] = sealed.split('.')
  const key = [current, previous].find((one) => one?.id === id)
  if (version !== VERSION || key == null || nonce === undefined || text === undefined) throw unopened()
  const bytes = Buffer.from(text, 'base64url')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, Buffer.from(nonce, 'base64url'))
    decipher.setAAD(boundTo(to))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    throw unopened() // the cipher's error adds nothing: it is the same for a changed text and for a foreign row
  }
}

/** The credentials of a body, for the moment in which it is sent. Throws as `unseal` does. */
export function openedCredentials(credentials: SealedCredentials, vars: Vars): string[] {
  return JSON.parse(unseal(credentials.sealed, credentials, vars)) as string[]
}

export function sealedWith(sealed: string, vars: Vars): SealedWith {
  const { current, previous } = keysOf(vars)
  const id = sealed.split('.')[1]
  if (id === current.id) return 'current'
  return id === previous?.id ? 'previous' : 'unknown'
}

/** True if the deployment has the secret that seals credentials. */
export function canSeal(vars: Vars): boolean {
  return (vars.KEY_ENCRYPTION_SECRET ?? '').trim() !== ''
}

/** Names the secrets that seal and open now, without revealing them; null: the deployment has none that is usable. */
export function secretsId(vars: Vars): string | null {
  try {
    const { current, previous } = keysOf(vars)
    return `${current.id}.${previous?.id ?? ''}`
  } catch {
    return null
  }
}

interface Key {
  /** Identifies the key in the sealed text without revealing it. */
  id: string
  bytes: Buffer
}

function keysOf(vars: Vars): { current: Key; previous: Key | null } {
  if (!canSeal(vars)) {
    throw new Failure(
      'not_configured',
      'This deployment cannot encrypt credentials because KEY_ENCRYPTION_SECRET is missing.',
      { missing: ['KEY_ENCRYPTION_SECRET'] },
    )
  }
  const previous = vars.KEY_ENCRYPTION_SECRET_PREVIOUS ?? ''
  return {
    current: keyFrom(vars.KEY_ENCRYPTION_SECRET ?? '', 'KEY_ENCRYPTION_SECRET', vars),
    previous: previous.trim() === '' ? null : keyFrom(previous, 'KEY_ENCRYPTION_SECRET_PREVIOUS', vars),
  }
}

/** Derived keys by their secret, so that not every probe derives them again. */
const derived = new Map<string, Key>()

function keyFrom(secret: string, name: string, vars: Vars): Key {
  const trimmed = secret.trim()
  if (trimmed.length < MIN_SECRET_LENGTH && !isDevelopment(vars)) {
    const missing = [`${name} (at least ${MIN_SECRET_LENGTH} characters)`]
    throw new Failure('not_configured', `This deployment lacks secrets: ${missing.join(', ')}.`, { missing })
  }
  const known = derived.get(trimmed)
  if (known !== undefined) return known
  const bytes = Buffer.from(hkdfSync('sha256', trimmed, '', 'pilotlight sealed credentials', 32))
  const id = createHash('sha256').update('pilotlight key id').update(bytes).digest('hex').slice(0, 8)
  const key = { id, bytes }
  if (derived.size >= 8) derived.clear()
  derived.set(trimmed, key)
  return key
}

/** Encodes the row as a JSON array, so that two rows never give the same text. */
function boundTo({ account, name, generation, host }: SealedFor): Buffer {
  return Buffer.from(JSON.stringify([account, name, generation, host]))
}

function unopened(): Failure {
  return new Failure(
    'not_configured',
    'The key-encryption secrets of this deployment cannot decrypt a stored credential. Store it again, or set the former secret as KEY_ENCRYPTION_SECRET_PREVIOUS.',
  )
}

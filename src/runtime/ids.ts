import { createHash } from 'node:crypto'

/** Ids and secrets: the one place where they are drawn. */

export function newId(prefix: string): string {
  return `${prefix}_${randomHex(12)}`
}

/** An account key: it names its account and itself, and carries 256 random bits that only its holder knows. */
export function newAccountKey(account: string): { id: string; key: string } {
  const id = randomHex(6)
  return { id, key: `plk_${account}_${id}_${randomHex(32)}` }
}

function randomHex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex')
}

/** Lower-case hex SHA-256. */
export function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex')
}

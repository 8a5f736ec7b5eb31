import type { LintSetting } from '../../../contract/account.ts'

/** An account key as stored. */
export interface StoredKey {
  hash: string
  expiresAt: number | null
  revokedAt: number | null
}

/** Whether a key may act for its account, and until when. */
export interface KeyVerdict {
  verdict: 'ok' | 'unknown' | 'revoked' | 'expired'
  expiresAt: number | null
  /** What the account does with lint findings. Absent: an answer of an older version. */
  lint?: LintSetting
}

/**
 * Judges a key by its stored row: the hash must be equal, and the key neither revoked nor expired. `key` is null where no key has
 * that id; that is the same `unknown` as a wrong hash.
 */
export function keyVerdict(key: StoredKey | null, hash: string, now: number): KeyVerdict {
  if (key === null || !sameHash(key.hash, hash)) return { verdict: 'unknown', expiresAt: null }
  const { expiresAt } = key
  if (key.revokedAt !== null) return { verdict: 'revoked', expiresAt }
  return { verdict: expiresAt !== null && expiresAt <= now ? 'expired' : 'ok', expiresAt }
}

/** Compares hashes in a time that does not depend on where they differ, so that timing reveals nothing. */
function sameHash(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let different = 0
  for (let index = 0; index < a.length; index++) different |= a.charCodeAt(index) ^ b.charCodeAt(index)
  return different === 0
}

import { seal, sealedWith, unseal } from './seal.ts'
import type { SealedFor } from './seal.ts'
import type { Vars } from './env.ts'

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

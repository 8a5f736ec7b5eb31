import type { ManagedCacheState } from './state.ts'

/**
 * Ownership of managed caches. The display name of ours holds this deployment's id and the beginning of the content's fingerprint.
 * A cache with any other display name belongs to somebody else and is never changed.
 */
const PRODUCT = 'pilotlight'
/** Hex digits of the fingerprint in a display name. */
export const DISPLAY_FINGERPRINT_LENGTH = 24

/** The display name of a cache of this deployment. */
export function displayNameOf(deployment: string, fingerprint: string): string {
  return `${PRODUCT}:${deployment}:${fingerprint.slice(0, DISPLAY_FINGERPRINT_LENGTH)}`
}

/** The beginning of the fingerprint in a display name; null: the name is not exactly one of this deployment. */
export function readDisplayName(displayName: string, deployment: string): string | null {
  const [product, id, print, ...more] = displayName.split(':')
  if (product !== PRODUCT || id !== deployment || print === undefined || more.length > 0) return null
  return /^[0-9a-f]{24}$/.test(print) ? print : null
}

/** `keep`: the table has it. `leave`: a creation or deletion is in flight. `adopt`: the table has none. `delete`: it is surplus. */
export type ListedAction = 'keep' | 'leave' | 'adopt' | 'delete'

/** What to do with a listed cache of ours, whose content is in the table. */
export function listedAction(
  name: string,
  expiresAt: number,
  state: ManagedCacheState,
  current: { inFlight: boolean; dropping: boolean; now: number },
): ListedAction {
  if (state.live?.name === name) return 'keep'
  if (current.inFlight || current.dropping) return 'leave'
  const lacking = state.live === null || state.live.expiresAt <= current.now
  const wanted = state.stopped === null || state.stopped.reason === 'kill_switch'
  return lacking && wanted && expiresAt > current.now ? 'adopt' : 'delete'
}

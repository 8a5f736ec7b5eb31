import type { ManagedCacheState } from './state.ts'

/**
 * Whose a handle is. The mark in its display name carries this deployment's id and the beginning of the content's
 * fingerprint; what carries anything else is somebody else's and is never touched.
 */
const PRODUCT = 'pilotlight'
export const MARK_PRINT_LENGTH = 24

export function markOf(deployment: string, fingerprint: string): string {
  return `${PRODUCT}:${deployment}:${fingerprint.slice(0, MARK_PRINT_LENGTH)}`
}

/** The beginning of the fingerprint that our mark carries; null when the display name is not our mark to the letter. */
export function readMark(displayName: string, deployment: string): string | null {
  const [product, id, print, ...more] = displayName.split(':')
  if (product !== PRODUCT || id !== deployment || print === undefined || more.length > 0) return null
  return /^[0-9a-f]{24}$/.test(print) ? print : null
}

/** `keep`: it is the one in the table. `leave`: one is being made or deleted, which will say. `adopt`: the table lacks one. `delete`: one too many. */
export type Verdict = 'keep' | 'leave' | 'adopt' | 'delete'

/** What to do with a listed handle of ours whose content this table knows. */
export function judgeListed(
  name: string,
  expiresAt: number,
  state: ManagedCacheState,
  around: { inFlight: boolean; dropping: boolean; now: number },
): Verdict {
  if (state.live?.name === name) return 'keep'
  if (around.inFlight || around.dropping) return 'leave'
  const lacking = state.live === null || state.live.expiresAt <= around.now
  const wanted = state.stopped === null || state.stopped.reason === 'kill_switch'
  return lacking && wanted && expiresAt > around.now ? 'adopt' : 'delete'
}

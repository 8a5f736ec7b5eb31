import type { Overrides } from '../core/model/overrides.ts'
import type { Clock } from './clock.ts'

/** How long an isolate believes the overrides it read, in real time: the bound within which a change is in force everywhere. */
export const OVERRIDES_CACHE_MS = 30_000

/** What the administrator says over the cards, as this isolate knows it: one deployment, one truth. */
let current: Overrides = { version: 0, providers: {} }
let readAt = Number.NEGATIVE_INFINITY

export function overrides(): Overrides {
  return current
}

/** Takes what the Directory holds, or what it has pushed. */
export function useOverrides(next: Overrides, now: number): void {
  current = next
  readAt = now
}

/** Takes what was stored earlier, unless this isolate knows something newer. */
export function rememberOverrides(stored: Overrides): void {
  if (stored.version > current.version) current = stored
}

/** Reads again what is too old. A Directory that does not answer leaves what was known in force. */
export async function freshOverrides(clock: Clock, read: () => Promise<Overrides>): Promise<void> {
  const now = clock.now()
  if (now - readAt < OVERRIDES_CACHE_MS * clock.rate && now >= readAt) return
  readAt = now
  try {
    useOverrides(await read(), now)
  } catch (thrown) {
    console.error('overrides could not be read', thrown instanceof Error ? thrown.name : 'unknown')
  }
}

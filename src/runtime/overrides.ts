import type { Overrides } from '../core/model/overrides.ts'
import type { Clock } from './clock.ts'

/** Longest time that an isolate uses overrides without reading them again, in real milliseconds. A change is in force after it. */
export const OVERRIDES_CACHE_MS = 30_000

/** The administrator's overrides of the cards, as this isolate last read them. They are the same for the whole deployment. */
let current: Overrides = { version: 0, providers: {} }
let readAt = Number.NEGATIVE_INFINITY

export function overrides(): Overrides {
  return current
}

/** Sets the overrides that the Directory returned or pushed. */
export function useOverrides(next: Overrides, now: number): void {
  current = next
  readAt = now
}

/** Sets stored overrides, unless this isolate knows a newer version. */
export function rememberOverrides(stored: Overrides): void {
  if (stored.version > current.version) current = stored
}

/** The read under way in this isolate: who comes meanwhile waits for the same. */
let reading: Promise<void> | null = null

/** Whether this isolate has ever read the overrides. Without them the address of a provider is not known for certain. */
export function knowsOverrides(): boolean {
  return readAt !== Number.NEGATIVE_INFINITY
}

/** Whether the overrides were read within `OVERRIDES_CACHE_MS`. */
export function hasFreshOverrides(clock: Clock): boolean {
  const now = clock.now()
  return now - readAt < OVERRIDES_CACHE_MS * clock.rate && now >= readAt
}

/** Reads the overrides again when they are older than `OVERRIDES_CACHE_MS`. If the read fails, the known ones stay in force, and the next call reads again. */
export async function freshOverrides(clock: Clock, read: () => Promise<Overrides>): Promise<void> {
  if (hasFreshOverrides(clock)) return
  reading ??= readInto(clock.now(), read).finally(() => {
    reading = null
  })
  await reading
}

async function readInto(now: number, read: () => Promise<Overrides>): Promise<void> {
  try {
    useOverrides(await read(), now)
  } catch (thrown) {
    console.error('overrides could not be read', thrown instanceof Error ? thrown.name : 'unknown')
  }
}

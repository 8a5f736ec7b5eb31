import { expect, it } from 'vitest'
import { isDrained } from '../../src/core/drain.ts'
import { learnedRetention } from '../../src/core/retention.ts'
import { newState } from '../../src/core/state.ts'
import type { PrefixState } from '../../src/core/state.ts'
import { fiveMinutes } from './sample.ts'

const NOON = Date.UTC(2026, 10, 16, 12)
const MINUTE = 60_000
const fresh: PrefixState = newState(NOON, '2026-11-16', learnedRetention(fiveMinutes))
/** Warm at whatever instant is asked about, and last read by a real request then. */
const warm = (now: number, lastArrivalAt: number | null = null): PrefixState => ({
  ...fresh,
  verdict: 'warm',
  anchorAt: now - MINUTE,
  lastArrivalAt,
})

it.each<[string, number, (now: number) => PrefixState, (now: number) => PrefixState | null, boolean]>([
  ['stays while the new version is cold', 1, (now) => warm(now), () => fresh, false],
  ['stays no longer than ten minutes for that', 10, (now) => warm(now), () => fresh, true],
  ['goes when the new version is warm and nobody reads it', 1, (now) => warm(now), (now) => warm(now), true],
  ['stays while real requests read it', 20, (now) => warm(now, now - 4 * MINUTE), (now) => warm(now), false],
  ['goes a retention after the last of them', 20, (now) => warm(now, now - 5 * MINUTE), (now) => warm(now), true],
  ['is not written again for it', 1, (now) => ({ ...warm(now, now), anchorAt: now - 6 * MINUTE }), () => fresh, true],
  [
    'goes with a new version that cannot be cached',
    1,
    (now) => warm(now),
    () => ({ ...fresh, verdict: 'uncacheable' }),
    true,
  ],
  ['goes when the new version was deleted', 1, (now) => warm(now), () => null, true],
])('an old version %s', (_, minutes, old, newer, drained) => {
  const now = NOON + minutes * MINUTE
  expect(isDrained(old(now), { at: NOON, newer: newer(now) }, now)).toBe(drained)
})

import { expect, it } from 'vitest'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { BAD_PLATFORM, BAD_PROVIDER, START_AT } from './settings.ts'
import { FIVE_MINUTES, World } from './world.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

const PREFIXES = 200
/** All faults of a bad day: no cron during the announced instants, consumers that die, and evictions. */
const PLATFORM = {
  ...BAD_PLATFORM,
  lost: 0.01,
  twice: 0.05,
  cronOut: { fromAt: START_AT + 2.2 * HOUR_MS, toAt: START_AT + 2.7 * HOUR_MS },
  consumersDie: 0.02,
  evicted: 0.05,
}

it.each([1, 2, 3])('an announced prefix is warm at that second and a minute later (seed %i)', (seed) => {
  const world = new World({
    seed,
    startAt: START_AT,
    kinds: [FIVE_MINUTES],
    prefixes: PREFIXES,
    tokens: 2_000,
    provider: BAD_PROVIDER,
    platform: PLATFORM,
    keepWarm: { ...DEFAULT_KEEP_WARM, plan: 'off' },
  })
  /** Each prefix has its own second, in an hour in which nothing else would keep it warm. */
  const instantOf = (prefix: number): number => START_AT + 2 * HOUR_MS + prefix * 17_000 + 731
  const seen = { before: 0, at: 0, after: 0 }
  world.callAt(START_AT + 10 * MINUTE_MS, () => {
    for (let prefix = 0; prefix < PREFIXES; prefix++) {
      const id = world.store.prefixes.record(prefix + 1)?.id ?? ''
      world.registrar.announce(id, { at: instantOf(prefix), expectedRequests: 1 }, world.now)
    }
  })
  for (let prefix = 0; prefix < PREFIXES; prefix++) {
    const at = instantOf(prefix)
    const look = (when: number, key: keyof typeof seen): void =>
      world.timeline.plan(when, () => (seen[key] += world.provider.isWarm(prefix, when) ? 1 : 0))
    look(at - 10 * MINUTE_MS, 'before')
    look(at, 'at')
    look(at + 60_000, 'after')
  }
  world.runFor(4 * HOUR_MS)
  expect(seen).toEqual({ before: 0, at: PREFIXES, after: PREFIXES })
  // Two writes each, the first and the announced one, and a few repeats of lost calls; no keep-alives.
  const calls = world.provider.accepted.reduce((sum, one) => sum + one, 0)
  expect(calls).toBeLessThan(2.1 * PREFIXES)
})

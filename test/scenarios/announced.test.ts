import { describe, expect, it } from 'vitest'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { BAD_PLATFORM, BAD_PROVIDER, START_AT } from './settings.ts'
import { FIVE_MINUTES, World } from './world.ts'
import type { WorldOptions } from './world.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

const PREFIXES = 200

function world(seed: number, change: Partial<WorldOptions> = {}): World {
  return new World({
    seed,
    startAt: START_AT,
    kinds: [FIVE_MINUTES],
    prefixes: PREFIXES,
    tokens: 2_000,
    provider: BAD_PROVIDER,
    platform: { ...BAD_PLATFORM, lost: 0.02, twice: 0.05 },
    keepWarm: DEFAULT_KEEP_WARM,
    ...change,
  })
}

const warmAt = (one: World, at: number): number =>
  Array.from({ length: PREFIXES }, (_, prefix) => one.provider.isWarm(prefix, at)).filter(Boolean).length

const eachId = (one: World): string[] =>
  Array.from({ length: PREFIXES }, (_, prefix) => one.store.prefixes.record(prefix + 1)?.id ?? '')

/** Announces `at` for every prefix, ten minutes after the start. */
function announcing(one: World, at: number): World {
  one.callAt(START_AT + 10 * MINUTE_MS, () => {
    for (const id of eachId(one)) one.registrar.announce(id, { at, expectedRequests: 10 }, one.now)
  })
  return one
}

describe('announced traffic, with late, lost and duplicate messages, and a provider that fails', () => {
  it.each([1, 2])('finds every prefix warm, though all had lapsed long before (seed %i)', (seed) => {
    const at = START_AT + 3 * HOUR_MS
    const silent = world(seed).runFor(3 * HOUR_MS)
    expect(warmAt(silent, at)).toBe(0)
    const announced = announcing(world(seed), at).runFor(3 * HOUR_MS)
    expect(warmAt(announced, at)).toBe(PREFIXES)
    announced.runFor(3 * HOUR_MS + 60_000)
    expect(warmAt(announced, at + 60_000)).toBe(PREFIXES)
    // One write, and no probes over the hours between.
    const before = silent.provider.accepted.reduce((sum, one) => sum + one, 0)
    expect(announced.provider.accepted.reduce((sum, one) => sum + one, 0)).toBeLessThan(before + 1.1 * PREFIXES)
  })

  it('keeps prefixes warm that would lapse shortly before it, so that none is written twice', () => {
    const at = START_AT + 1.2 * HOUR_MS
    const silent = world(3).runFor(1.2 * HOUR_MS)
    expect(warmAt(silent, at)).toBe(0)
    const announced = announcing(world(3), at).runFor(1.2 * HOUR_MS)
    expect(warmAt(announced, at)).toBe(PREFIXES)
    expect(announced.provider.lapses).toEqual([])
  })

  it('warms a prefix whose plan is off, once', () => {
    const off = { ...DEFAULT_KEEP_WARM, plan: 'off' as const }
    const provider = { ...BAD_PROVIDER, throttled: 0, broken: 0, silent: 0 }
    const announced = announcing(world(4, { keepWarm: off, provider }), START_AT + 2 * HOUR_MS).runFor(2 * HOUR_MS)
    expect(warmAt(announced, START_AT + 2 * HOUR_MS)).toBe(PREFIXES)
    announced.runFor(6 * HOUR_MS)
    expect([...announced.provider.accepted].every((calls) => calls === 2)).toBe(true)
  })
})

describe('signals', () => {
  it('pending work keeps prefixes warm beyond break-even, up to its end and no further', () => {
    const one = world(5)
    one.callAt(START_AT + 10 * MINUTE_MS, () => {
      const signal = { kind: 'pending', at: one.now, untilAt: START_AT + 3 * HOUR_MS } as const
      for (const id of eachId(one)) one.registrar.signal(id, signal)
    })
    one.runFor(3 * HOUR_MS - 1)
    expect(warmAt(one, one.now)).toBe(PREFIXES)
    expect(one.provider.lapses).toEqual([])
    one.runFor(3 * HOUR_MS + 6 * MINUTE_MS)
    expect(warmAt(one, one.now)).toBe(0)
  })

  it('an ended session gets no further probe after a minute', () => {
    const one = world(6)
    one.callAt(START_AT + 20 * MINUTE_MS, () => {
      for (const id of eachId(one)) one.registrar.signal(id, { kind: 'end', at: one.now })
    })
    one.runFor(20 * MINUTE_MS + 60_000)
    const sent = one.operations.probes
    one.runFor(3 * HOUR_MS)
    expect(one.operations.probes).toBe(sent)
  })
})

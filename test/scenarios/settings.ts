import type { PlatformFaults, WorldOptions } from './world.ts'
import { FIVE_MINUTES, HALF_AN_HOUR, ONE_HOUR } from './world.ts'
import type { ProviderFaults } from './provider.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

export const START_AT = Date.UTC(2026, 10, 21)

/** Faults of a provider on a bad day. */
export const BAD_PROVIDER: ProviderFaults = {
  latencyMs: 600,
  throttled: 0.01,
  retryAfterMs: 2_000,
  broken: 0.005,
  silent: 0.005,
  silentMs: 5_000,
  outages: [],
}

/** Faults of the platform on a bad day. */
export const BAD_PLATFORM: PlatformFaults = {
  lateMedianMs: 1_000,
  lateP999Ms: 6_000,
  lost: 0.001,
  twice: 0.01,
  ticksMissing: 0.1,
  cronOut: { fromAt: START_AT + 9 * HOUR_MS, toAt: START_AT + 9.5 * HOUR_MS },
  consumersDie: 0,
  dieWithinMs: 2_000,
  evicted: 0,
}

/** 10,000 prefixes for a day: a quarter at five minutes, a quarter at half an hour, half at an hour. */
export function badDay(seed: number): WorldOptions {
  return {
    seed,
    startAt: START_AT,
    kinds: [FIVE_MINUTES, ONE_HOUR, HALF_AN_HOUR, ONE_HOUR],
    prefixes: 10_000,
    tokens: 2_000,
    provider: BAD_PROVIDER,
    platform: BAD_PLATFORM,
  }
}

/** The same day without faults, except that messages are delayed as on the bad day. */
export function goodDay(seed: number): WorldOptions {
  return {
    ...badDay(seed),
    provider: { ...BAD_PROVIDER, throttled: 0, broken: 0, silent: 0 },
    platform: { ...BAD_PLATFORM, lost: 0, twice: 0, ticksMissing: 0, cronOut: null },
  }
}

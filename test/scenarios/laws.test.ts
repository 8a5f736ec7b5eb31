import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { Laws } from './laws.ts'
import { BAD_PLATFORM, BAD_PROVIDER, START_AT } from './settings.ts'
import { FIVE_MINUTES, HALF_AN_HOUR, World } from './world.ts'
import type { WorldOptions } from './world.ts'
import type { Lease } from '../../src/calls/lease.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

const share = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most * 100 }).map((n) => n / 100)

/** Two hours around midnight with up to 40 prefixes, and any mixture of faults. */
const worlds: fc.Arbitrary<WorldOptions> = fc
  .record({
    seed: fc.nat(1_000_000),
    prefixes: fc.integer({ min: 1, max: 40 }),
    plan: fc.constantFrom('always' as const, 'auto' as const, { probes: 3 }),
    budget: fc.constantFrom(1_000_000_000, 40_000_000, 9_000_000),
    accountBudget: fc.constantFrom(null, 500_000_000, 60_000_000),
    throttled: share(0.2),
    broken: share(0.2),
    silent: share(0.2),
    lost: share(0.2),
    twice: share(0.3),
    ticksMissing: share(1),
    consumersDie: share(0.2),
    evicted: share(0.1),
    arrivalsAnHour: fc.constantFrom(0, 1, 20),
    reportedWithinMs: fc.constantFrom(0, 30_000),
  })
  .map((drawn) => ({
    seed: drawn.seed,
    startAt: START_AT - HOUR_MS,
    kinds: [FIVE_MINUTES, HALF_AN_HOUR],
    prefixes: drawn.prefixes,
    tokens: 2_000,
    provider: {
      throttled: drawn.throttled,
      latencyMs: 600,
      retryAfterMs: 4_000,
      broken: drawn.broken,
      silent: drawn.silent,
      silentMs: 5_000,
      outages: [{ fromAt: START_AT + 600_000, toAt: START_AT + 800_000 }],
    },
    platform: {
      lateMedianMs: 1_000,
      lateP999Ms: 12_000,
      lost: drawn.lost,
      twice: drawn.twice,
      ticksMissing: drawn.ticksMissing,
      cronOut: null,
      consumersDie: drawn.consumersDie,
      dieWithinMs: 2_000,
      evicted: drawn.evicted,
    },
    keepWarm: { ...DEFAULT_KEEP_WARM, plan: drawn.plan, budgetNanosPerDay: drawn.budget },
    budgetNanosPerDay: drawn.accountBudget,
    arrivalsAnHour: drawn.arrivalsAnHour,
    reportedWithinMs: drawn.reportedWithinMs,
  }))

function run(options: WorldOptions): Laws {
  const laws = new Laws(options)
  const world = new World(options, laws.watch)
  laws.of(world)
  world.runFor(2 * HOUR_MS)
  return laws
}

it('a lease is given and used once and in time; no prefix is forgotten, no budget exceeded', () => {
  let sent = 0
  let checked = 0
  fc.assert(
    fc.property(worlds, (options) => {
      const laws = run(options)
      sent += laws.sent
      checked += laws.checked
      expect(laws.broken.slice(0, 5)).toEqual([])
    }),
    { seed: 20261121, numRuns: 60 },
  )
  console.info(`60 worlds: ${sent} calls under leases, ${checked} quiet points looked at`)
  expect(sent).toBeGreaterThan(5_000)
}, 120_000)

it('a consumer that dies costs one more probe after its lease, and the first at its worst', () => {
  const calls: { at: number; lease: Lease }[] = []
  const options: WorldOptions = {
    seed: 7,
    startAt: START_AT,
    kinds: [FIVE_MINUTES],
    prefixes: 1,
    tokens: 2_000,
    provider: { ...BAD_PROVIDER, throttled: 0, broken: 0, silent: 0 },
    platform: { ...BAD_PLATFORM, lost: 0, twice: 0, ticksMissing: 0, cronOut: null, dieWithinMs: 10 },
    registeredWithinMs: 1,
  }
  const world = new World(options, { sent: (lease, at) => calls.push({ lease, at }) })
  world.runFor(120_000)
  expect(calls).toHaveLength(1)
  const spentBefore = world.store.days.load('2026-11-21')?.costNanos ?? 0
  options.platform.consumersDie = 1
  world.runFor(280_000) // the first keep-alive is sent, and nobody reports it
  expect(calls).toHaveLength(2)
  options.platform.consumersDie = 0
  const dead = calls[1] as (typeof calls)[number]
  const nothingMore = Math.min(dead.lease.expiresAt, START_AT + 285_000) - START_AT
  world.runFor(nothingMore)
  expect(calls).toHaveLength(2)
  world.runFor(dead.lease.expiresAt - START_AT + 20_000)
  // One more, and not before the lease of the first had ended.
  expect(calls).toHaveLength(3)
  expect(calls[2]?.at).toBeGreaterThanOrEqual(dead.lease.expiresAt)
  const totals = world.store.days.load('2026-11-21')
  expect(totals?.unknownOutcomes).toBe(1)
  const { state, record } = world.registrar.viewByKey(1, world.now)
  const unknown = world.registrar
    .history(record.id, world.now)
    .find((row) => row.type === 'receipt' && row.kind === 'unknown')
  expect(unknown).toMatchObject({ costNanos: dead.lease.reservedNanos, usage: null })
  expect(totals?.costNanos).toBe(spentBefore + dead.lease.reservedNanos + (state.lastReceipt?.costNanos ?? Number.NaN))
  expect(world.provider.lapses).toEqual([])
})

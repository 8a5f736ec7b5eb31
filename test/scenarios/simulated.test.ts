import { expect, it } from 'vitest'
import { readLog } from '../../src/cli/log/traffic.ts'
import { pricesOf } from '../../src/cli/simulate/prices.ts'
import { simulate } from '../../src/cli/simulate/simulation.ts'
import { holdingOf } from '../../src/core/planning/break-even.ts'
import type { KeepWarm } from '../../src/core/planning/plan.ts'
import { planPolicy, replay } from '../../src/core/simulation/replay.ts'
import type { Replay } from '../../src/core/simulation/replay.ts'
import { trafficOf } from '../../src/core/demand/traffic.ts'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import { bytesOf } from '../cli/support.ts'
import { testAccount } from '../support/account.ts'
import { die } from './random.ts'
import { START_AT } from './settings.ts'
import type { Usage } from '../../src/core/model/usage.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

/** The shipped scheduler does with the same requests what simulate and preview predict. */

const [PROVIDER, MODEL, TOKENS] = ['anthropic', 'claude-opus-4-8', 20_000]
const DAYS = 6
const END_AT = START_AT + DAYS * 24 * HOUR_MS

/** Requests at random intervals with the mean `meanMs`; 15 % of the intervals are twelve times longer. */
function requests(seed: number, meanMs: number): number[] {
  const dice = die(seed)
  const times = [START_AT]
  for (;;) {
    const stretch = dice.roll() < 0.15 ? 12 : 1
    const at = (times.at(-1) ?? START_AT) + Math.round(-Math.log(1 - dice.roll()) * meanMs * stretch) + 1_000
    if (at >= END_AT) return times
    times.push(at)
  }
}

interface Done extends Pick<Replay, 'probes' | 'coldStarts'> {
  costNanos: number
}

/** Runs the shipped scheduler, one event at a time, with a provider that keeps entries for exactly `ttlMs`. */
function scheduled(
  times: readonly number[],
  keepWarm: KeepWarm,
  retention: string,
  ttlMs: number,
  endAt: number,
): Done {
  const { store, scheduler, registrar } = testAccount({ facts: factsOf })
  let expiresAt = 0
  const call = (at: number): Usage => {
    const read = at < expiresAt
    expiresAt = at + ttlMs
    return {
      inputTokens: TOKENS,
      uncachedTokens: 0,
      cacheReadTokens: read ? TOKENS : 0,
      cacheWriteTokens: read ? 0 : TOKENS,
      cacheWriteByRetention: read ? {} : { [retention]: TOKENS },
      outputTokens: 0,
      reasoningTokens: 0,
    }
  }
  const { k } = registrar.register(
    {
      fingerprint: 'a'.repeat(64),
      provider: PROVIDER,
      model: MODEL,
      name: null,
      credential: 'default',
      cacheKey: null,
      retention,
      breakpoint: { path: 'system[0]', byte: 2 },
      estimatedTokens: TOKENS,
      bodyBytes: 2,
      advice: [],
      keepWarm,
      maxOutputTokens: null,
      outputFloors: [0],
      primitives: ['zero_output'],
      body: new Uint8Array([123, 125]),
    },
    START_AT,
  )
  const done = { probes: 0, coldStarts: 0 }
  const waiting = [...times]
  for (;;) {
    const dueAt = store.nextAt() ?? Number.POSITIVE_INFINITY
    const [arriveAt = Number.POSITIVE_INFINITY] = waiting
    const now = Math.min(dueAt, arriveAt)
    if (now >= endAt) return { ...done, costNanos: store.states.load(k)?.costNanos ?? Number.NaN }
    if (arriveAt <= dueAt) {
      waiting.shift()
      const usage = call(arriveAt)
      if (arriveAt > START_AT && usage.cacheReadTokens === 0) done.coldStarts += 1
      scheduler.observe(k, [{ startedAt: arriveAt, usage, ttftMs: null }], arriveAt)
      continue
    }
    for (const { seq, delayMs } of scheduler.sweep(now, now).messages) {
      for (const lease of scheduler.begin(seq, now + delayMs)) {
        const startedAt = lease.notBeforeAt
        expect(lease.purpose).toBe('keep')
        done.probes += 1
        const { id, primitive, model } = lease
        const outcome = { lease: id, k, kind: 'answered', startedAt, latencyMs: 1, primitive, model } as const
        scheduler.settle(seq, [{ ...outcome, usage: call(startedAt) }], startedAt + 1)
      }
    }
  }
}

const plans = [
  ['always', 'always'],
  ['auto', 'auto'],
  ['off', 'nothing'],
  [{ probes: 3 }, null],
] as const

/** Allowed difference. The scheduler sends a few probes less: its lead shrinks once it has measured the provider's latency. */
const TOLERANCE = 0.04

it.each(
  plans.flatMap(([plan, simulated]) =>
    (['5m', '1h'] as const).flatMap((retention) =>
      [4, 25, 90].map((minutes) => ({ plan, simulated, retention, minutes })),
    ),
  ),
)(
  '$plan at $retention is predicted, with a request about every $minutes minutes',
  async ({ plan, simulated, retention, minutes }) => {
    const facts = factsOf(PROVIDER, MODEL, START_AT)
    const { ttlMs } = facts.retentions.find(({ name }) => name === retention)!
    const times = requests(minutes, minutes * MINUTE_MS)
    const keepWarm: KeepWarm = { ...DEFAULT_KEEP_WARM, plan, holdoutShare: 0, budgetNanosPerDay: 1e12 }
    const context = { facts, estimatedTokens: TOKENS, outputFloor: 0, grainMs: 1_000 }
    const holding = holdingOf({ measuredTokens: TOKENS }, context, retention, ttlMs)!
    const runs = times.map((at) => ({ startAt: at, endAt: at, count: 1 }))
    // A preview replays the requests up to the end; `simulate` replays their log up to the last request.
    const predicted = replay(trafficOf(runs, END_AT), planPolicy(keepWarm, holding))
    const done = scheduled(times, keepWarm, retention, ttlMs, END_AT)
    expect(done.coldStarts).toBeGreaterThanOrEqual(predicted.coldStarts * (1 - TOLERANCE))
    expect(done.coldStarts).toBeLessThanOrEqual(predicted.coldStarts)
    expect(Math.abs(done.probes - predicted.probes)).toBeLessThanOrEqual(predicted.probes * TOLERANCE)
    expect(done.costNanos).toBe(done.probes * holding.probe)
    if (simulated === null) return
    const lastAt = times.at(-1)!
    const csv = `prefix,time,tokens\n${times.map((at) => `p,${at},${TOKENS}\n`).join('')}`
    const log = await readLog(bytesOf(csv))
    const prices = () => pricesOf(PROVIDER, MODEL, START_AT)
    const { models } = simulate(log, { prices, tokens: null, latencyNanos: 0, top: 1 })
    const outcome = models[0]!.outcomes.find((one) => one.plan === simulated && one.retention === retention)!
    const upTo = scheduled(times, keepWarm, retention, ttlMs, lastAt + 1)
    expect(outcome.coldStarts - 1).toBeGreaterThanOrEqual(upTo.coldStarts)
    expect((outcome.coldStarts - 1) * (1 - TOLERANCE)).toBeLessThanOrEqual(upTo.coldStarts)
    expect(Math.abs(upTo.probes - outcome.probes)).toBeLessThanOrEqual(outcome.probes * TOLERANCE)
  },
)

import { describe, expect, it } from 'vitest'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { horizon, targetProbes } from '../../../src/core/planning/probe-policy.ts'
import { addFirstToken, measuredFirstToken, medianMs } from '../../../src/core/prefix/first-token.ts'
import type { FirstTokenTimes } from '../../../src/core/prefix/first-token.ts'
import { latencyTarget } from '../../../src/core/prefix/latency-target.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { planPolicy, replay } from '../../../src/core/simulation/replay.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, facts, NOON, planned, usage, warmState } from '../../support/sample.ts'
import { afterRequests, trafficOfGaps } from '../../support/traffic.ts'

const times = (change: Partial<FirstTokenTimes>): FirstTokenTimes => ({
  warm: [],
  cold: [],
  all: [],
  probeWarm: [],
  probeCold: [],
  ...change,
})
const target = (ttft: FirstTokenTimes | undefined, ttftTargetMs = 800, ttftShare = 0.9) =>
  latencyTarget(ttft === undefined ? {} : { ttft }, { ttftTargetMs, ttftShare })

describe('times to the first token', () => {
  const arrive = (state: PrefixState, read: number, write: number, ttftMs: number | null, at: number) =>
    applyArrivals(state, [{ startedAt: at, usage: usage(read, write), ttftMs }], at, 0, { offers: facts.retentions })
      .state

  it('of real requests are warm where they read the prefix, and cold where they did not', () => {
    let state = arrive(warmState(NOON), 10_000, 0, 240, NOON + MINUTE_MS)
    state = arrive(state, 0, 10_000, 2_600, NOON + 60 * MINUTE_MS)
    state = arrive(state, 10_000, 0, null, NOON + 61 * MINUTE_MS)
    expect(state.ttft).toEqual(times({ warm: [240], cold: [2_600], all: [240, 2_600] }))
  })

  it('of our own calls count apart, and stand until three real requests of the kind were timed', () => {
    const asked = { primitive: 'one_token', model: null, latencyMs: 3_000, purpose: 'write' } as const
    const written = applyAnswer(
      { ...warmState(NOON), verdict: 'none', anchorAt: null, measuredTokens: null },
      { ...asked, startedAt: NOON, usage: usage(0, 10_000) },
      context(),
      null,
    ).state
    const kept = { ...asked, purpose: 'keep', latencyMs: 200, startedAt: NOON + 4 * MINUTE_MS } as const
    const read = applyAnswer(written, { ...kept, usage: usage(10_000, 0) }, context(), null).state
    expect(read.ttft).toEqual(times({ probeCold: [3_000], probeWarm: [200] }))
    expect(measuredFirstToken(read.ttft, 'cold')).toEqual({ timesMs: [3_000], from: 'probes' })
    const two = addFirstToken(addFirstToken(read.ttft, 500, ['warm']), 600, ['warm'])
    expect(measuredFirstToken(two, 'warm')).toEqual({ timesMs: [200], from: 'probes' })
    const three = measuredFirstToken(addFirstToken(two, 550, ['warm']), 'warm')
    expect(three).toEqual({ timesMs: [500, 600, 550], from: 'requests' })
    expect(medianMs(three!)).toBe(550)
  })

  it('keep the latest 32 of a kind', () => {
    let ttft: FirstTokenTimes | undefined
    for (let ms = 1; ms <= 40; ms++) ttft = addFirstToken(ttft, ms, ['all'])
    expect(ttft?.all).toHaveLength(32)
    expect([ttft?.all[0], ttft?.all.at(-1)]).toEqual([9, 40])
  })
})

describe('a target for the first token', () => {
  it('asks for the whole share before anything was measured', () => {
    expect(target(undefined)).toMatchObject({ warmShare: 0.9, reached: 'by_warmth' })
    expect(latencyTarget({}, { ttftTargetMs: null, ttftShare: 0.9 })).toBeNull()
  })

  it('asks for less warmth where some cold requests meet it, and for none where enough do', () => {
    const some = times({ warm: [200, 210, 220], cold: [700, 2_000, 2_000, 2_000] })
    expect(target(some)?.warmShare).toBeCloseTo((0.9 - 0.25) / 0.75)
    expect(target(times({ warm: [200], cold: [700, 710, 720] }))).toMatchObject({ warmShare: 0, reached: 'always' })
  })

  it('moves the cold times of our own calls by what requests take longer', () => {
    const warm = [700, 700, 700]
    const moved = target(times({ warm, probeCold: [600, 600, 600], probeWarm: [100] }))
    expect(moved).toMatchObject({ warmShare: 0.9, why: expect.stringContaining('cold 1200 ms') as string })
    expect(target(times({ warm, probeCold: [150], probeWarm: [100] }))).toMatchObject({ reached: 'always' })
    expect(target(times({ warm, probeCold: [200] }))).toMatchObject({ reached: 'by_warmth' })
  })

  it('asks for nothing where most requests are too slow even warm', () => {
    const slow = target(times({ warm: [900, 950, 700], cold: [2_000, 2_000, 2_000] }))
    expect(slow).toMatchObject({ warmShare: 0, reached: 'never' })
    expect(slow?.why).toContain('warm 900 ms, cold 2000 ms')
  })

  it('asks for all warmth where the share lies between what most and what all warm requests meet', () => {
    expect(target(times({ warm: [200, 200, 900], cold: [2_000, 2_000, 2_000] }))).toMatchObject({ warmShare: 1 })
  })

  it('is met by the fewest probes that outlast the share of the gaps that requests end', () => {
    const holding = { name: '5m', ttlMs: 300_000, everyMs: 240_000, write: 10, read: 1, probe: 1 }
    const lengthsMs = [60_000, 540_000, 780_000, Number.POSITIVE_INFINITY]
    const forecast = { lengthsMs, weights: [0.4, 0.3, 0.1, 0.2], gapCount: 3 }
    expect(targetProbes(holding, forecast, 0.5)).toBe(0)
    expect(targetProbes(holding, forecast, 0.501)).toBe(1)
    expect(targetProbes(holding, forecast, 0.875)).toBe(1)
    expect(targetProbes(holding, forecast, 0.88)).toBe(2)
    expect(targetProbes(holding, forecast, 1)).toBe(2)
    expect(targetProbes(holding, forecast, 0)).toBe(0)
  })
})

/** Gaps of about two hours, which five-minute keep-alives at these prices do not pay for. */
const HOURS = Array.from({ length: 60 }, (_, index) => 90 + ((index * 37) % 61))

describe('plan auto with a target for the first token', () => {
  const wanted = { ttftTargetMs: 800, ttftShare: 0.9 }
  const at = NOON + HOURS.reduce((sum, minutes) => sum + minutes, 0) * MINUTE_MS
  const known = afterRequests(
    warmState(NOON),
    ...HOURS.map((_, index) => NOON + HOURS.slice(0, index + 1).reduce((a, b) => a + b, 0) * MINUTE_MS),
  )
  const state = (ttft: FirstTokenTimes) => ({
    ...known,
    ttft,
    probesSinceArrival: 13,
    verdict: 'warm' as const,
    anchorAt: at,
  })
  const slow = times({ warm: [200, 220, 230], cold: [2_500, 2_600, 2_700] })
  const auto = (change = {}) => context({ keepWarm: planned('auto', change) })

  it('keeps beyond break-even, and says why with both measured times', () => {
    expect(decide(state(slow), auto(), at + MINUTE_MS)).toMatchObject({ do: 'stop', reason: 'break_even' })
    const kept = decide(state(slow), auto(wanted), at + MINUTE_MS)
    expect(kept.do).toBe('wait')
    expect(kept.why).toContain('90 % of requests within 800 ms to the first token (warm 220 ms, cold 2600 ms)')
  })

  it('spends nothing more where the target is met cold, or not even warm', () => {
    for (const ttft of [times({ warm: [200], cold: [300, 310, 320] }), times({ warm: [900, 910, 920], cold: [2_500] })])
      expect(decide(state(ttft), auto(wanted), at + MINUTE_MS)).toMatchObject({ do: 'stop', reason: 'break_even' })
  })

  it('stops after the probes that the share needs, and is held by the budget', () => {
    const enough = { ...state(slow), probesSinceArrival: 5_000 }
    const stopped = decide(enough, auto(wanted), at + MINUTE_MS)
    expect(stopped).toMatchObject({ do: 'stop', reason: 'break_even' })
    expect(stopped.why).toContain('which are enough to answer 90 % of requests within 800 ms')
    const poor = { ...wanted, budgetNanosPerDay: 1_000 }
    const waiting = decide(state(slow), auto(wanted), at + MINUTE_MS)
    const dueAt = waiting.do === 'wait' ? waiting.untilAt : 0
    expect(decide(state(slow), auto(wanted), dueAt).do).toBe('send')
    expect(decide(state(slow), auto(poor), dueAt)).toMatchObject({ do: 'stop', reason: 'budget_exhausted' })
  })

  it('does not stop for losing_money, which counts tokens alone', () => {
    const losing = { ...state(slow), loss: { nanos: 1e12, at } }
    expect(decide(losing, auto(), at + MINUTE_MS)).toMatchObject({ do: 'stop', reason: 'losing_money' })
    expect(decide(losing, auto(wanted), at + MINUTE_MS).do).toBe('wait')
  })

  it('meets the share on gaps like those before, where the plan without it does not', () => {
    const holding = { name: '5m', ttlMs: 300_000, everyMs: 240_000, write: 37.5, read: 3, probe: 3 }
    const plan = { plan: 'auto', idleTimeoutMs: null } as const
    const colds = (share: number) =>
      replay(trafficOfGaps(HOURS), planPolicy(plan, holding, undefined, share)).coldStarts / HOURS.length
    expect(colds(0)).toBeGreaterThan(0.9)
    expect(colds(0.9)).toBeLessThanOrEqual(0.1)
    expect(horizon(holding, { lengthsMs: [7_200_000], weights: [1], gapCount: 1 }, 0).probes).toBe(0)
  })
})

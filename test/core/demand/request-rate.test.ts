import { expect, test } from 'vitest'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { holdingOf, probeLimit } from '../../../src/core/planning/break-even.ts'
import { forecast, forecastRow } from '../../../src/core/demand/forecast.ts'
import { horizon } from '../../../src/core/planning/probe-policy.ts'
import { newForecaster } from '../../../src/core/simulation/replay.ts'
import { addRequests, decayedCounts } from '../../../src/core/demand/request-rate.ts'
import type { RequestRate } from '../../../src/core/demand/request-rate.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { parseTrace } from '../../../bench/policy/traces.ts'
import { context, facts, NOON, planned, usage, warmState } from '../../support/sample.ts'
import { unpackGaps } from '../../../src/core/demand/idle-gaps.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const after = (state: PrefixState, ...times: number[]): PrefixState =>
  times.reduce(
    (before, startedAt) =>
      applyArrivals(
        before,
        [{ startedAt, usage: usage(0, 10_000), ttftMs: null }],
        Math.max(startedAt, before.lastArrivalAt ?? 0),
        0,
        facts.retentions,
      ).state,
    state,
  )

test('a request counts half after each half-life', () => {
  const one = addRequests(null, NOON)
  expect(one).toEqual({ at: NOON, counts: [1, 1, 1, 1, 1] })
  expect(decayedCounts(one, NOON + HOUR_MS)[1]).toBeCloseTo(0.5)
  expect(decayedCounts(one, NOON + 7 * 24 * HOUR_MS)[4]).toBeCloseTo(0.5)
  expect(addRequests(one, NOON + HOUR_MS).counts[1]).toBeCloseTo(1.5)
})

test('a run of requests counts as they do one by one', () => {
  const run = addRequests(addRequests(null, NOON), NOON + HOUR_MS, NOON + HOUR_MS + 9 * MINUTE_MS, 10)
  let single: RequestRate = addRequests(null, NOON)
  for (let index = 0; index < 10; index++) single = addRequests(single, NOON + HOUR_MS + index * MINUTE_MS)
  expect(run.at).toBe(single.at)
  run.counts.forEach((count, index) => expect(count).toBeCloseTo(single.counts[index] ?? Number.NaN, 1))
})

test('requests that are reported late or out of order count as if they had been in time', () => {
  const times = [0, 3, 50, 400, 401].map((minutes) => NOON + minutes * MINUTE_MS)
  const inTime = after(warmState(NOON), ...times).requests
  const late = after(warmState(NOON), ...times.toReversed()).requests
  expect(late?.at).toBe(inTime?.at)
  inTime?.counts.forEach((count, index) => expect(late?.counts[index]).toBeCloseTo(count, 1))
})

test('a prefix that had requests before they were counted counts from the next one on', () => {
  const older = { ...after(warmState(NOON), NOON, NOON + HOUR_MS) }
  delete older.requests
  expect(after(older, NOON + 2 * HOUR_MS).requests).toEqual(addRequests(null, NOON + 2 * HOUR_MS))
})

test('the plan of a prefix foresees what the replay of a trace with the same requests foresees', () => {
  const minutes = [0, 1, 2, 90, 91, 300, 420, 421, 422, 423, 1500, 1501]
  const trace = minutes.map((minute) => `a,${(NOON % 1e9) / 1000 + minute * 60},0,1`).join('\n')
  const [stream] = parseTrace(`# a end=${NOON}\nstream,t,d,n\n${trace}\n`, 'f')
  const times = minutes.map((minute) => (NOON % 1e9) + minute * MINUTE_MS)
  const state = { ...after(warmState(times[0] ?? 0), ...times), plannedAt: 0 }
  expect(state.requests).toEqual(stream?.counted.at(-1))
  const auto = context({ keepWarm: planned('auto') })
  const { name, ttlMs } = state.retention ?? { name: '', ttlMs: 0 }
  const holding = holdingOf(state, auto, name, ttlMs)
  if (holding === null) throw new Error('no price')
  const forecaster = newForecaster()
  for (const gap of unpackGaps(state.gaps ?? [])) forecaster.ended(gap)
  const at = times.at(-1) ?? 0
  const requests = state.requests
  if (requests === undefined) throw new Error('no count of requests')
  const choice = horizon(holding, forecaster.forecast(at, Number.POSITIVE_INFINITY, requests), 0)
  expect(probeLimit(state, auto)).toBe(choice.probes)
  // The count is heard: ten times as many requests of late make another chance of a return.
  const busier = addRequests(requests, at - HOUR_MS, at, 100)
  expect(forecaster.forecast(at, 12 * HOUR_MS, busier).weights).not.toEqual(
    forecaster.forecast(at, 12 * HOUR_MS, requests).weights,
  )
})

test('a plan that asks twice of the same row hears the same, and of a row that changed something else', () => {
  const row = after(warmState(NOON), NOON, NOON + HOUR_MS, NOON + 3 * HOUR_MS)
  const at = NOON + 3 * HOUR_MS
  const fresh = (state: PrefixState, now: number, reachMs: number) =>
    forecast(unpackGaps(state.gaps ?? []), now, undefined, reachMs, state.requests)
  expect(forecastRow(row, at, 12 * HOUR_MS)).toEqual(fresh(row, at, 12 * HOUR_MS))
  expect(forecastRow(row, at, 12 * HOUR_MS)).toEqual(fresh(row, at, 12 * HOUR_MS))
  expect(forecastRow(row, at, 6 * HOUR_MS)).toEqual(fresh(row, at, 6 * HOUR_MS))
  expect(forecastRow(row, at + 5 * HOUR_MS, 6 * HOUR_MS)).toEqual(fresh(row, at + 5 * HOUR_MS, 6 * HOUR_MS))
  const shorter = { ...row, gaps: (row.gaps ?? []).slice(2) }
  expect(forecastRow(shorter, at + 5 * HOUR_MS, 6 * HOUR_MS)).toEqual(fresh(shorter, at + 5 * HOUR_MS, 6 * HOUR_MS))
  expect(fresh(shorter, at, 12 * HOUR_MS)).not.toEqual(fresh(row, at, 12 * HOUR_MS))
})

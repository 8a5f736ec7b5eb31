import { expect, test } from 'vitest'
import { holdingOf, probeLimit } from '../../../src/core/planning/break-even.ts'
import { forecast, forecastRow } from '../../../src/core/demand/forecast.ts'
import { horizon } from '../../../src/core/planning/probe-policy.ts'
import { newForecaster } from '../../../src/core/simulation/replay.ts'
import { addRequests } from '../../../src/core/demand/request-rate.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { parseTrace } from '../../../bench/policy/traces.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'
import { afterRequests } from '../../support/traffic.ts'
import { unpackGaps } from '../../../src/core/demand/idle-gaps.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

test('the plan of a prefix and the replay of a trace make the same forecast', () => {
  const minutes = [0, 1, 2, 90, 91, 300, 420, 421, 422, 423, 1500, 1501]
  const trace = minutes.map((minute) => `a,${(NOON % 1e9) / 1000 + minute * 60},0,1`).join('\n')
  const [stream] = parseTrace(`# a end=${NOON}\nstream,t,d,n\n${trace}\n`, 'f')
  const times = minutes.map((minute) => (NOON % 1e9) + minute * MINUTE_MS)
  const state = { ...afterRequests(warmState(times[0] ?? 0), ...times), plannedAt: 0 }
  expect(state.requests).toEqual(stream?.counted.at(-1))
  const auto = context({ keepWarm: planned('auto') })
  const { name, ttlMs } = state.retention ?? { name: '', ttlMs: 0 }
  const holding = holdingOf(state, auto, name, ttlMs)
  if (holding === null) throw new Error('the sample facts have no price')
  const forecaster = newForecaster()
  for (const gap of unpackGaps(state.gaps ?? [])) forecaster.ended(gap)
  const at = times.at(-1) ?? 0
  const requests = state.requests
  if (requests === undefined) throw new Error('no count of requests')
  const choice = horizon(holding, forecaster.forecast(at, Number.POSITIVE_INFINITY, requests), 0)
  expect(probeLimit(state, auto)).toBe(choice.probes)
  // The rate matters: many more recent requests give another forecast.
  const busier = addRequests(requests, at - HOUR_MS, at, 100)
  expect(forecaster.forecast(at, 12 * HOUR_MS, busier).weights).not.toEqual(
    forecaster.forecast(at, 12 * HOUR_MS, requests).weights,
  )
})

test('a repeated forecast of a row is the same, and a changed row has a new one', () => {
  const row = afterRequests(warmState(NOON), NOON, NOON + HOUR_MS, NOON + 3 * HOUR_MS)
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

import { expect, test } from 'vitest'
import { addRequests, decayedCounts } from '../../../src/core/demand/request-rate.ts'
import type { RequestRate } from '../../../src/core/demand/request-rate.ts'
import { NOON, warmState } from '../../support/sample.ts'
import { afterRequests } from '../../support/traffic.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

test('a request counts half after one half-life', () => {
  const one = addRequests(null, NOON)
  expect(one).toEqual({ at: NOON, counts: [1, 1, 1, 1, 1] })
  expect(decayedCounts(one, NOON + HOUR_MS)[1]).toBeCloseTo(0.5)
  expect(decayedCounts(one, NOON + 7 * 24 * HOUR_MS)[4]).toBeCloseTo(0.5)
  expect(addRequests(one, NOON + HOUR_MS).counts[1]).toBeCloseTo(1.5)
})

test('a run of requests counts the same as its requests one by one', () => {
  const run = addRequests(addRequests(null, NOON), NOON + HOUR_MS, NOON + HOUR_MS + 9 * MINUTE_MS, 10)
  let single: RequestRate = addRequests(null, NOON)
  for (let index = 0; index < 10; index++) single = addRequests(single, NOON + HOUR_MS + index * MINUTE_MS)
  expect(run.at).toBe(single.at)
  run.counts.forEach((count, index) => expect(count).toBeCloseTo(single.counts[index] ?? Number.NaN, 1))
})

test('requests that are reported late or out of order count as if reported in time', () => {
  const times = [0, 3, 50, 400, 401].map((minutes) => NOON + minutes * MINUTE_MS)
  const inTime = afterRequests(warmState(NOON), ...times).requests
  const late = afterRequests(warmState(NOON), ...times.toReversed()).requests
  expect(late?.at).toBe(inTime?.at)
  inTime?.counts.forEach((count, index) => expect(late?.counts[index]).toBeCloseTo(count, 1))
})

test('a row without a request rate counts from the next request on', () => {
  const older = { ...afterRequests(warmState(NOON), NOON, NOON + HOUR_MS) }
  delete older.requests
  expect(afterRequests(older, NOON + 2 * HOUR_MS).requests).toEqual(addRequests(null, NOON + 2 * HOUR_MS))
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyArrivals, flushTally } from '../../../src/core/events/arrived.ts'
import type { HistoryRow } from '../../../src/core/prefix/history.ts'
import { historyNeededFrom, observedTraffic } from '../../../src/core/prefix/observed-traffic.ts'
import { addRequests, decayedCounts } from '../../../src/core/demand/request-rate.ts'
import type { RequestRate } from '../../../src/core/demand/request-rate.ts'
import { rollUpRows } from '../../../src/core/prefix/history-roll-up.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { facts, NOON, usage, warmState } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** The row and the history after requests that are reported at once, with the rate that was counted at each instant. */
function observed(times: readonly number[]) {
  let state: PrefixState = warmState(NOON)
  const rows: HistoryRow[] = []
  const knew = new Map<number, RequestRate>()
  for (const startedAt of times) {
    const arrival = { startedAt, usage: usage(10_000, 0), ttftMs: null }
    const arrived = applyArrivals(state, [arrival], startedAt, 0, { offers: facts.retentions })
    const flushed = flushTally(arrived.state, startedAt, arrived.rows.length > 0)
    rows.push(...flushed.rows, ...arrived.rows)
    state = flushed.state
    if (state.requests) knew.set(startedAt, state.requests)
  }
  const { tally } = state
  if (tally !== null) rows.push({ type: 'arrival', at: tally.lastAt, ...tally })
  return { state, rows, knew }
}

/** Bursts of requests, with idle gaps of five minutes to two days between them. */
const bursts = fc
  .array(
    fc.record({
      idle: fc.integer({ min: 300, max: 172_800 }),
      apart: fc.integer({ min: 1, max: 40 }),
      count: fc.integer({ min: 1, max: 60 }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((list) => {
    let at = NOON
    return list.flatMap(({ idle, apart, count }) => {
      at += idle * 1000
      return Array.from({ length: count }, (_, index) => (index === 0 ? at : (at += apart * 1000)))
    })
  })

test('the history of a week gives the request rate at the start of each idle gap', () => {
  fc.assert(
    fc.property(bursts, (times) => {
      const { state, rows, knew } = observed(times)
      const endAt = (times.at(-1) ?? 0) + HOUR_MS
      const { gaps, last } = observedTraffic(state, rows, endAt)
      expect(last).toEqual({ startAt: times.at(-1), lengthMs: HOUR_MS, requests: state.requests })
      for (const { startAt, requests } of gaps) {
        const known = knew.get(startAt)
        if (known === undefined) throw new Error('a gap that began with no request')
        const fromHistory = decayedCounts(requests, startAt)
        decayedCounts(known, startAt).forEach((count, index) => {
          // A row covers a minute; the shortest half-life is ten minutes.
          expect(Math.abs(Math.log1p(fromHistory[index] ?? 0) - Math.log1p(count))).toBeLessThan(
            index === 0 ? 0.5 : 0.2,
          )
        })
      }
    }),
    { numRuns: 60 },
  )
})

test('every request is counted once, also where the history holds hours', () => {
  fc.assert(
    fc.property(bursts, fc.integer({ min: 0, max: 100 }), (times, share) => {
      const { state, rows } = observed(times)
      const cut = Math.floor((rows.length * share) / 100)
      const aged = [...rollUpRows(rows.slice(0, cut)), ...rows.slice(cut)]
      const endAt = times.at(-1) ?? 0
      const gaps = [...(state.gaps ?? []), endAt / 1000, 7_200]
      const after = { gaps, lastArrivalAt: endAt + 2 * HOUR_MS }
      const { last } = observedTraffic(after, aged, after.lastArrivalAt)
      const [fromHistory, known] = [last, state].map((one) => one?.requests?.counts[4] ?? Number.NaN)
      // A request is in the next row, so an hour may hold requests from before an idle gap of two days.
      expect(fromHistory).toBeGreaterThan((known ?? 0) * 0.99 - 0.01)
      expect(fromHistory).toBeLessThan((known ?? 0) * 1.25 + 0.01)
    }),
    { numRuns: 60 },
  )
})

test('a burst before a gap counts before it, although its row was written later', () => {
  const times = [0, 5, 10, 15, 20].map((second) => NOON + second * 1000)
  const { state, rows } = observed([...times, NOON + 3 * HOUR_MS, NOON + 9 * HOUR_MS])
  expect(rows.filter(({ type }) => type === 'arrival')).toHaveLength(2)
  const { gaps } = observedTraffic(state, rows, NOON + 9 * HOUR_MS)
  expect(gaps).toHaveLength(2)
  expect(gaps[0]?.requests.counts[4]).toBeCloseTo(5, 1)
  expect(decayedCounts(gaps[1]!.requests, NOON + 3 * HOUR_MS)[4]).toBeCloseTo(6, 0)
})

test('a prefix without history still has the requests that began its gaps', () => {
  expect(observedTraffic(warmState(NOON), [], NOON)).toEqual({ gaps: [], last: null })
  const { state } = observed([NOON, NOON + HOUR_MS])
  const { gaps, last } = observedTraffic(state, [], NOON + 2 * HOUR_MS)
  expect(gaps).toEqual([{ startAt: NOON, lengthMs: HOUR_MS, requests: addRequests(null, NOON) }])
  expect(last?.requests).toEqual(state.requests)
})

test('the history is read only as far back as a count lasts', () => {
  const { state } = observed([NOON, NOON + HOUR_MS])
  const from = historyNeededFrom(state)
  expect(decayedCounts(addRequests(null, from), NOON)[4]).toBeLessThan(0.01)
  expect(decayedCounts(addRequests(null, from + 8 * 24 * 60 * MINUTE_MS), NOON)[4]).toBeGreaterThan(0.01)
})

import { trafficOf } from '../../src/core/demand/traffic.ts'
import type { Traffic } from '../../src/core/demand/traffic.ts'
import { applyArrivals } from '../../src/core/events/arrived.ts'
import type { PrefixState } from '../../src/core/prefix/state.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'
import { facts, NOON, usage } from './sample.ts'

/** A state after real requests at these instants, reported one by one. A request before the last one is reported late. */
export function afterRequests(before: PrefixState, ...times: number[]): PrefixState {
  let state = before
  for (const startedAt of times) {
    const request = { startedAt, usage: usage(0, 10_000), ttftMs: null }
    const now = Math.max(startedAt, state.lastArrivalAt ?? 0)
    state = applyArrivals(state, [request], now, 0, { offers: facts.retentions }).state
  }
  return state
}

/** Traffic from noon on with these idle gaps in minutes, and `idleMs` after the last request. */
export function trafficOfGaps(minutes: readonly number[], idleMs = 0): Traffic {
  let at = NOON
  const times = [at, ...minutes.map((length) => (at += length * MINUTE_MS))]
  return trafficOf(
    times.map((time) => ({ startAt: time, endAt: time, count: 1 })),
    at + idleMs,
  )
}

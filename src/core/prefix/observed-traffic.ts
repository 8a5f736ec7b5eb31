import type { HistoryRow } from './history.ts'
import { addRequests, NEGLIGIBLE_AFTER_MS } from '../demand/request-rate.ts'
import type { RequestRate } from '../demand/request-rate.ts'
import { rollUpRows } from './history-roll-up.ts'
import type { PrefixState } from './state.ts'
import type { RequestRun, ObservedGap, Traffic } from '../demand/traffic.ts'
import { unpackGaps } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { HOUR_MS } from '../time/time.ts'

/** As the row of a prefix keeps its gaps. */
const GRAIN_MS = 1_000

/**
 * What was seen of a prefix's traffic, for a replay. Its row holds the idle gaps; how many requests had come when each of them began
 * is counted again from the history, which tells it to the minute for a week and by the hour before.
 */
export function observedTraffic(
  { gaps: packed = [], lastArrivalAt, requests }: Pick<PrefixState, 'gaps' | 'lastArrivalAt' | 'requests'>,
  history: readonly HistoryRow[],
  now: number,
): Traffic {
  if (lastArrivalAt === null) return { gaps: [], last: null }
  const idle = unpackGaps(packed)
  const runs = runsOf(history, idle)
  let next = 0
  let before: RequestRate | null = null
  const countedAt = (at: number): RequestRate => {
    for (let run = runs[next]; run !== undefined && run.endAt <= at; run = runs[++next])
      before = addRequests(before, run.startAt, run.endAt, run.count)
    // The request that a gap began with was there, whatever the history still tells.
    return before ?? addRequests(null, at)
  }
  const gaps = idle.map(({ startAt, lengthMs }): ObservedGap => ({ startAt, lengthMs, requests: countedAt(startAt) }))
  const last = requests ?? countedAt(lastArrivalAt)
  return { gaps, last: { startAt: lastArrivalAt, lengthMs: Math.max(0, now - lastArrivalAt), requests: last } }
}

/** How far back a history is asked for it: what came before has faded by the oldest gap that the row holds. */
export function countedFrom({ gaps = [], lastArrivalAt }: Pick<PrefixState, 'gaps' | 'lastArrivalAt'>): number {
  return (unpackGaps(gaps)[0]?.startAt ?? lastArrivalAt ?? 0) - NEGLIGIBLE_AFTER_MS
}

/** The requests that the rows tell of, each row's spread evenly over the time since the row before in which the prefix was not idle. */
function runsOf(history: readonly HistoryRow[], idle: readonly IdleGap[]): RequestRun[] {
  const hours = rollUpRows(history.filter(({ type }) => type === 'rollup'))
  const told = [
    ...hours.map(({ at, arrivals }) => ({ at, lastsMs: HOUR_MS, count: arrivals })),
    ...history.flatMap((row) => (row.type === 'arrival' ? [{ at: row.at, lastsMs: 0, count: row.count }] : [])),
  ]
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => a.at - b.at)
  let beforeAt: number | null = null
  const runs = told.flatMap(({ at, lastsMs, count }) => {
    const to = Math.round((at + lastsMs) / GRAIN_MS) * GRAIN_MS
    const from = lastsMs > 0 ? Math.max(at, beforeAt ?? at) : (beforeAt ?? idle[0]?.startAt ?? to)
    const pieces = outsideOf(idle, Math.min(from, to), to, beforeAt === null)
    beforeAt = to
    return spread(pieces, count)
  })
  return runs.toSorted((a, b) => a.endAt - b.endAt)
}

/** The parts of a span that lie in no idle gap; the instants at which one ends are requests. `first`: its beginning is one too. */
function outsideOf(idle: readonly IdleGap[], from: number, to: number, first: boolean): [number, number][] {
  const pieces: [number, number][] = []
  let at = from
  for (const { startAt, lengthMs } of idle) {
    if (startAt + lengthMs <= at || startAt >= to) continue
    if (startAt > at || (startAt === at && (first || pieces.length > 0 || at > from))) pieces.push([at, startAt])
    at = startAt + lengthMs
  }
  if (at <= to) pieces.push([at, to])
  return pieces.length === 0 ? [[to, to]] : pieces
}

/** One request at the end of each piece, the others by their lengths. */
function spread(pieces: readonly [number, number][], count: number): RequestRun[] {
  const each = Math.min(1, count / pieces.length)
  const rest = count - each * pieces.length
  const all = pieces.reduce((sum, [from, to]) => sum + to - from, 0)
  return pieces.map(([from, to], index) => {
    const share = all > 0 ? (to - from) / all : index === 0 ? 1 : 0
    const own = each + rest * share
    return { startAt: own > 1 ? from + (to - from) / own : to, endAt: to, count: own }
  })
}

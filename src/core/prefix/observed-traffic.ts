import type { HistoryRow } from './history.ts'
import { addRequests, NEGLIGIBLE_AFTER_MS } from '../demand/request-rate.ts'
import type { RequestRate } from '../demand/request-rate.ts'
import { rollUpRows } from './history-roll-up.ts'
import type { PrefixState } from './state.ts'
import type { RequestRun, ObservedGap, Traffic } from '../demand/traffic.ts'
import { unpackGaps } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { HOUR_MS } from '../time/time.ts'

/** The unit in which the row of a prefix stores its gaps. */
const GRAIN_MS = 1_000

/**
 * The observed traffic of a prefix, for a replay. Its row holds the idle gaps. The request rate at the start of each gap is
 * counted again from the history, whose rows are exact to the minute for a week and to the hour before that.
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
    // A gap begins with a request, even where the history no longer has its row.
    return before ?? addRequests(null, at)
  }
  const gaps = idle.map(({ startAt, lengthMs }): ObservedGap => ({ startAt, lengthMs, requests: countedAt(startAt) }))
  const last = requests ?? countedAt(lastArrivalAt)
  return { gaps, last: { startAt: lastArrivalAt, lengthMs: Math.max(0, now - lastArrivalAt), requests: last } }
}

/** Start of the history that `observedTraffic` needs (epoch ms): earlier requests have decayed by the oldest gap of the row. */
export function historyNeededFrom({ gaps = [], lastArrivalAt }: Pick<PrefixState, 'gaps' | 'lastArrivalAt'>): number {
  return (unpackGaps(gaps)[0]?.startAt ?? lastArrivalAt ?? 0) - NEGLIGIBLE_AFTER_MS
}

/** Runs of requests: each row's count, spread evenly over the time since the row before it, without idle gaps. */
function runsOf(history: readonly HistoryRow[], idle: readonly IdleGap[]): RequestRun[] {
  const hours = rollUpRows(history.filter(({ type }) => type === 'rollup'))
  const counts = [
    ...hours.map(({ at, arrivals }) => ({ at, lastsMs: HOUR_MS, count: arrivals })),
    ...history.flatMap((row) => (row.type === 'arrival' ? [{ at: row.at, lastsMs: 0, count: row.count }] : [])),
  ]
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => a.at - b.at)
  let beforeAt: number | null = null
  const runs = counts.flatMap(({ at, lastsMs, count }) => {
    const to = Math.round((at + lastsMs) / GRAIN_MS) * GRAIN_MS
    const from = lastsMs > 0 ? Math.max(at, beforeAt ?? at) : (beforeAt ?? idle[0]?.startAt ?? to)
    const pieces = outsideOf(idle, Math.min(from, to), to, beforeAt === null)
    beforeAt = to
    return spread(pieces, count)
  })
  return runs.toSorted((a, b) => a.endAt - b.endAt)
}

/** The parts of a span outside idle gaps. Each part ends with a request; with `first` the span also begins with one. */
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

/** Spreads `count` requests: one at the end of each piece, the others in proportion to the lengths of the pieces. */
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

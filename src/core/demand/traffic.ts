import { addRequests } from './request-rate.ts'
import type { RequestRate } from './request-rate.ts'
import type { IdleGap } from './idle-gaps.ts'

/** Traffic of one prefix as its idle gaps, oldest first. `last`: the idle time at the end of the observation, which no request ended. */
export interface Traffic {
  gaps: readonly ObservedGap[]
  last: ObservedGap | null
}

/** An idle gap, and the request rate at its start. */
export interface ObservedGap extends IdleGap {
  requests: RequestRate
}

/** `count` requests spread evenly over `startAt`…`endAt`, one of them at each end. */
export interface RequestRun {
  startAt: number
  endAt: number
  count: number
}

/** The idle gaps between runs, oldest first, and the idle time from the last run to `endAt`. Runs that touch count as one. */
export function trafficOf(runs: Iterable<RequestRun>, endAt: number): Traffic {
  const gaps: ObservedGap[] = []
  let idleAt = 0
  let requests: RequestRate | null = null
  for (const run of runs) {
    if (requests !== null && run.startAt > idleAt)
      gaps.push({ startAt: idleAt, lengthMs: run.startAt - idleAt, requests })
    requests = addRequests(requests, run.startAt, run.endAt, run.count)
    idleAt = run.endAt
  }
  return { gaps, last: requests && { startAt: idleAt, lengthMs: Math.max(0, endAt - idleAt), requests } }
}

import { counted } from './request-rate.ts'
import type { RequestRate } from './request-rate.ts'
import type { IdleGap } from './idle-gaps.ts'

/** Traffic of one prefix as its idle gaps, oldest first. `last`: the silence that ended with the observation, not with a request. */
export interface Traffic {
  gaps: readonly SeenGap[]
  last: SeenGap | null
}

/** An idle gap, and how many requests had come of late when it began. */
export interface SeenGap extends IdleGap {
  requests: RequestRate
}

/** So many requests, evenly from `startAt` to `endAt`, both of them requests. */
export interface Run {
  startAt: number
  endAt: number
  count: number
}

/** The idle gaps between runs, oldest first, and the silence from the last one to `endAt`. Runs that touch are one. */
export function trafficOf(runs: Iterable<Run>, endAt: number): Traffic {
  const gaps: SeenGap[] = []
  let idleAt = 0
  let requests: RequestRate | null = null
  for (const run of runs) {
    if (requests !== null && run.startAt > idleAt)
      gaps.push({ startAt: idleAt, lengthMs: run.startAt - idleAt, requests })
    requests = counted(requests, run.startAt, run.endAt, run.count)
    idleAt = run.endAt
  }
  return { gaps, last: requests && { startAt: idleAt, lengthMs: Math.max(0, endAt - idleAt), requests } }
}

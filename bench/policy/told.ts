import type { Holding } from '../../src/core/planning/probe-policy.ts'
import type { ReplayPolicy } from '../../src/core/simulation/replay.ts'
import { TraceError } from './traces.ts'
import type { Stream } from './traces.ts'

/** What callers would have told: for which share of sessions their end, and for which share of one-shots that they are one. */
export interface Told {
  ends: number
  oneShots: number
}

/** Reads `ENDS,ONESHOTS`, each from 0 to 1. */
export function readTold(text: string): Told {
  const [ends = Number.NaN, oneShots = Number.NaN, ...rest] = text
    .split(',')
    .map((one) => (one.trim() === '' ? Number.NaN : Number(one)))
  const isShare = (value: number): boolean => value >= 0 && value <= 1
  if (rest.length > 0 || !isShare(ends) || !isShare(oneShots))
    throw new TraceError('--told: two shares from 0 to 1, for example 0.8,0.8')
  return { ends, oneShots }
}

/** Streams that are sessions: their last request is an end, and not the end of an observation. */
export function isSession({ family }: Stream): boolean {
  return /session/.test(family)
}

/**
 * The planner where callers tell some of what a session will do, simulated from what it did: nobody told it in these traces. A session without a
 * silence longer than the shortest retention is a one-shot. `draw`: 0 to 1, the same for each policy of a stream.
 */
export function withTold(
  stream: Stream,
  player: ReplayPolicy,
  { ends, oneShots }: Told,
  { holdings, draw }: { holdings: readonly Holding[]; draw: [number, number] },
): ReplayPolicy {
  const short = holdings.toSorted((a, b) => a.write - b.write)[0]
  if (!isSession(stream) || short === undefined) return player
  const isOneShot = stream.lengths.every((seconds) => seconds * 1000 <= short.ttlMs)
  if (isOneShot && draw[0] < oneShots) return { ...player, write: () => short, probes: () => 0 }
  if (draw[1] >= ends) return player
  const endAt = stream.lastStart * 1000
  return { ...player, probes: (at, holding, requests) => (at >= endAt ? 0 : player.probes(at, holding, requests)) }
}

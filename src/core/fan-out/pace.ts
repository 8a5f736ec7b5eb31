/** The most calls that may begin within any `everyMs` on one route: with more, the provider sends some to machines that have not the entry. */
export interface Pace {
  /** What the provider chooses a machine by, as a hash. */
  route: string
  most: number
  everyMs: number
}

/** A call that may take a place on a route. */
export interface PacedCall {
  step: string
  /** When it ended (epoch ms). Absent: it has not ended. */
  endedAt?: number
  /** Absent: it takes no place. */
  pace?: Pace
}

/**
 * Whether one more call may begin at `now`, beside `calls`. A call keeps its place until `everyMs` after its end, because only that is known
 * to be later than its beginning, however long it waited in a queue. `freeAt`: when a place will be free; null: when a running call has ended.
 */
export function placeOnRoute(
  { route, most, everyMs }: Pace,
  calls: Iterable<PacedCall>,
  now: number,
): { isFree: true } | { isFree: false; freeAt: number | null } {
  let running = 0
  const frees: number[] = []
  for (const call of calls) {
    if (call.pace?.route !== route) continue
    if (call.step === 'running') running += 1
    else if (call.endedAt !== undefined && call.endedAt + everyMs > now) frees.push(call.endedAt + everyMs)
  }
  const over = running + frees.length - most
  if (over < 0) return { isFree: true }
  return { isFree: false, freeAt: frees.toSorted((a, b) => a - b)[over] ?? null }
}

/** Until when the calls take places (epoch ms); null: they take none, or one of them has not ended. */
export function keepsPlacesUntil(calls: Iterable<PacedCall>): number | null {
  let until: number | null = null
  for (const { endedAt, pace } of calls) {
    if (endedAt !== undefined && pace !== undefined) until = Math.max(until ?? 0, endedAt + pace.everyMs)
  }
  return until
}

/**
 * A burst: callers of one key whose calls overlap. Each of them asks as of the beginning of the burst, so that callers who arrive
 * within a second share one receipt, while one who asks again after an answer gets a new call. A burst of more than one caller
 * stays open for `lingerMs` after its last answer, because callers do not arrive evenly. It lives in one isolate: callers of
 * other isolates share only the call in flight.
 */
interface OpenBurst {
  /** When its first caller asked. */
  askedAt: number
  callers: number
  hadSeveral: boolean
  leftAt: number
}

/** One caller's part in a burst. */
export interface Burst {
  /** When the first caller of the burst asked. */
  askedAt: number
  leave: (now: number) => void
}

/** Durations of the clock that callers are timed with. */
export interface BurstLimits {
  /** A burst ends after this time, so that a receipt never answers a much later call. */
  longestMs: number
  /** How long a burst of several callers stays open after its last answer. */
  lingerMs: number
}

const bursts = new Map<string, OpenBurst>()
/** A caller who hangs up never leaves its burst: above this number the oldest bursts are dropped. */
const BURSTS_IN_MEMORY = 10_000

/** Joins the burst at `key`, or begins one. Call `leave` once the caller has its answer. */
export function joinBurst(key: string, now: number, { longestMs, lingerMs }: BurstLimits): Burst {
  let burst = bursts.get(key)
  if (burst === undefined || now - burst.askedAt > longestMs || isOver(burst, now, lingerMs)) {
    const oldest = bursts.size >= BURSTS_IN_MEMORY ? bursts.keys().next().value : undefined
    if (oldest !== undefined) bursts.delete(oldest)
    burst = { askedAt: now, callers: 0, hadSeveral: false, leftAt: now }
    bursts.delete(key)
    bursts.set(key, burst)
  }
  const joined = burst
  joined.callers += 1
  joined.hadSeveral ||= joined.callers > 1
  return {
    askedAt: joined.askedAt,
    leave: (at) => {
      joined.callers -= 1
      joined.leftAt = at
      if (joined.callers === 0 && !joined.hadSeveral && bursts.get(key) === joined) bursts.delete(key)
    },
  }
}

function isOver(burst: OpenBurst, now: number, lingerMs: number): boolean {
  return burst.callers === 0 && now - burst.leftAt > lingerMs
}

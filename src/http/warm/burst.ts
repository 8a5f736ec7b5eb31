/**
 * Callers who want the same thing at the same time, told by their overlap: whoever comes while another one is still being
 * answered belongs to the same burst, and asks as of its beginning. So a crowd that takes a second to come through the
 * door shares one receipt, while somebody who asks again after an answer gets a new one. A burst of more than one caller
 * lingers for a moment, because a crowd does not come evenly. Memory of one isolate; what it does not see is shared by
 * the call in flight alone.
 */
interface OpenBurst {
  /** When its first caller asked. */
  askedAt: number
  callers: number
  crowd: boolean
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
  /** After this long a burst is over, so that a receipt never answers a much later call. */
  longestMs: number
  /** How long a crowd that was answered is still waited for. */
  lingerMs: number
}

const bursts = new Map<string, OpenBurst>()
/** Bursts end unnoticed (a caller who hung up never leaves): the oldest are dropped. */
const BURSTS_IN_MEMORY = 10_000

/** Joins the burst at `key`, or begins one. Call `leave` when the caller was answered. */
export function joinBurst(key: string, now: number, { longestMs, lingerMs }: BurstLimits): Burst {
  let burst = bursts.get(key)
  if (burst === undefined || now - burst.askedAt > longestMs || isOver(burst, now, lingerMs)) {
    const oldest = bursts.size >= BURSTS_IN_MEMORY ? bursts.keys().next().value : undefined
    if (oldest !== undefined) bursts.delete(oldest)
    burst = { askedAt: now, callers: 0, crowd: false, leftAt: now }
    bursts.delete(key)
    bursts.set(key, burst)
  }
  const joined = burst
  joined.callers += 1
  joined.crowd ||= joined.callers > 1
  return {
    askedAt: joined.askedAt,
    leave: (at) => {
      joined.callers -= 1
      joined.leftAt = at
      if (joined.callers === 0 && !joined.crowd && bursts.get(key) === joined) bursts.delete(key)
    },
  }
}

function isOver(burst: OpenBurst, now: number, lingerMs: number): boolean {
  return burst.callers === 0 && now - burst.leftAt > lingerMs
}

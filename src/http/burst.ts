/**
 * Callers who want the same thing at the same time, told by their overlap: whoever comes while another one is still being
 * answered belongs to the same burst, and asks as of its beginning. So a crowd that takes a second to come through the
 * door shares one receipt, while somebody who asks again after an answer gets a new one. Memory of one isolate; what it
 * does not see is shared by the call in flight alone.
 */
interface Burst {
  /** When its first caller asked. */
  askedAt: number
  callers: number
}

const bursts = new Map<string, Burst>()
/** Callers who hung up may never leave; what they left behind is dropped, the oldest first. */
const BURSTS_IN_MEMORY = 10_000

/** Joins the burst at `key`, or begins one; one that began longer than `longestMs` ago is over. Call `leave` at the end. */
export function joinBurst(key: string, now: number, longestMs: number): { askedAt: number; leave: () => void } {
  let burst = bursts.get(key)
  if (burst === undefined || now - burst.askedAt > longestMs) {
    const oldest = bursts.size >= BURSTS_IN_MEMORY ? bursts.keys().next().value : undefined
    if (oldest !== undefined) bursts.delete(oldest)
    burst = { askedAt: now, callers: 0 }
    bursts.delete(key)
    bursts.set(key, burst)
  }
  const joined = burst
  joined.callers += 1
  return {
    askedAt: joined.askedAt,
    leave: () => {
      joined.callers -= 1
      if (joined.callers === 0 && bursts.get(key) === joined) bursts.delete(key)
    },
  }
}

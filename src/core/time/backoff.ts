/**
 * Wait before the next attempt: exponential from `firstMs`, at most `mostMs`, with jitter over its upper half so that many
 * callers do not retry at once. `random`: in [0, 1).
 */
export function backoffMs(failuresInRow: number, random: number, firstMs: number, mostMs: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(20, Math.max(0, failuresInRow - 1)))
  return Math.round(full * (0.5 + random / 2))
}

/** Deterministic jitter in [0, 1) for attempt `nth` of the thing that `key` names. */
export function spread(key: number, nth: number): number {
  let mixed = Math.imul(key, 0x9e3779b1) ^ Math.imul(nth, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}

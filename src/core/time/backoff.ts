/**
 * Wait before another try: exponential from `firstMs`, at most `mostMs`, spread over its upper half so that a crowd
 * does not come back at once. `random` is in [0, 1).
 */
export function backoffMs(failuresInRow: number, random: number, firstMs: number, mostMs: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(20, Math.max(0, failuresInRow - 1)))
  return Math.round(full * (0.5 + random / 2))
}

/** A number in [0, 1) that spreads what would come at once, by what it is about and which of its tries; the same every time it is asked. */
export function spread(key: number, nth: number): number {
  let mixed = Math.imul(key, 0x9e3779b1) ^ Math.imul(nth, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}

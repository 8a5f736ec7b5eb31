/** Source of seeded random numbers: the same seed gives the same world. */
export interface Die {
  /** In [0, 1). */
  roll(): number
  /** Log-normal with this median; `spread` is the standard deviation of its logarithm. */
  around(median: number, spread: number): number
  between(low: number, high: number): number
}

export function die(seed: number): Die {
  // mulberry32: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c (public domain)
  let state = seed >>> 0
  const roll = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - roll())) * Math.cos(2 * Math.PI * roll())
  return {
    roll,
    around: (median, spread) => median * Math.exp(spread * normal()),
    between: (low, high) => low + (high - low) * roll(),
  }
}

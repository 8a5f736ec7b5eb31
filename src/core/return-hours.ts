import type { Foresight, IdleGap } from './demand.ts'

const HOUR_MS = 3_600_000
/** Hours that one return reaches to each side. */
const HOURS_WIDE = 2
/** Returns per hour of the day that are taken for granted: how slowly a prefix's own hours are believed. */
const HOURS_PRIOR = 0.5
/** Odds of a return rise with this power of its hour's rate. */
const HOURS_POWER = 0.5
const FADE = 0.985

/**
 * Rates of return by hour of the UTC day, 1 where nothing is known: at which hours this prefix's gaps ended. Beside the hour at
 * which a gap begins, it is the hour at which one would have to wait on that tells whether somebody comes.
 */
export function returnRates(gaps: readonly IdleGap[]): number[] {
  const counts = Array.from({ length: 24 }, () => 0)
  let seen = 0
  gaps.forEach(({ startAt, lengthMs }, index) => {
    const weight = FADE ** (gaps.length - 1 - index)
    const at = ((startAt + lengthMs) / HOUR_MS) % 24
    seen += weight
    for (let hour = 0; hour < 24; hour++) {
      const apart = Math.abs(hour + 0.5 - at)
      const hours = Math.min(apart, 24 - apart)
      counts[hour] = (counts[hour] ?? 0) + weight * Math.exp(-0.5 * (hours / HOURS_WIDE) ** 2)
    }
  })
  const mean = counts.reduce((sum, count) => sum + count, 0) / 24
  if (mean === 0) return counts.map(() => 1)
  return counts.map((count) => ((count / mean) * (seen / 24) + HOURS_PRIOR) / (seen / 24 + HOURS_PRIOR))
}

/** The foresight of the gap that begins at `now`, with returns likelier at the hours of earlier returns, at each age it may reach. */
export function tilted(foresight: Foresight, gaps: readonly IdleGap[], now: number): Foresight {
  if (gaps.length === 0) return foresight
  const rates = returnRates(gaps)
  const { lengthsMs } = foresight
  const weights = [...foresight.weights]
  let before = 1
  let after = 1
  const ordered = [...lengthsMs.keys()].toSorted((a, b) => (lengthsMs[a] ?? 0) - (lengthsMs[b] ?? 0))
  for (const index of ordered) {
    const length = lengthsMs[index] ?? 0
    const weight = foresight.weights[index] ?? 0
    // The chance that a gap which has lasted so long ends here, and what the hour makes of it.
    const chance = before <= 1e-12 ? 1 : Math.min(1, weight / before)
    before -= weight
    let ends = chance
    if (Number.isFinite(length)) {
      const odds = (rates[Math.floor((now + length) / HOUR_MS) % 24] ?? 1) ** HOURS_POWER
      ends = (chance * odds) / (1 - chance + chance * odds)
    }
    weights[index] = after * ends
    after *= 1 - ends
  }
  return { ...foresight, weights }
}

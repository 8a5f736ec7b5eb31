/**
 * Durations as a histogram with steps of 5 %. It fits into one row. Older durations are given less weight.
 */
export interface Histogram {
  /** Count by bucket. */
  counts: number[]
  total: number
}

/** End of the first bucket. Shorter durations are not told apart. */
const LEAST_MS = 50
const STEP = Math.log(1.05)
/** The last bucket begins near a minute. */
const BUCKETS = 146
/** Total at which all counts are halved, so that old durations count less. */
const HALVE_AT = 32_000

export function newHistogram(): Histogram {
  return { counts: [], total: 0 }
}

/** Adds a duration. Changes the histogram in place, because it is called a million times a day. */
export function observe(histogram: Histogram, ms: number): void {
  const bucket = Math.min(BUCKETS, Math.max(0, Math.ceil(Math.log(Math.max(LEAST_MS, ms) / LEAST_MS) / STEP)))
  while (histogram.counts.length <= bucket) histogram.counts.push(0)
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1
  histogram.total += 1
  if (histogram.total < HALVE_AT) return
  histogram.counts = histogram.counts.map((count) => Math.round(count * 50) / 100)
  histogram.total = histogram.counts.reduce((sum, count) => sum + count, 0)
}

/**
 * The `q` quantile in ms, rounded up to the end of its bucket. `cautiousMs` counts as `weight` earlier durations, so that few
 * durations change the result little.
 */
export function quantile(histogram: Histogram, q: number, cautiousMs: number, weight: number): number {
  // Durations that may exceed the result, counted from the longest bucket down.
  const beyond = (histogram.total + weight) * (1 - q)
  let longer = 0
  let cautious = weight
  for (let bucket = histogram.counts.length - 1; bucket >= 0; bucket--) {
    const ms = LEAST_MS * Math.exp(bucket * STEP)
    if (cautious > 0 && cautiousMs >= ms) {
      longer += cautious
      cautious = 0
      if (longer > beyond) return cautiousMs
    }
    longer += histogram.counts[bucket] ?? 0
    if (longer > beyond) return ms
  }
  return longer + cautious > beyond && cautious > 0 ? cautiousMs : LEAST_MS
}

/**
 * Durations that were seen, as a histogram with steps of five per cent: small enough for one row, and forgetful, so that what was seen
 * lately counts most.
 */
export interface Histogram {
  /** Count by bucket. */
  counts: number[]
  total: number
}

/** The first bucket ends here; all that is shorter is as good as nothing. */
const LEAST_MS = 50
const STEP = Math.log(1.05)
/** The last bucket begins near a minute. */
const BUCKETS = 146
/** When so many were seen all counts are halved: the memory is between half of it and all of it. */
const MEMORY = 32_000

export function newHistogram(): Histogram {
  return { counts: [], total: 0 }
}

/** Takes a duration in, in place: it is asked a million times a day. */
export function observe(sketch: Histogram, ms: number): void {
  const bucket = Math.min(BUCKETS, Math.max(0, Math.ceil(Math.log(Math.max(LEAST_MS, ms) / LEAST_MS) / STEP)))
  while (sketch.counts.length <= bucket) sketch.counts.push(0)
  sketch.counts[bucket] = (sketch.counts[bucket] ?? 0) + 1
  sketch.total += 1
  if (sketch.total < MEMORY) return
  sketch.counts = sketch.counts.map((count) => Math.round(count * 50) / 100)
  sketch.total = sketch.counts.reduce((sum, count) => sum + count, 0)
}

/**
 * The duration that a share `q` of all stayed within, rounded up to its bucket's end; `cautiousMs` counts as if it had been seen `weight`
 * times before, so that little evidence changes little.
 */
export function quantile(sketch: Histogram, q: number, cautiousMs: number, weight: number): number {
  // How many may lie beyond the answer. Looked for from the longest down.
  const beyond = (sketch.total + weight) * (1 - q)
  let longer = 0
  let cautious = weight
  for (let bucket = sketch.counts.length - 1; bucket >= 0; bucket--) {
    const ms = LEAST_MS * Math.exp(bucket * STEP)
    if (cautious > 0 && cautiousMs >= ms) {
      longer += cautious
      cautious = 0
      if (longer > beyond) return cautiousMs
    }
    longer += sketch.counts[bucket] ?? 0
    if (longer > beyond) return ms
  }
  return longer + cautious > beyond && cautious > 0 ? cautiousMs : LEAST_MS
}

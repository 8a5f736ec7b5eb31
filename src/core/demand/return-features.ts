import { RATE_COUNTS, decayedCounts } from './request-rate.ts'
import type { RequestRate } from './request-rate.ts'
import type { IdleGap } from './idle-gaps.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** Gap ages at which the model predicts a return: from one hour on, in steps of 55 minutes, for three days. */
export const STEPS = 80
const FIRST_MS = HOUR_MS
const STEP_MS = 55 * MINUTE_MS

/** Gap age in ms at the start of a step. */
export function ageAt(step: number): number {
  return FIRST_MS + step * STEP_MS
}

/** Cells of past idle time: half hours of the UTC day, working days and weekends apart, and ages of a gap. */
const CLOCKS = 48
const HALF_HOUR_MS = DAY_MS / CLOCKS
const AGE_RATIO = 0.3
const AGES = 17
const YOUNGEST_MS = HALF_HOUR_MS
const OLDEST_MS = ageAt(STEPS)

/**
 * Weights of past moments for a present one. `clock`: by distance in the time of day; `age`: by the ratio of gap ages. Each is one
 * side of a bell curve; null: all weigh the same. `other`: weight of a working day for a weekend, and the reverse. `fast`: old days
 * weigh little.
 */
interface Similarity {
  clock: number[] | null
  age: number[] | null
  other: number
  fast: boolean
}
const similarityOf = (hours: number | null, ages: number | null, other: number, fast = false): Similarity => ({
  clock: hours === null ? null : bell(24 / CLOCKS, hours),
  age: ages === null ? null : bell(AGE_RATIO, ages),
  other,
  fast,
})
const SIMILARITIES: readonly Similarity[] = [
  similarityOf(0.5, null, 0.15),
  similarityOf(2, null, 0.15),
  similarityOf(2, null, 0.15, true),
  similarityOf(null, 0.3, 1),
  similarityOf(2, 0.4, 0.15),
  similarityOf(1, 0.8, 0.3),
]
/** Indexes of two similarities for which the amount of evidence is a feature, besides the rate. */
const TRUSTED = [3, 5]
const FADE_PER_DAY = 0.97
const FAST_FADE_PER_DAY = 0.8
/** Weight of the typical rate, in observed steps. */
const PRIOR_STEPS = 1
const STRONG_PRIOR_STEPS = 3
const LEAST_RATE = 1e-4
const MOST_RATE = 3

/** Number of features of a step, in the order in which `returnFeatures` writes them. */
export const RETURN_FEATURES = SIMILARITIES.length * 2 + 1 + TRUSTED.length * 3 + 4 + 13 + RATE_COUNTS

/**
 * Features of a return at each step of the gap that begins at `now`: RETURN_FEATURES numbers for each step, one step after the
 * other. `typical`: probability of a return in each step for similar traffic; its length is the number of steps. Absent `requests`:
 * none ever came.
 */
export function returnFeatures(
  gaps: readonly IdleGap[],
  now: number,
  typical: ArrayLike<number>,
  requests?: RequestRate,
): Float64Array {
  if (typical.length === 0) return new Float64Array(0)
  const history = new IdleHistory(gaps, now)
  const counts = decayedCounts(requests ?? { at: now, counts: [] }, now).map(Math.log1p)
  const shared = [...prefixFeatures(gaps, now), ...counts]
  const features = new Float64Array(typical.length * RETURN_FEATURES)
  const sums = new Float64Array(SIMILARITIES.length)
  let at = 0
  const put = (value: number): void => {
    features[at++] = value
  }
  for (let step = 0; step < typical.length; step++) {
    const prior = Math.min(0.95, Math.max(LEAST_RATE, typical[step] ?? 0))
    const middle = ageAt(step) + STEP_MS / 2
    const tally = new Tally(SIMILARITIES.length)
    SIMILARITIES.forEach((similarity, index) => history.near(now + middle, middle, similarity, tally, index))
    const rate = (index: number, weight: number): number =>
      ((tally.returns[index] ?? 0) + weight * prior) / ((tally.steps[index] ?? 0) + weight)
    const log = (value: number): number => Math.log(Math.min(MOST_RATE, Math.max(LEAST_RATE, value)))
    for (let index = 0; index < SIMILARITIES.length; index++) put(log(rate(index, PRIOR_STEPS)))
    put(Math.log(prior))
    sums.forEach((sum, index) => {
      put(Math.log(0.1 + sum))
      sums[index] = sum + rate(index, STRONG_PRIOR_STEPS)
    })
    for (const index of TRUSTED) {
      const trusted = log(rate(index, STRONG_PRIOR_STEPS))
      const evidence = Math.log1p(tally.steps[index] ?? 0)
      put(evidence)
      put(trusted * evidence)
      put(trusted * trusted)
    }
    put(step === 0 ? 1 : 0)
    put(step === 1 ? 1 : 0)
    put(Math.log(step + 1))
    put(Math.log(step + 1) ** 2)
    for (const value of shared) put(value)
  }
  return features
}

/** Features that are the same at each step: recent activity of the prefix, and how long it has been known. */
function prefixFeatures(gaps: readonly IdleGap[], now: number): number[] {
  const first = gaps[0]?.startAt ?? now
  const since = (ms: number): number => gaps.filter(({ startAt }) => startAt >= now - ms).length
  const idle = (ms: number): number => {
    const from = Math.max(first, now - ms)
    const sum = gaps.reduce(
      (all, gap) => all + Math.max(0, gap.startAt + gap.lengthMs - Math.max(gap.startAt, from)),
      0,
    )
    return 1 - sum / (now - from + 10 * MINUTE_MS)
  }
  const run = (longer: number): [number, number] => {
    const index = gaps.findLastIndex(({ lengthMs }) => lengthMs > longer)
    const gap = gaps[index]
    const from = gap === undefined ? first : gap.startAt + gap.lengthMs
    return [Math.log1p((now - from) / 1000), Math.log1p(gaps.length - 1 - index)]
  }
  const days = (now - first) / DAY_MS
  return [
    Math.log1p(gaps.length),
    Math.log(days * 24 + 0.05),
    Math.log1p(since(HOUR_MS)),
    Math.log1p(since(6 * HOUR_MS)),
    Math.log1p(since(DAY_MS)),
    Math.log1p(since(7 * DAY_MS)),
    idle(DAY_MS),
    idle(7 * DAY_MS),
    Math.log1p(gaps.length / (days * 24 + 0.2)),
    ...run(30 * MINUTE_MS),
    ...run(2 * HOUR_MS),
  ]
}

/** Idle steps and returns of a prefix, by kind of day, half hour of the day and gap age. Old gaps are decayed. */
class IdleHistory {
  #steps = new Float64Array(2 * CLOCKS * AGES)
  #returns = new Float64Array(2 * CLOCKS * AGES)
  /** Sums without the age, with slow and with fast decay; then sums by age alone. */
  #flat = new Tally(2 * CLOCKS)
  #fast = new Tally(2 * CLOCKS)
  #aged = new Tally(AGES)

  constructor(gaps: readonly IdleGap[], now: number) {
    const piece = HALF_HOUR_MS / STEP_MS
    for (const { startAt, lengthMs } of gaps) {
      if (lengthMs < YOUNGEST_MS) continue
      const days = Math.max(0, now - startAt - lengthMs) / DAY_MS
      const slow = FADE_PER_DAY ** days
      const fast = FAST_FADE_PER_DAY ** days
      for (let age = YOUNGEST_MS; age < lengthMs && age < OLDEST_MS; age += HALF_HOUR_MS) {
        const middle = age + HALF_HOUR_MS / 2
        const clock = clockOf(startAt + middle)
        const aged = ageOf(middle)
        const cell = clock * AGES + aged
        const ends = age + HALF_HOUR_MS >= lengthMs ? 1 : 0
        const idle = ends === 1 ? ((lengthMs - age) / HALF_HOUR_MS) * piece : piece
        this.#steps[cell] = (this.#steps[cell] ?? 0) + slow * idle
        this.#returns[cell] = (this.#returns[cell] ?? 0) + slow * ends
        this.#flat.add(clock, slow * idle, slow * ends)
        this.#fast.add(clock, fast * idle, fast * ends)
        this.#aged.add(aged, slow * idle, slow * ends)
      }
    }
  }

  /** Adds to `sum` the weighted idle steps and returns at moments similar to `at`, when the gap is `ageMs` old. */
  near(at: number, ageMs: number, similarity: Similarity, sum: Tally, index: number): void {
    const { clock, age, other, fast } = similarity
    const aged = ageOf(ageMs)
    if (clock === null) {
      for (let near = 0; near < AGES; near++) {
        const weight = age?.[Math.abs(near - aged)] ?? 0
        sum.add(index, weight * (this.#aged.steps[near] ?? 0), weight * (this.#aged.returns[near] ?? 0))
      }
      return
    }
    const here = clockOf(at)
    const today = here < CLOCKS ? 0 : CLOCKS
    const flat = fast ? this.#fast : this.#flat
    const wide = clock.length - 1
    const reach = age === null ? 0 : age.length - 1
    let steps = 0
    let returns = 0
    for (let apart = -wide; apart <= wide; apart++) {
      const half = (here - today + apart + CLOCKS) % CLOCKS
      for (let day = 0; day <= CLOCKS; day += CLOCKS) {
        const row = day + half
        if (this.#flat.steps[row] === 0) continue
        const near = (clock[Math.abs(apart)] ?? 0) * (day === today ? 1 : other)
        if (age === null) {
          returns += near * (flat.returns[row] ?? 0)
          steps += near * (flat.steps[row] ?? 0)
          continue
        }
        const last = Math.min(AGES - 1, aged + reach)
        for (let like = Math.max(0, aged - reach); like <= last; like++) {
          const weight = near * (age[Math.abs(like - aged)] ?? 0)
          returns += weight * (this.#returns[row * AGES + like] ?? 0)
          steps += weight * (this.#steps[row * AGES + like] ?? 0)
        }
      }
    }
    sum.add(index, steps, returns)
  }
}

class Tally {
  readonly steps: Float64Array
  readonly returns: Float64Array
  constructor(size: number) {
    this.steps = new Float64Array(size)
    this.returns = new Float64Array(size)
  }
  add(index: number, steps: number, returns: number): void {
    this.steps[index] = (this.steps[index] ?? 0) + steps
    this.returns[index] = (this.returns[index] ?? 0) + returns
  }
}

/** One side of a bell curve with standard deviation `width`, sampled every `step`, as far as its weight exceeds 0.04. */
function bell(step: number, width: number): number[] {
  const reach = Math.ceil((2.5 * width) / step)
  return Array.from({ length: reach + 1 }, (_, apart) => Math.exp(-0.5 * ((apart * step) / width) ** 2))
}

function ageOf(ageMs: number): number {
  return Math.max(0, Math.min(AGES - 1, Math.floor(Math.log(ageMs / YOUNGEST_MS) / AGE_RATIO)))
}

/** Index of the half hour of the UTC day; Saturday and Sunday come after working days. The epoch was a Thursday. */
function clockOf(at: number): number {
  const day = Math.floor(at / DAY_MS)
  const weekend = (((day + 3) % 7) + 7) % 7 >= 5
  return Math.floor((at - day * DAY_MS) / HALF_HOUR_MS) + (weekend ? CLOCKS : 0)
}

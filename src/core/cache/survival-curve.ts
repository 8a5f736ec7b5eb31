import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/**
 * Which share of entries is still readable after a time without use: counted by bands of that time and by classes of size, from answers
 * whose cause can only be the lifetime of the entry. Pure counts; the odds of limits stand in `Lifetimes`.
 */

/** Ends of the bands. Each stated retention on offer is one of them, so that no band reaches beyond it. */
export const BAND_ENDS_MS: readonly number[] = [
  ...[1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 4, 8, 12, 24].map((hours) => hours * HOUR_MS),
]
/** Ends of the classes of size, in tokens. What is larger is the last class. */
export const SIZE_ENDS: readonly number[] = [4_096, 16_384, 65_536]
/** A size in the middle of each class, which stands for it where an amount of money is needed. */
export const TYPICAL_TOKENS: readonly number[] = [2_048, 8_192, 32_768, 131_072]
/** Number of classes of size. */
const SIZES = SIZE_ENDS.length + 1

/** Answers that a curve needs before anybody goes by it. */
export const ENOUGH_SAMPLES = 20
/** Answers that one band counts at most, so that a thousand new ones outweigh all that is known. */
export const MOST_SAMPLES = 1_000
/** An answer counts e times less after this. What providers do changes, and what is not seen again must be tried again. */
const COUNTS_FOR_MS = 7 * DAY_MS
/** A younger entry may not be readable yet, or another request may be writing it. */
export const YOUNGEST_MS = 10_000
/** Two-sided 95 %. */
const Z = 1.96

/** Counts of one band, with fractions: older answers count less, and a limit may explain a part of a loss. Stored, as its end in ms leads. */
export type BandCount = [endMs: number, readable: number, gone: number]

/** Counts of one model and retention, which faded last at `at`. Stored. */
export interface SurvivalCounts {
  at: number
  sizes: [size: number, bands: BandCount[]][]
}

/** One band of a curve. Bounds and shares never rise from one band to the next. */
export interface SurvivalBand {
  fromMs: number
  endMs: number
  /** Answers in this band, and those that found the entry. */
  samples: number
  readable: number
  /** Null where no answer fell into the band. */
  share: number | null
  lower: number
  upper: number
}

/** Whose answers a curve rests on: the class of size, that and its neighbours, all sizes of the model, or all models of the provider. */
export type SurvivalBasis = 'size' | 'neighbours' | 'model' | 'provider'

export interface Survival {
  basis: SurvivalBasis
  /** Answers behind it, the older ones counted in part. */
  samples: number
  bands: SurvivalBand[]
}

/** The class of size that a prefix of so many tokens belongs to. */
export function sizeOf(tokens: number): number {
  const size = SIZE_ENDS.findIndex((end) => tokens < end)
  return size === -1 ? SIZES - 1 : size
}

/** The counts after an answer at `at` that found an entry, or not, which was last used `ageMs` before. `weight`: 1, or the part that counts. */
export function counted(
  before: SurvivalCounts | undefined,
  { tokens, ageMs, found, weight }: { tokens: number; ageMs: number; found: boolean; weight: number },
  at: number,
): SurvivalCounts | undefined {
  const endMs = BAND_ENDS_MS.find((end) => ageMs <= end)
  if (endMs === undefined || ageMs < YOUNGEST_MS || rounded(weight) === 0) return before
  const size = sizeOf(tokens)
  const faded = countsAt(before, at)
  const bands = faded.sizes.find(([one]) => one === size)?.[1] ?? []
  const [, readable, gone] = bands.find(([end]) => end === endMs) ?? [endMs, 0, 0]
  const grown = capped([endMs, readable + (found ? weight : 0), gone + (found ? 0 : weight)])
  const others = bands.filter(([end]) => end !== endMs)
  const after = [...others, grown].toSorted(([a], [b]) => a - b)
  const sizes = [...faded.sizes.filter(([one]) => one !== size), [size, after] as [number, BandCount[]]]
  return { at: faded.at, sizes: sizes.toSorted(([a], [b]) => a - b) }
}

function capped([endMs, readable, gone]: BandCount): BandCount {
  const kept = Math.min(1, MOST_SAMPLES / (readable + gone))
  return [endMs, rounded(readable * kept), rounded(gone * kept)]
}

const rounded = (count: number): number => Number(count.toFixed(2))

/** The counts as they are worth at `at`: they fade by the hour, so that they stay short in their row. Bands whose answers have faded are gone. */
function countsAt(counts: SurvivalCounts | undefined, at: number): SurvivalCounts {
  if (counts === undefined) return { at, sizes: [] }
  const fadedMs = Math.floor(Math.max(0, at - counts.at) / HOUR_MS) * HOUR_MS
  if (fadedMs === 0) return counts
  const kept = Math.exp(-fadedMs / COUNTS_FOR_MS)
  // Rounded down: a small count would never fade otherwise.
  const faded = (count: number): number => Math.floor(count * kept * 100) / 100
  const sizes = counts.sizes.flatMap(([size, bands]): SurvivalCounts['sizes'] => {
    const left = bands
      .map(([end, readable, gone]): BandCount => [end, faded(readable), faded(gone)])
      .filter(([, readable, gone]) => readable + gone >= 0.05)
    return left.length === 0 ? [] : [[size, left]]
  })
  return { at: counts.at + fadedMs, sizes }
}

/** The classes of size of which there are answers at `at`, each with their number. */
export function sizesCounted(counts: SurvivalCounts | undefined, at: number): { size: number; samples: number }[] {
  return countsAt(counts, at).sizes.map(([size, bands]) => ({ size, samples: samplesOf(bands) }))
}

/**
 * The curve for a class of size at `now`, up to `mostMs`. A class with fewer than `ENOUGH_SAMPLES` takes its neighbours in, then all
 * sizes, then `others`, the same retention of other models of the provider. Undefined: there is no answer at all.
 */
export function survivalOf(
  own: SurvivalCounts | undefined,
  size: number,
  now: number,
  mostMs: number,
  others: () => readonly (SurvivalCounts | undefined)[],
): Survival | undefined {
  const ownSizes = countsAt(own, now).sizes
  const within = (reach: number) => ownSizes.flatMap(([one, bands]) => (Math.abs(one - size) <= reach ? [bands] : []))
  const pools: [SurvivalBasis, () => BandCount[][]][] = [
    ['size', () => within(0)],
    ['neighbours', () => within(1)],
    ['model', () => within(SIZES)],
    [
      'provider',
      () => [...within(SIZES), ...others().flatMap((one) => countsAt(one, now).sizes.map(([, bands]) => bands))],
    ],
  ]
  const ends = BAND_ENDS_MS.filter((_, index) => (BAND_ENDS_MS[index - 1] ?? 0) < mostMs)
  let widest: Survival | undefined
  for (const [basis, pool] of pools) {
    const counts = summed(pool()).filter(([end]) => ends.includes(end))
    const samples = samplesOf(counts)
    // A wider pool without a further answer is no other pool.
    if (samples > (widest?.samples ?? 0)) widest = { basis, samples, bands: curveOf(counts, ends, mostMs) }
    if (samples >= ENOUGH_SAMPLES) break
  }
  return widest
}

const samplesOf = (bands: readonly BandCount[]): number =>
  bands.reduce((sum, [, readable, gone]) => sum + readable + gone, 0)

function summed(pool: readonly (readonly BandCount[])[]): BandCount[] {
  const sums = new Map<number, BandCount>()
  for (const [end, readable, gone] of pool.flat()) {
    const [, before, goneBefore] = sums.get(end) ?? [end, 0, 0]
    sums.set(end, [end, before + readable, goneBefore + gone])
  }
  return [...sums.values()].filter(([, readable, gone]) => readable + gone > 0).toSorted(([a], [b]) => a - b)
}

/** Neighbouring bands that are counted as one, because the later of them would have the larger share. */
interface Block {
  readable: number
  samples: number
  /** Ends of the first and the last of its bands that hold answers. */
  fromEnd: number
  toEnd: number
}

/**
 * An entry that is readable after some time was so before. Bands that contradict this are pooled (pool adjacent violators). The bounds
 * are Wilson's of such a pool; a band has the best lower bound of those from it on, and the best upper bound of those up to it.
 */
function curveOf(counts: readonly BandCount[], ends: readonly number[], mostMs: number): SurvivalBand[] {
  const blocks: Block[] = []
  for (const [end, readable, gone] of counts) {
    let block: Block = { readable, samples: readable + gone, fromEnd: end, toEnd: end }
    for (let last = blocks.at(-1); last !== undefined && shareOf(last) <= shareOf(block); last = blocks.at(-1)) {
      blocks.pop()
      block = {
        readable: last.readable + block.readable,
        samples: last.samples + block.samples,
        fromEnd: last.fromEnd,
        toEnd: block.toEnd,
      }
    }
    blocks.push(block)
  }
  const bounded = blocks.map((block) => ({ ...block, bounds: wilson(block.readable, block.samples) }))
  const known = new Map(counts.map((count) => [count[0], count]))
  return ends.map((end, index): SurvivalBand => {
    const [, readable, gone] = known.get(end) ?? [end, 0, 0]
    const own = blocks.find(({ fromEnd, toEnd }) => end >= fromEnd && end <= toEnd)
    const lowers = bounded.flatMap(({ toEnd, bounds }) => (toEnd >= end ? [bounds[0]] : []))
    const uppers = bounded.flatMap(({ fromEnd, bounds }) => (fromEnd <= end ? [bounds[1]] : []))
    return {
      fromMs: ends[index - 1] ?? 0,
      // The last band of a retention that is no end of a band is cut short.
      endMs: Math.min(end, mostMs),
      samples: readable + gone,
      readable,
      share: own === undefined || readable + gone === 0 ? null : shareOf(own),
      lower: Math.max(0, ...lowers),
      upper: Math.min(1, ...uppers),
    }
  })
}

const shareOf = ({ readable, samples }: Block): number => readable / samples

/** Wilson's interval of a share, at 95 %. */
function wilson(readable: number, samples: number): [lower: number, upper: number] {
  const share = readable / samples
  const weight = Z ** 2 / samples
  const middle = (share + weight / 2) / (1 + weight)
  const spread = (Z / (1 + weight)) * Math.sqrt((share * (1 - share)) / samples + weight / (4 * samples))
  // At 0 and 1 a bound is the share itself, but for the rounding of its terms.
  return [Math.min(share, Math.max(0, middle - spread)), Math.max(share, Math.min(1, middle + spread))]
}

/** The band of an age; undefined beyond the curve. */
export function bandAt({ bands }: Pick<Survival, 'bands'>, ageMs: number): SurvivalBand | undefined {
  return bands.find(({ endMs }) => ageMs <= endMs)
}

import { PRIOR } from './demand-prior.ts'

/** Kinds of traffic: how common each is, and the odds of its gap lengths. */
export type Prior = typeof PRIOR

/** One idle time between two real requests. */
export interface IdleGap {
  startAt: number
  lengthMs: number
}

/** Lengths that an idle gap may turn out to have, with weights that sum to 1. `Infinity`: nobody returns. */
export interface Foresight {
  lengthsMs: number[]
  weights: number[]
  /** How many remembered gaps it rests on. */
  seen: number
}

/** Gaps shorter than this are traffic: no retention on offer needs a probe in them. */
export const SHORTEST_GAP_MS = 240_000
/** Remembered per prefix: at most a kilobyte of its row. */
export const REMEMBERED_GAPS = 64

const DAY_MS = 86_400_000
/** The kinds of traffic together weigh as much as this many remembered gaps. */
const PRIOR_GAPS = 12
const FADE = 0.985
/** Hours that a time of day reaches to each side, and what a gap from the other side of the clock still weighs. */
const HOURS_WIDE = 3
const HOURS_FLOOR = 0.1
/** What a gap of a working day tells of the weekend, and the reverse. */
const OTHER_KIND_OF_DAY = 0.5

/** Remembers a gap that ended; the oldest leaves when there are too many. Returns a new list, oldest first. */
export function remember(gaps: readonly IdleGap[], gap: IdleGap): IdleGap[] {
  if (!(gap.lengthMs >= SHORTEST_GAP_MS)) return [...gaps]
  return [...gaps.slice(Math.max(0, gaps.length + 1 - REMEMBERED_GAPS)), gap]
}

/** Bin of a gap's length among those of the prior; lengths beyond the last bin belong to it. */
export function binOf(lengthMs: number): number {
  const bin = Math.floor(Math.log(lengthMs / SHORTEST_GAP_MS) / Math.log(PRIOR.step))
  return Math.max(0, Math.min(PRIOR.bins - 1, bin))
}

/** The length that stands for a bin. */
export function lengthOf(bin: number): number {
  return SHORTEST_GAP_MS * PRIOR.step ** (bin + 0.5)
}

/** How likely each kind of traffic is, from the prefix's own gaps: Bayes' rule, its evidence tempered. */
export function kindsOf(gaps: readonly IdleGap[], prior: Prior = PRIOR): number[] {
  const logs = prior.kinds.map(({ share }) => Math.log(share))
  for (const { lengthMs } of gaps) {
    const bin = binOf(lengthMs)
    prior.kinds.forEach(({ odds }, kind) => {
      logs[kind] = (logs[kind] ?? 0) + prior.temper * Math.log(odds[bin] ?? 1e-9)
    })
  }
  const most = Math.max(...logs)
  const odds = logs.map((log) => Math.exp(log - most))
  const sum = odds.reduce((a, b) => a + b, 0)
  return odds.map((value) => value / sum)
}

/**
 * What the gap that begins at `now` may be: the prefix's own gaps, those that began at a like time of day and on a like day
 * weighing more, and kinds of traffic that the own gaps resemble. UTC days, since a prefix has no time zone.
 */
export function foresee(gaps: readonly IdleGap[], now: number, prior: Prior = PRIOR): Foresight {
  const lengthsMs: number[] = []
  const weights: number[] = []
  gaps.forEach(({ startAt, lengthMs }, index) => {
    const apart = Math.abs(hourOf(now) - hourOf(startAt))
    const hours = Math.min(apart, 24 - apart)
    const near = HOURS_FLOOR + (1 - HOURS_FLOOR) * Math.exp(-0.5 * (hours / HOURS_WIDE) ** 2)
    const day = weekend(now) === weekend(startAt) ? 1 : OTHER_KIND_OF_DAY
    lengthsMs.push(lengthMs)
    weights.push(near * day * FADE ** (gaps.length - 1 - index))
  })
  kindsOf(gaps, prior).forEach((share, kind) => {
    const odds = prior.kinds[kind]?.odds ?? []
    odds.forEach((chance, bin) => {
      const weight = PRIOR_GAPS * share * chance
      if (weight < 1e-4) return
      const last = bin === prior.bins
      lengthsMs.push(last ? Number.POSITIVE_INFINITY : lengthOf(bin))
      weights.push(weight)
    })
  })
  const sum = weights.reduce((a, b) => a + b, 0)
  return { lengthsMs, weights: weights.map((weight) => weight / sum), seen: gaps.length }
}

/** Gaps as a row keeps them: start and length of each in whole seconds, one after the other. */
export function unpackGaps(packed: readonly number[]): IdleGap[] {
  const gaps: IdleGap[] = []
  for (let index = 0; index + 1 < packed.length; index += 2) {
    gaps.push({ startAt: (packed[index] ?? 0) * 1_000, lengthMs: (packed[index + 1] ?? 0) * 1_000 })
  }
  return gaps
}

/** The reverse of `unpackGaps`, after a real request at `at`. One that is reported late splits the gap that it fell into. */
export function learnArrival(packed: readonly number[], lastAt: number | null, at: number): readonly number[] {
  if (lastAt === null || at === lastAt) return packed
  const gaps = unpackGaps(packed)
  if (at > lastAt) {
    if (at - lastAt < SHORTEST_GAP_MS) return packed
    return packGaps(remember(gaps, { startAt: lastAt, lengthMs: at - lastAt }))
  }
  const inside = gaps.findIndex(({ startAt, lengthMs }) => at > startAt && at < startAt + lengthMs)
  const gap = gaps[inside]
  if (gap === undefined) return packed
  const halves = [
    { startAt: gap.startAt, lengthMs: at - gap.startAt },
    { startAt: at, lengthMs: gap.startAt + gap.lengthMs - at },
  ].filter(({ lengthMs }) => lengthMs >= SHORTEST_GAP_MS)
  return packGaps(gaps.toSpliced(inside, 1, ...halves).slice(-REMEMBERED_GAPS))
}

function packGaps(gaps: readonly IdleGap[]): number[] {
  return gaps.flatMap(({ startAt, lengthMs }) => [Math.round(startAt / 1_000), Math.round(lengthMs / 1_000)])
}

function hourOf(at: number): number {
  return (((at % DAY_MS) + DAY_MS) % DAY_MS) / 3_600_000
}

/** Saturday or Sunday in UTC; the epoch was a Thursday. */
function weekend(at: number): boolean {
  const day = (((Math.floor(at / DAY_MS) + 3) % 7) + 7) % 7
  return day >= 5
}

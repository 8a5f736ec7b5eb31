/** An idle time between two real requests: its start in epoch ms, and its length. */
export interface IdleGap {
  startAt: number
  lengthMs: number
}

/** Shorter gaps count as continuous traffic: no offered retention needs a probe in them. */
export const SHORTEST_GAP_MS = 240_000

/** Gaps that are kept: the latest 64, and 64 older long ones. That is at most 2 kB of a prefix's row. */
export const RECENT_GAPS = 64

/** An older gap is kept if it lasted this long. */
const LONG_MS = 3_300_000

/** Adds a gap that ended, and drops old gaps beyond the limit. Returns a new list, oldest first. */
export function addGap(gaps: readonly IdleGap[], gap: IdleGap): IdleGap[] {
  if (!(gap.lengthMs >= SHORTEST_GAP_MS)) return [...gaps]
  return dropOld([...gaps, gap])
}

function dropOld(gaps: readonly IdleGap[]): IdleGap[] {
  const older = gaps.slice(0, -RECENT_GAPS).filter(({ lengthMs }) => lengthMs >= LONG_MS)
  return [...older.slice(-RECENT_GAPS), ...gaps.slice(-RECENT_GAPS)]
}

/** Reads gaps as a row stores them: start and length of each, in whole seconds. */
export function unpackGaps(packed: readonly number[]): IdleGap[] {
  const gaps: IdleGap[] = []
  for (let index = 0; index + 1 < packed.length; index += 2) {
    gaps.push({ startAt: (packed[index] ?? 0) * 1_000, lengthMs: (packed[index + 1] ?? 0) * 1_000 })
  }
  return gaps
}

/** Updates the stored gaps after a real request at `at`. A request that is reported late splits the gap that it lies in. */
export function gapsAfterArrival(packed: readonly number[], lastAt: number | null, at: number): readonly number[] {
  if (lastAt === null || at === lastAt) return packed
  const gaps = unpackGaps(packed)
  if (at > lastAt) {
    if (at - lastAt < SHORTEST_GAP_MS) return packed
    return packGaps(addGap(gaps, { startAt: lastAt, lengthMs: at - lastAt }))
  }
  const index = gaps.findIndex(({ startAt, lengthMs }) => at > startAt && at < startAt + lengthMs)
  const gap = gaps[index]
  if (gap === undefined) return packed
  const halves = [
    { startAt: gap.startAt, lengthMs: at - gap.startAt },
    { startAt: at, lengthMs: gap.startAt + gap.lengthMs - at },
  ].filter(({ lengthMs }) => lengthMs >= SHORTEST_GAP_MS)
  return packGaps(dropOld(gaps.toSpliced(index, 1, ...halves)))
}

function packGaps(gaps: readonly IdleGap[]): number[] {
  return gaps.flatMap(({ startAt, lengthMs }) => [Math.round(startAt / 1_000), Math.round(lengthMs / 1_000)])
}

/** One idle time between two real requests. */
export interface IdleGap {
  startAt: number
  lengthMs: number
}

/** Gaps shorter than this are traffic: no retention on offer needs a probe in them. */
export const SHORTEST_GAP_MS = 240_000

/** The latest gaps are remembered whole, and as many older ones that were long: at most two kilobytes of a prefix's row. */
export const REMEMBERED_GAPS = 64

const LONG_MS = 3_300_000

/** Remembers a gap that ended; what is neither late nor long is forgotten. Returns a new list, oldest first. */
export function remember(gaps: readonly IdleGap[], gap: IdleGap): IdleGap[] {
  if (!(gap.lengthMs >= SHORTEST_GAP_MS)) return [...gaps]
  return forget([...gaps, gap])
}

function forget(gaps: readonly IdleGap[]): IdleGap[] {
  const older = gaps.slice(0, -REMEMBERED_GAPS).filter(({ lengthMs }) => lengthMs >= LONG_MS)
  return [...older.slice(-REMEMBERED_GAPS), ...gaps.slice(-REMEMBERED_GAPS)]
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
  return packGaps(forget(gaps.toSpliced(inside, 1, ...halves)))
}

function packGaps(gaps: readonly IdleGap[]): number[] {
  return gaps.flatMap(({ startAt, lengthMs }) => [Math.round(startAt / 1_000), Math.round(lengthMs / 1_000)])
}

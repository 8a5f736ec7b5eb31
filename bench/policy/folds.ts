import type { Stream } from './traces.ts'

/**
 * Assigns a fold to each stream. Streams of one origin go into one fold: those whose names agree up to a `#`, and those of one source
 * in a family. Only a source that is larger than a fold of its family (a data set of many clients) is split.
 */
export function foldsOf(streams: readonly Stream[], folds: number): number[] {
  const assigned = streams.map(() => 0)
  const families = Map.groupBy(streams.keys(), (index) => streams[index]?.family)
  for (const indices of families.values()) {
    const sources = Map.groupBy(indices, (index) => streams[index]?.source)
    const groups = [...sources.values()].flatMap((of) =>
      of.length > indices.length / folds
        ? [...Map.groupBy(of, (index) => streams[index]?.name.split('#')[0]).values()]
        : [of],
    )
    const sizes = Array.from({ length: folds }, () => 0)
    for (const group of groups) {
      const least = sizes.indexOf(Math.min(...sizes))
      sizes[least] = (sizes[least] ?? 0) + group.length
      for (const index of group) assigned[index] = least
    }
  }
  return assigned
}

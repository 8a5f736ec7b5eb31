/** Bytes of each folder of a state, over time. */
import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** Bytes of the files that lie in each folder, by the folder's path below the root; `.` is the root. `counts`: which files, by name. */
export async function folderBytes(
  root: string,
  counts: (name: string) => boolean = () => true,
): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  const files = await readdir(root, { recursive: true, withFileTypes: true })
  for (const file of files) {
    if (!file.isFile() || !counts(file.name)) continue
    const name = relative(root, file.parentPath) || '.'
    const bytes = await stat(join(file.parentPath, file.name)).then(
      ({ size }) => size,
      () => 0, // it was just deleted
    )
    sums[name] = (sums[name] ?? 0) + bytes
  }
  return sums
}

export interface FolderSample {
  at: number
  bytes: Record<string, number>
}

export interface FolderGrowth {
  bytes: number
  /** Slope of a straight line through the second half of the samples. */
  bytes_per_hour: number
}

/** What each folder has at the end, and by how much it grew an hour. */
export function growthOf(samples: readonly FolderSample[]): Record<string, FolderGrowth> {
  const half = samples.slice(Math.floor(samples.length / 2))
  const last = samples.at(-1)?.bytes ?? {}
  return Object.fromEntries(
    Object.keys(last)
      .toSorted()
      .map((name) => {
        const points = half.map(({ at, bytes }) => [at, bytes[name] ?? 0] as const)
        return [name, { bytes: last[name] ?? 0, bytes_per_hour: Math.round(slopePerHour(points)) }]
      }),
  )
}

const HOUR_MS = 3_600_000

/** Slope of the straight line with the least squares, in units an hour; 0 where there is no line. */
export function slopePerHour(points: readonly (readonly [at: number, value: number])[]): number {
  const count = points.length
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / Math.max(1, count)
  const [meanAt, meanValue] = [mean(([at]) => at), mean(([, value]) => value)]
  let [above, below] = [0, 0]
  for (const [at, value] of points) {
    above += (at - meanAt) * (value - meanValue)
    below += (at - meanAt) ** 2
  }
  return below === 0 ? 0 : (above / below) * HOUR_MS
}

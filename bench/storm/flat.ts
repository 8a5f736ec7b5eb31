import { quantile } from '../figure.ts'
import { slopePerHour } from './folders.ts'

/** Memory and storage at one instant of a storm. */
export interface Sample {
  at: number
  memoryMb: number | null
  storageBytes: number
  /** Calls that the lab had received by then. */
  calls: number
}

export interface Flatness {
  /** Medians of the second and of the last third. */
  memoryMb: [second: number, last: number] | null
  memoryFlat: boolean
  storageMb: [second: number, last: number]
  /** What the state grew by in the second half for each call in it: the rows of the history, kept for seven days. */
  storageBytesPerCall: number
  storageFlat: boolean
  /** Slopes of straight lines through the second half of both series. */
  memoryMbPerHour: number
  storageMbPerHour: number
}

/** Most that the median of the last third may be above that of the second: a quarter, and what one collection of garbage frees. */
const MEMORY_SHARE = 1.25
const MEMORY_MB = 40
/** Most bytes for each call: its rows and their indexes. */
const BYTES_PER_CALL = 4_096
/** What logs in front of databases may hold back and then fold in at once. */
const FOLDED_BYTES = 4_000_000

/** Judges whether memory and storage stay flat. Storage may grow by the rows of calls, which are history and kept for a week, and by nothing else. */
export function flatness(samples: readonly Sample[]): Flatness {
  const third = (n: number): Sample[] =>
    samples.slice(Math.floor((samples.length * n) / 3), Math.floor((samples.length * (n + 1)) / 3))
  const median = (values: number[]): number => quantile(values, 0.5)
  const memoryOf = (some: Sample[]): number[] => some.flatMap(({ memoryMb }) => (memoryMb === null ? [] : [memoryMb]))
  const [second, last] = [third(1), third(2)]
  const before = memoryOf(second)
  const after = memoryOf(last)
  // A short storm may restart the product through a whole third.
  const memory = before.length === 0 || after.length === 0 ? null : ([median(before), median(after)] as const)
  const half = samples[Math.floor(samples.length / 2)]
  const end = samples.at(-1)
  const later = samples.slice(Math.floor(samples.length / 2))
  const points = later.flatMap(({ at, memoryMb }) => (memoryMb === null ? [] : [[at, memoryMb] as const]))
  const calls = (end?.calls ?? 0) - (half?.calls ?? 0)
  const grown = (end?.storageBytes ?? 0) - (half?.storageBytes ?? 0)
  const perCall = grown / Math.max(1, calls)
  return {
    memoryMb: memory === null ? null : [memory[0], memory[1]],
    memoryFlat: memory === null || memory[1] <= memory[0] * MEMORY_SHARE + MEMORY_MB,
    storageMb: [
      median(second.map(({ storageBytes }) => storageBytes)) / 1e6,
      median(last.map(({ storageBytes }) => storageBytes)) / 1e6,
    ],
    storageBytesPerCall: Math.round(perCall),
    memoryMbPerHour: rounded(slopePerHour(points)),
    storageMbPerHour: rounded(slopePerHour(later.map(({ at, storageBytes }) => [at, storageBytes / 1e6] as const))),
    storageFlat: grown <= calls * BYTES_PER_CALL + FOLDED_BYTES,
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/** One measured or computed figure, with its method. */
export interface Figure {
  name: string
  value: number
  unit: string
  /** The project's stated aim; absent if there is none. */
  aim?: string
  how: string
}

export interface Report {
  bench: string
  machine: string
  startedAt: string
  tookS: number
  figures: Figure[]
  /** Sentences that explain the figures. */
  notes: string[]
}

/** Prints progress to stderr. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Runs `work` and returns its result with the CPU seconds of this process. */
export async function cpuSeconds<Result>(
  work: () => Result | Promise<Result>,
): Promise<{ result: Result; cpuS: number }> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { result, cpuS: (user + system) / 1e6 }
}

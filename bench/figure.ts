/** One measured or computed figure, and how it was come by. */
export interface Figure {
  name: string
  value: number
  unit: string
  /** What we aim for, where the project states an aim. */
  aim?: string
  how: string
}

export interface Report {
  bench: string
  machine: string
  startedAt: string
  tookS: number
  figures: Figure[]
  /** What the figures mean together, in sentences. */
  notes: string[]
}

/** Progress, for people who wait: never on stdout. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** CPU seconds of this process while `work` ran, and what it returned. */
export async function cpuSeconds<Result>(
  work: () => Result | Promise<Result>,
): Promise<{ result: Result; cpuS: number }> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { result, cpuS: (user + system) / 1e6 }
}

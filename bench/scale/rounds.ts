import { quantile } from '../figure.ts'
import type { Figure } from '../figure.ts'

export interface Measured {
  /** Milliseconds of each call, and of all of them together. */
  ms: number[]
  totalMs: number
  /** Rows that the object read and wrote for one call. */
  rows: number
}

/** Calls `work` `count` times, at most `width` at once. */
export async function rounds(
  count: number,
  width: number,
  work: (n: number) => Promise<unknown>,
): Promise<{ ms: number[]; totalMs: number }> {
  const ms: number[] = []
  let next = 0
  const from = performance.now()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let n = next++; n < count; n = next++) {
        const startedAt = performance.now()
        await work(n)
        ms.push(performance.now() - startedAt)
      }
    }),
  )
  return { ms, totalMs: performance.now() - from }
}

/** One operation at each size. */
export interface Growth {
  name: string
  how: string
  sizes: number[]
  measured: Measured[]
}

const ratio = (of: readonly number[]): number => (of.at(-1) ?? Number.NaN) / Math.max(of[0] ?? 0, Number.MIN_VALUE)
const medians = ({ measured }: Growth): number[] => measured.map(({ ms }) => quantile(ms, 0.5))
const rows = ({ measured }: Growth): number[] => measured.map((one) => Math.max(1, one.rows))

/** Figures of an operation: median, p99 and rows at each size, and what grew from the first to the last. */
export function growthFigures(growth: Growth): Figure[] {
  const { name, how, sizes, measured } = growth
  const at = measured.flatMap((one, index): Figure[] => {
    const size = sizes[index]?.toLocaleString('en-US') ?? ''
    return [
      { name: `${name} at ${size}, median`, value: quantile(one.ms, 0.5), unit: 'ms', how },
      { name: `${name} at ${size}, p99`, value: quantile(one.ms, 0.99), unit: 'ms', how },
      { name: `${name} at ${size}, rows`, value: one.rows, unit: 'read and written for one call', how },
    ]
  })
  const span = `${sizes[0]?.toLocaleString('en-US')} to ${sizes.at(-1)?.toLocaleString('en-US')}`
  return [
    ...at,
    { name: `${name}, time`, value: ratio(medians(growth)), unit: '×', how: `its median from ${span}` },
    { name: `${name}, rows`, value: ratio(rows(growth)), unit: '×', how: `its rows from ${span}` },
  ]
}

/** The sentence that names what grows most with size, by rows and by time. */
export function firstBend(growths: readonly Growth[]): string {
  const worst = (of: (growth: Growth) => number): { growth: Growth; by: number } | undefined =>
    growths.map((growth) => ({ growth, by: of(growth) })).toSorted((a, b) => b.by - a.by)[0]
  const [inRows, inTime] = [worst((one) => ratio(rows(one))), worst((one) => ratio(medians(one)))]
  if (inRows === undefined || inTime === undefined) return 'Nothing was measured.'
  const { sizes } = inRows.growth
  const times = (sizes.at(-1) ?? 0) / (sizes[0] ?? 1)
  const [byRows, byTime] = [inRows.by.toPrecision(3), inTime.by.toPrecision(3)]
  return `The first thing that bends, at ${times.toPrecision(3)} × the size: ${inRows.growth.name} in rows (× ${byRows}), ${inTime.growth.name} in time (× ${byTime}).`
}

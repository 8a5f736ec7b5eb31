/**
 * Kinds of traffic, learned from a folder of traces: `node bench/policy/fit.ts DIR` prints src/core/demand/prior.ts.
 */
import { binOf } from '../../src/core/demand/forecast.ts'
import { PRIOR } from '../../src/core/demand/prior.ts'
import { readTraces } from './traces.ts'
import type { Stream } from './traces.ts'
import { SHORTEST_GAP_MS } from '../../src/core/demand/idle-gaps.ts'

export const KINDS = 6
const ROUNDS = 60
/** A stream counts as this many gaps at the most, so that a few busy ones do not drown the rest. */
const GAPS_PER_STREAM = 60
/** Silence that counts as "nobody returns". */
const NEVER_MS = 72_000_000

export type Kind = { share: number; odds: number[] }

/** A mixture of laws of the gap's length, by expectation and maximisation from a seeded start. */
export function fit(streams: readonly Stream[], kinds = KINDS): Kind[] {
  const bins = PRIOR.bins + 1
  const rows = streams.flatMap((stream) => {
    const row = new Float64Array(bins)
    for (const seconds of stream.lengths) {
      if (seconds * 1000 >= SHORTEST_GAP_MS) row[binOf(seconds * 1000)]! += 1
    }
    if (stream.lastLength * 1000 >= NEVER_MS) row[PRIOR.bins]! += 1
    const sum = row.reduce((a, b) => a + b, 0)
    if (sum === 0) return []
    const scale = Math.min(1, GAPS_PER_STREAM / sum)
    return [row.map((value) => value * scale)]
  })
  let seed = 20261121
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return seed / 2 ** 32
  }
  let parts = rows.map(() => {
    const draw = Array.from({ length: kinds }, () => random() ** 4)
    const sum = draw.reduce((a, b) => a + b, 0)
    return draw.map((value) => value / sum)
  })
  const overall = new Float64Array(bins).fill(0.05)
  for (const row of rows) row.forEach((value, bin) => (overall[bin]! += value))
  const total = overall.reduce((a, b) => a + b, 0)
  let mixture: Kind[] = []
  for (let round = 0; round < ROUNDS; round++) {
    mixture = Array.from({ length: kinds }, (_, kind) => {
      // Two gaps of the law of everything keep a rare kind from ruling out what it never saw.
      const odds = Array.from(overall, (value) => (2 * value) / total)
      let share = 0.5
      rows.forEach((row, index) => {
        const part = parts[index]?.[kind] ?? 0
        share += part
        row.forEach((value, bin) => (odds[bin]! += part * value))
      })
      const sum = odds.reduce((a, b) => a + b, 0)
      return { share, odds: odds.map((value) => value / sum) }
    })
    const all = mixture.reduce((sum, { share }) => sum + share, 0)
    mixture = mixture.map(({ share, odds }) => ({ share: share / all, odds }))
    parts = rows.map((row) => {
      const logs = mixture.map(({ share, odds }) => {
        let log = Math.log(share)
        row.forEach((value, bin) => (log += value * Math.log(odds[bin] ?? 1e-9)))
        return log
      })
      const most = Math.max(...logs)
      const chances = logs.map((log) => Math.exp(log - most))
      const sum = chances.reduce((a, b) => a + b, 0)
      return chances.map((value) => value / sum)
    })
  }
  return mixture.toSorted((a, b) => b.share - a.share)
}

/** The file that ships. */
export function priorFile(kinds: readonly Kind[]): string {
  const spell = (value: number): string => String(Number(value.toPrecision(3)))
  const rows = kinds.map(
    ({ share, odds }) => `    {\n      share: ${spell(share)},\n      odds: [${odds.map(spell).join(', ')}],\n    },`,
  )
  return `/**
 * Kinds of traffic as laws of the idle gap's length: made by \`node bench/policy/fit.ts DIR > src/core/demand/prior.ts\`, never
 * edited. Odds per bin (240 s, each 1.3 times as long as the one before), the last one for "nobody returns". DIR held the open
 * part of four families of public traces; docs/planner.md names the sources and their licences.
 */
export const PRIOR: { step: number; bins: number; temper: number; kinds: { share: number; odds: number[] }[] } = {
  step: ${PRIOR.step},
  bins: ${PRIOR.bins},
  temper: ${PRIOR.temper},
  kinds: [
${rows.join('\n')}
  ],
}
`
}

if (import.meta.main) process.stdout.write(priorFile(fit(readTraces(process.argv[2] ?? ''))))

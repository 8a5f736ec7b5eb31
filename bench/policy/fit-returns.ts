/**
 * Learns the weights of the return features from a folder of traces: `node bench/policy/fit-returns.ts DIR` prints
 * src/core/demand/return-weights.ts. Run it after fit.ts, because the kind of traffic is one of the features.
 */
import { kindProbabilities, typicalReturns } from '../../src/core/demand/forecast.ts'
import type { ForecastModel, Prior } from '../../src/core/demand/forecast.ts'
import { ageAt, returnFeatures, RETURN_FEATURES, STEPS } from '../../src/core/demand/return-features.ts'
import { fit } from './fit.ts'
import { PRIOR } from '../../src/core/demand/prior.ts'
import { priceRows } from './prices.ts'
import { oracleCost } from './simulate.ts'
import { readTraces } from './traces.ts'
import type { Stream } from './traces.ts'
import { addGap, RECENT_GAPS } from '../../src/core/demand/idle-gaps.ts'
import type { IdleGap } from '../../src/core/demand/idle-gaps.ts'

/** Training rows, one for each step of a gap: its features, whether a request came in it, and its weight. */
export interface Examples {
  features: Float32Array
  returned: Uint8Array
  weights: Float64Array
  count: number
}

/** Time before the lapse of an hour's retention at which its probe is due. A gap that lasts until then needs a decision. */
const DUE_BEFORE_MS = 300_000
/** Strength of the L2 regularisation, in rows, for weights of standardised features. */
const RIDGE = 100
const ROUNDS = 12

/** Fits both parts of the model to these streams. */
export function learn(streams: readonly Stream[]): ForecastModel {
  const prior = { ...PRIOR, kinds: fit(streams) }
  return { prior, returns: returnWeights(examplesOf(streams, prior)) }
}

export function examplesOf(streams: readonly Stream[], prior: Prior): Examples {
  const holdings = priceRows['anthropic']?.holdings ?? []
  // The money of a family is divided by the oracle's cost for it, as in the figure that the project aims at.
  const floors = new Map<string, number>()
  for (const stream of streams) {
    floors.set(stream.family, (floors.get(stream.family) ?? 0) + oracleCost(stream, holdings, 0))
  }
  const decided = ({ lengths, lastLength }: Stream): number[] =>
    [...lengths, lastLength].map((seconds) => stepsOf(seconds * 1000)).filter((steps) => steps > 0)
  const count = streams.flatMap(decided).reduce((a, b) => a + b, 0)
  const examples: Examples = {
    features: new Float32Array(count * RETURN_FEATURES),
    returned: new Uint8Array(count),
    weights: new Float64Array(count),
    count,
  }
  let row = 0
  for (const stream of streams) {
    let gaps: IdleGap[] = []
    const look = (startAt: number, lengthMs: number, index: number, ended: boolean): void => {
      const steps = stepsOf(lengthMs)
      if (steps === 0) return
      const usual = typicalReturns(kindProbabilities(gaps.slice(-RECENT_GAPS), prior), steps, prior)
      const requests = stream.counted[index]
      if (requests === undefined) throw new Error(`stream ${stream.name}: no count of requests at gap ${index}`)
      examples.features.set(returnFeatures(gaps, startAt, usual, requests), row * RETURN_FEATURES)
      for (let step = 0; step < steps; step++, row++) {
        examples.returned[row] = ended && lengthMs > ageAt(step) && lengthMs <= ageAt(step + 1) ? 1 : 0
        examples.weights[row] = 1 / (floors.get(stream.family) ?? 1)
      }
    }
    stream.starts.forEach((start, index) => {
      const gap = { startAt: start * 1000, lengthMs: (stream.lengths[index] ?? 0) * 1000 }
      look(gap.startAt, gap.lengthMs, index, true)
      gaps = addGap(gaps, gap)
    })
    look(stream.lastStart * 1000, stream.lastLength * 1000, stream.starts.length, false)
  }
  const mean = examples.weights.reduce((a, b) => a + b, 0) / Math.max(1, count)
  examples.weights = examples.weights.map((weight) => weight / mean)
  return examples
}

/** Number of steps of a gap at which a probe could have been due. */
function stepsOf(lengthMs: number): number {
  let steps = 0
  while (steps < STEPS && lengthMs > ageAt(steps) - DUE_BEFORE_MS) steps++
  return steps
}

/** Logistic regression by Newton's method. The last weight is the intercept. */
export function returnWeights({ features, returned, weights, count }: Examples): number[] {
  const used = RETURN_FEATURES
  const size = used + 1
  const mean = new Float64Array(size)
  const deviation = new Float64Array(size).fill(1)
  for (let row = 0; row < count; row++)
    for (let sign = 0; sign < used; sign++) mean[sign]! += (features[row * RETURN_FEATURES + sign] ?? 0) / count
  const squares = new Float64Array(used)
  for (let row = 0; row < count; row++)
    for (let sign = 0; sign < used; sign++)
      squares[sign]! += ((features[row * RETURN_FEATURES + sign] ?? 0) - mean[sign]!) ** 2
  squares.forEach((sum, sign) => (deviation[sign] = Math.sqrt(sum / count) + 1e-9))
  const found = new Float64Array(size)
  const one = new Float64Array(size).fill(1)
  for (let round = 0; round < ROUNDS; round++) {
    const slope = new Float64Array(size)
    const bend = new Float64Array(size * size)
    for (let row = 0; row < count; row++) {
      let sum = found[used]!
      for (let sign = 0; sign < used; sign++) {
        one[sign] = (features[row * RETURN_FEATURES + sign]! - mean[sign]!) / deviation[sign]!
        sum += found[sign]! * one[sign]!
      }
      const chance = 1 / (1 + Math.exp(-sum))
      const miss = weights[row]! * (chance - returned[row]!)
      const curve = weights[row]! * Math.max(1e-6, chance * (1 - chance))
      for (let a = 0; a < size; a++) {
        slope[a]! += miss * one[a]!
        const part = curve * one[a]!
        for (let b = 0; b <= a; b++) bend[a * size + b]! += part * one[b]!
      }
    }
    for (let a = 0; a < used; a++) {
      slope[a]! += 2 * RIDGE * found[a]!
      bend[a * size + a]! += 2 * RIDGE
    }
    const change = solved(bend, slope, size)
    let most = 0
    for (let a = 0; a < size; a++) {
      found[a]! -= change[a]!
      most = Math.max(most, Math.abs(change[a]!))
    }
    if (most < 1e-6) break
  }
  const raw = Array.from({ length: used }, (_, sign) => found[sign]! / deviation[sign]!)
  return [...raw, found[used]! - raw.reduce((sum, weight, sign) => sum + weight * mean[sign]!, 0)]
}

/** Solves a symmetric positive definite system, given by its lower half, by Cholesky decomposition. */
function solved(lower: Float64Array, right: Float64Array, size: number): Float64Array {
  const factor = new Float64Array(size * size)
  const result = new Float64Array(right)
  for (let a = 0; a < size; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = lower[a * size + b]!
      for (let c = 0; c < b; c++) sum -= factor[a * size + c]! * factor[b * size + c]!
      factor[a * size + b] = a === b ? Math.sqrt(Math.max(sum, 1e-12)) : sum / factor[b * size + b]!
    }
  }
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < a; b++) result[a]! -= factor[a * size + b]! * result[b]!
    result[a]! /= factor[a * size + a]!
  }
  for (let a = size - 1; a >= 0; a--) {
    for (let b = a + 1; b < size; b++) result[a]! -= factor[b * size + a]! * result[b]!
    result[a]! /= factor[a * size + a]!
  }
  return result
}

/** Text of src/core/demand/return-weights.ts. */
export function weightsFile(returns: readonly number[]): string {
  return `/**
 * Weights of the return features (return-features.ts), the intercept last. Generated by \`node bench/policy/fit-returns.ts DIR\`,
 * never edited. DIR held the open part of four families of public traces; docs/planner.md names the sources and their licences.
 */
export const RETURN_WEIGHTS: readonly number[] = [
${returns.map((weight) => `  ${Number(weight.toPrecision(5))},`).join('\n')}
]
`
}

if (import.meta.main)
  process.stdout.write(weightsFile(returnWeights(examplesOf(readTraces(process.argv[2] ?? ''), PRIOR))))

import { parseArgs } from 'node:util'
import { say } from '../figure.ts'
import { maxProbes } from '../../src/core/planning/probe-policy.ts'
import type { Holding } from '../../src/core/planning/probe-policy.ts'
import type { ForecastModel } from '../../src/core/demand/forecast.ts'
import { synthetic } from './families.ts'
import { learn } from './fit-returns.ts'
import { foldsOf } from './folds.ts'
import { priceRows } from './prices.ts'
import type { PriceRow } from './prices.ts'
import { oracleOutcome, fixedProbes, pilotlight, play, randomised } from './simulate.ts'
import type { Outcome } from './simulate.ts'
import { readTraces, TraceError } from './traces.ts'
import type { Stream } from './traces.ts'
import { tableOf } from './table.ts'
import { readTold, withTold } from './told.ts'
import type { Told } from './told.ts'

export interface Score {
  excess: number
  capture: number
  mean_cost_ratio: number
  worst_cost_ratio: number
  cold_per_gap: number
  probes_per_gap: number
  /** 90 % bootstrap interval over streams. */
  excess_interval?: [number, number]
  capture_interval?: [number, number]
}

export interface PolicyReport {
  prices: string
  latency_value: number
  /** Shares of sessions whose end, and of one-shots whose kind, is told. Simulated from what they did; absent: nothing is. */
  told?: { ends: number; one_shots: number; how: string }
  streams: number
  gaps: number
  decisions: number
  microseconds_per_decision: number
  policies: Record<string, Score>
  families: Record<string, { streams: number; policies: Record<string, Score> }>
}

const RESAMPLES = 200

const SIMULATED = 'simulated: told from what the sessions of these traces did later; nobody told it then'

/** Replays all policies on all streams. `pilotlight` is the shipped planner of src/core. */
export function compare(
  streams: readonly Stream[],
  prices: string,
  latencyValue: number,
  only?: string,
  folds = 1,
  told?: Told,
): PolicyReport {
  const all = priceRows[prices]
  if (all === undefined)
    throw new TraceError(`--prices: no prices named "${prices}"; known: ${Object.keys(priceRows).join(', ')}`)
  if (!(latencyValue >= 0)) throw new TraceError('--latency-value: a number of units, 0 or more')
  const row: PriceRow =
    only === undefined ? all : { ...all, holdings: all.holdings.filter(({ name }) => name === only) }
  if (row.holdings.length === 0) {
    throw new TraceError(
      `--class: "${only}" is not offered at these prices; offered: ${all.holdings.map(({ name }) => name).join(', ')}`,
    )
  }
  const runs = new Map<string, Outcome[]>()
  const run = (name: string, make: (stream: Stream, index: number) => Outcome): void => {
    runs.set(name, streams.map(make))
  }
  for (const holding of row.holdings) {
    const most = maxProbes(holding, latencyValue)
    run(`nothing-${holding.name}`, (stream) => play(stream, fixedProbes(holding, 0), latencyValue))
    for (const probes of [2, 6, 12, 30]) {
      run(`${probes}-pings-${holding.name}`, (stream) => play(stream, fixedProbes(holding, probes), latencyValue))
    }
    run(`always-${holding.name}`, (stream) => play(stream, fixedProbes(holding, Infinity), latencyValue))
    run(`break-even-${holding.name}`, (stream) => play(stream, fixedProbes(holding, most), latencyValue))
    run(`random-ski-${holding.name}`, (stream) =>
      play(stream, randomised(holding, latencyValue, seeded(20261121)), latencyValue),
    )
  }
  for (const { name, probes } of row.bestFixed) {
    const holding = row.holdings.find((one) => one.name === name)
    if (holding === undefined) continue
    run('best-fixed', (stream) => play(stream, fixedProbes(holding, probes), latencyValue))
    break
  }
  run('hindsight-fixed', (stream) => hindsight(stream, row.holdings, latencyValue))
  const models = folds === 1 ? [] : crossed(streams, folds)
  const startedAt = performance.now()
  run('pilotlight', (stream, index) => play(stream, pilotlight(row, latencyValue, models[index]), latencyValue))
  const tookMs = performance.now() - startedAt
  // As shipped: the caller's body sets the retention, and the planner decides how long to keep it.
  for (const holding of row.holdings) {
    run(`pilotlight-${holding.name}`, (stream, index) =>
      play(stream, { ...pilotlight(row, latencyValue, models[index]), write: () => holding }, latencyValue),
    )
  }
  const known =
    (holdings: readonly Holding[]) =>
    (stream: Stream): Outcome =>
      oracleOutcome(stream, holdings, latencyValue)
  if (row.holdings.length > 1) {
    for (const holding of row.holdings) run(`clairvoyant-${holding.name}`, known([holding]))
  }
  run('clairvoyant', known(row.holdings))
  if (told !== undefined) {
    const random = seeded(7)
    const draws = streams.map((): [number, number] => [random(), random()])
    run('pilotlight-told', (stream, index) => {
      const player = pilotlight(row, latencyValue, models[index])
      const draw = draws[index] ?? [1, 1]
      return play(stream, withTold(stream, player, told, { holdings: row.holdings, draw }), latencyValue)
    })
  }
  const zero = runs.get(`nothing-${row.holdings[0]?.name}`) ?? []
  const floor = runs.get('clairvoyant') ?? []
  const families = new Map<string, number[]>()
  streams.forEach(({ family }, index) => families.set(family, [...(families.get(family) ?? []), index]))
  const requests = streams.map((stream) => stream.requests * row.read)
  const scoreOf = (name: string, groups: readonly number[][]): Score => {
    const outcomes = runs.get(name) ?? []
    const parts = groups.map((indices) => {
      const sum = (of: (index: number) => number): number => indices.reduce((total, index) => total + of(index), 0)
      const ratios = indices.map(
        (index) =>
          ((requests[index] ?? 0) + (outcomes[index]?.excess ?? 0)) /
          ((requests[index] ?? 0) + (floor[index]?.excess ?? 0)),
      )
      const x = sum((index) => outcomes[index]?.excess ?? 0)
      const least = sum((index) => floor[index]?.excess ?? 0)
      const nothing = sum((index) => zero[index]?.excess ?? 0)
      const gaps = sum((index) => outcomes[index]?.gaps ?? 0)
      return {
        excess: x / least,
        capture: nothing - least < 1e-9 ? 0 : (nothing - x) / (nothing - least),
        mean: ratios.reduce((a, b) => a + b, 0) / ratios.length,
        worst: Math.max(...ratios),
        cold: gaps === 0 ? 0 : sum((index) => outcomes[index]?.cold ?? 0) / gaps,
        probes: gaps === 0 ? 0 : sum((index) => outcomes[index]?.probes ?? 0) / gaps,
      }
    })
    const mean = (of: (part: (typeof parts)[number]) => number): number =>
      parts.reduce((total, part) => total + of(part), 0) / parts.length
    return {
      excess: Math.exp(mean(({ excess }) => Math.log(excess))),
      capture: mean(({ capture }) => capture),
      mean_cost_ratio: mean((part) => part.mean),
      worst_cost_ratio: Math.max(...parts.map(({ worst }) => worst)),
      cold_per_gap: mean(({ cold }) => cold),
      probes_per_gap: mean(({ probes }) => probes),
    }
  }
  const withInterval = (name: string, groups: readonly number[][]): Score => {
    const score = scoreOf(name, groups)
    if (name !== 'pilotlight' && name !== 'pilotlight-told') return score
    const random = seeded(4)
    const draws = Array.from({ length: RESAMPLES }, () =>
      scoreOf(
        name,
        groups.map((indices) => indices.map(() => indices[Math.floor(random() * indices.length)] ?? 0)),
      ),
    )
    const between = (of: (score: Score) => number): [number, number] => {
      const sorted = draws.map(of).toSorted((a, b) => a - b)
      return [sorted[Math.floor(RESAMPLES * 0.05)] ?? 0, sorted[Math.floor(RESAMPLES * 0.95)] ?? 0]
    }
    return {
      ...score,
      excess_interval: between(({ excess }) => excess),
      capture_interval: between(({ capture }) => capture),
    }
  }
  const table = (groups: readonly number[][]): Record<string, Score> =>
    Object.fromEntries([...runs.keys()].map((name) => [name, withInterval(name, groups)]))
  const decisions = streams.reduce((sum, { lengths }) => sum + lengths.length + 2, 0)
  return {
    prices,
    latency_value: latencyValue,
    ...(told === undefined ? {} : { told: { ends: told.ends, one_shots: told.oneShots, how: SIMULATED } }),
    streams: streams.length,
    gaps: zero.reduce((sum, { gaps }) => sum + gaps, 0),
    decisions,
    microseconds_per_decision: (tookMs * 1000) / decisions,
    policies: table([...families.values()]),
    families: Object.fromEntries(
      [...families].map(([family, indices]) => [family, { streams: indices.length, policies: table([indices]) }]),
    ),
  }
}

/** Returns the best fixed rule of one stream, chosen in hindsight. */
function hindsight(stream: Stream, holdings: readonly Holding[], latencyValue: number): Outcome {
  let best: Outcome | null = null
  for (const holding of holdings) {
    for (let probes = 0; probes <= 2 * maxProbes(holding, latencyValue); probes++) {
      const outcome = play(stream, fixedProbes(holding, probes), latencyValue)
      if (best === null || outcome.excess < best.excess) best = outcome
    }
    const always = play(stream, fixedProbes(holding, Infinity), latencyValue)
    if (best === null || always.excess < best.excess) best = always
  }
  return best ?? { excess: 0, cold: 0, probes: 0, gaps: 0 }
}

/** Returns for each stream the model that was learned from the other folds. */
function crossed(streams: readonly Stream[], folds: number): (ForecastModel | undefined)[] {
  if (!Number.isInteger(folds) || folds < 2 || folds > 20) throw new TraceError('--folds: a whole number from 2 to 20')
  const assigned = foldsOf(streams, folds)
  const models = Array.from({ length: folds }, (_, fold) =>
    learn(streams.filter((_stream, index) => assigned[index] !== fold)),
  )
  return assigned.map((fold) => models[fold])
}

export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const POLICY_HELP = `npm run -s bench -- policy [--traces DIR] [--prices NAME] [--latency-value L] [--class NAME] [--folds N] [--told ENDS,ONESHOTS] [--json]

  --traces DIR        folder of *.csv or *.csv.gz (stream,t,d,n); without it: traffic made from seeds
  --prices NAME       ${Object.keys(priceRows).join(', ')}
  --latency-value L   value of one avoided cold start, in base price × prefix tokens
  --folds N           judge the planner on streams that its numbers were not learned from: N-fold cross-validation
  --class NAME        one retention only, for example 5m
  --told E,O          adds pilotlight-told: the end is told of a share E of sessions, and of a share O of one-shots that they are one
                      (families with "session" in their name); simulated from what they did
`

/** Runs the command and returns its exit code. */
export function policyBench(args: string[], print: (text: string) => void): number {
  try {
    const { values } = parseArgs({
      args,
      options: {
        traces: { type: 'string' },
        prices: { type: 'string', default: 'anthropic' },
        'latency-value': { type: 'string', default: '0' },
        class: { type: 'string' },
        folds: { type: 'string', default: '1' },
        told: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    })
    if (values.help) {
      print(POLICY_HELP)
      return 0
    }
    const latency = values['latency-value'].trim() === '' ? Number.NaN : Number(values['latency-value'])
    const told = values.told === undefined ? undefined : readTold(values.told)
    const streams = values.traces === undefined ? synthetic(20261121) : readTraces(values.traces)
    say(`${streams.length} streams …\n`)
    const report = compare(streams, values.prices, latency, values.class, Number(values.folds), told)
    print(values.json ? `${JSON.stringify(report)}\n` : tableOf(report))
    return 0
  } catch (error) {
    const refused =
      error instanceof TraceError ||
      (error instanceof TypeError && String(Reflect.get(error, 'code')).startsWith('ERR_PARSE_ARGS'))
    if (!refused) throw error
    say(`${error.message}\n`)
    return 2
  }
}

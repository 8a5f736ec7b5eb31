import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { synthetic } from '../../bench/policy/families.ts'
import { foldsOf } from '../../bench/policy/folds.ts'
import { priceRows } from '../../bench/policy/prices.ts'
import { compare } from '../../bench/policy/report.ts'
import { oracleCost, fixedProbes, pilotlight, play } from '../../bench/policy/simulate.ts'
import { tableOf } from '../../bench/policy/table.ts'
import { readTold, withTold } from '../../bench/policy/told.ts'
import { parseTrace, readTraces, TraceError } from '../../bench/policy/traces.ts'
import type { Stream } from '../../bench/policy/traces.ts'
import { addRequests } from '../../src/core/demand/request-rate.ts'
import type { RequestRate } from '../../src/core/demand/request-rate.ts'

const row = priceRows['anthropic']!

function stream(lengths: number[]): Stream {
  let at = 0
  const starts = lengths.map((length) => (at += length) - length)
  let requests: RequestRate | null = null
  return {
    name: 's',
    family: 'f',
    source: 's',
    requests: lengths.length + 1,
    starts,
    lengths,
    lastStart: at,
    lastLength: 86_400,
    counted: [...starts, at].map((start) => (requests = addRequests(requests, start * 1000))),
  }
}

/** Tries every number of probes for each gap, in each retention, and returns the lowest cost. */
function bruteForce(lengths: number[], held: number, latency: number): number {
  const [seconds, ...rest] = lengths
  if (seconds === undefined) return 0
  const length = seconds * 1000
  const holding = row.holdings[held]!
  let best = Number.POSITIVE_INFINITY
  for (let probes = 0; probes * holding.everyMs < length + holding.ttlMs; probes++) {
    const paid = probes * holding.probe
    if (length <= probes * holding.everyMs + holding.ttlMs) {
      best = Math.min(best, paid + bruteForce(rest, held, latency))
      break
    }
    row.holdings.forEach(({ write, read }, next) => {
      const rest_ = bruteForce(rest, next, latency)
      best = Math.min(best, paid + write - read + latency + rest_, paid + write + rest_)
    })
  }
  return best
}

describe('the oracle', () => {
  it('pays exactly what an exhaustive search finds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 61, max: 9_000 }), { maxLength: 4 }),
        fc.constantFrom(0, 0.05, 1),
        (lengths, latency) => {
          const tried = row.holdings.map(
            ({ write, read }, index) => write - read + latency + bruteForce(lengths, index, latency),
          )
          expect(oracleCost(stream(lengths), row.holdings, latency)).toBeCloseTo(Math.min(...tried), 9)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('is never beaten by a policy on any traffic', () => {
    for (const one of synthetic(3)) {
      const least = oracleCost(one, row.holdings, 0) - 1e-9
      expect(play(one, pilotlight(row, 0), 0).excess).toBeGreaterThanOrEqual(least)
      for (const holding of row.holdings) {
        for (const probes of [0, 6, Infinity]) {
          expect(play(one, fixedProbes(holding, probes), 0).excess).toBeGreaterThanOrEqual(least)
        }
      }
    }
  })
})

describe('the replay', () => {
  it('charges the first write, every probe and the silence at the end', () => {
    // One request and a silent day: 2 for the write less 0.1, and 26 probes of 0.102 at 55 minutes.
    expect(play(stream([]), fixedProbes(row.holdings[1]!, Infinity), 0)).toMatchObject({ probes: 26, cold: 0 })
    expect(play(stream([]), fixedProbes(row.holdings[1]!, Infinity), 0).excess).toBeCloseTo(1.9 + 26 * 0.102)
  })

  it('never probes where a read costs half', () => {
    const half = priceRows['gpt-4o']!
    for (const one of synthetic(5)) expect(play(one, pilotlight(half, 0), 0).probes).toBe(0)
  })

  it('shows every rule beside the planner, also within one class, each with all its figures', () => {
    const rules = (only: string) =>
      ['nothing', '2-pings', '6-pings', '12-pings', '30-pings', 'always', 'break-even', 'random-ski', 'pilotlight'].map(
        (rule) => `${rule}-${only}`,
      )
    const shared = ['best-fixed', 'hindsight-fixed', 'pilotlight', 'clairvoyant']
    const streams = synthetic(2).filter((_, index) => index % 6 === 0)
    const both = compare(streams, 'anthropic', 0)
    const within = ['clairvoyant-5m', 'clairvoyant-1h']
    const all = [...rules('5m'), ...rules('1h'), ...shared, ...within]
    expect(new Set(Object.keys(both.policies))).toEqual(new Set(all))
    const five = compare(streams, 'anthropic', 0, '5m')
    expect(new Set(Object.keys(five.policies))).toEqual(new Set([...rules('5m'), ...shared]))
    for (const { policies } of [both, five, ...Object.values(both.families)])
      for (const [name, score] of Object.entries(policies)) {
        for (const figure of Object.values(score).flat()) expect([name, Number.isFinite(figure)]).toEqual([name, true])
        expect(score.excess).toBeGreaterThanOrEqual(1 - 1e-9)
      }
    expect(both.policies['pilotlight']?.excess_interval).toHaveLength(2)
  })

  it('gives the same result twice', () => {
    const plain = (report: ReturnType<typeof compare>) => ({ ...report, microseconds_per_decision: 0 })
    const streams = synthetic(1)
    expect(plain(compare(streams, 'anthropic', 0))).toEqual(plain(compare(streams, 'anthropic', 0)))
  })
})

describe('a fold', () => {
  it('contains all streams of one repository, and splits a source that is larger than a fold', () => {
    const from = (name: string, source: string): Stream => ({ ...stream([]), name, source })
    const pairs = ['a', 'b', 'c', 'd'].flatMap((repo) => [from(`${repo}#push`, repo), from(`${repo}#main`, repo)])
    const folds = foldsOf(pairs, 4)
    for (let index = 0; index < 8; index += 2) expect(folds[index]).toBe(folds[index + 1])
    expect(new Set(folds).size).toBe(4)
    const clients = Array.from({ length: 8 }, (_, index) => from(`client-${index >> 1}#${index}`, 'one-data-set'))
    const spread = foldsOf(clients, 4)
    expect(new Set(spread).size).toBe(4)
    for (let index = 0; index < 8; index += 2) expect(spread[index]).toBe(spread[index + 1])
  })
})

describe('a trace', () => {
  const good = '# a end=9000 src=made (MIT)\nstream,t,d,n\na,0,10,3\na,1000,0,1\n'

  it('becomes idle gaps, the last one to the end of observation', () => {
    const [one] = parseTrace(good, 'f')
    expect(one).toMatchObject({
      source: 'made',
      requests: 4,
      starts: [10],
      lengths: [990],
      lastStart: 1000,
      lastLength: 8000,
    })
  })

  it('is read plain or compressed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'traces-'))
    try {
      writeFileSync(join(folder, 'one.csv'), good)
      writeFileSync(join(folder, 'two.csv.gz'), gzipSync(good))
      expect(readTraces(folder).map(({ family }) => family)).toEqual(['one', 'two'])
      writeFileSync(join(folder, 'three.csv.gz'), good)
      expect(() => readTraces(folder)).toThrow('three.csv.gz: not a readable gzip file')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('is refused with the line that is wrong', () => {
    const refusals: [string, string][] = [
      ['# a end=9\nstream,t,d,n\na,x,0,1\n', 'line 3: a run is'],
      ['# a end=9\nstream,t,d,n\n', 'stream "a" is empty'],
      ['# a end=9\nstream,t,d,n\na,5,0,1\na,1,0,1\n', 'not sorted'],
      ['# a end=9\nstream,t,d,n\nb,5,0,1\n', 'no header'],
      ['# a end=9\nstream,t,d,n\na,5,10,1\n', 'after its end'],
      ['# a\n', 'line 1: a header is'],
      ['', 'no streams'],
    ]
    for (const [text, message] of refusals) expect(() => parseTrace(text, 'f')).toThrow(message)
    expect(() => readTraces('/nowhere/at/all')).toThrow(TraceError)
    expect(() => compare([], 'gold', 0)).toThrow('known: anthropic')
    expect(() => compare([], 'anthropic', 0, '12h')).toThrow('offered: 5m, 1h')
  })
})

describe('what callers tell', () => {
  const session = (lengths: number[]): Stream => ({ ...stream(lengths), family: 'sessions' })
  const told = (one: Stream, ends: number, oneShots: number, draw: [number, number] = [0, 0]) =>
    play(one, withTold(one, pilotlight(row, 0), { ends, oneShots }, { holdings: row.holdings, draw }), 0)

  it('makes a one-shot buy the short retention and no probe', () => {
    expect(told(session([60, 200, 300]), 0, 1)).toMatchObject({ probes: 0, cold: 0 })
    expect(told(session([60, 200, 300]), 0, 1).excess).toBeCloseTo(1.25 - 0.1)
  })

  it('spares the probes after an end, and none before it', () => {
    const one = session([4_000])
    const silent = play(one, pilotlight(row, 0), 0)
    const ended = told(one, 1, 0)
    expect(silent.probes).toBeGreaterThan(ended.probes)
    expect(ended.cold).toBe(silent.cold)
  })

  it('changes nothing where it is not told, or where a stream is no session', () => {
    for (const one of [session([4_000, 60]), { ...session([60]), family: 'api-clients' }])
      expect(told(one, one.family === 'sessions' ? 0 : 1, 1, [0.5, 0.5])).toEqual(play(one, pilotlight(row, 0), 0))
    expect(told(session([60]), 0.4, 0.4, [0.5, 0.5])).toEqual(play(session([60]), pilotlight(row, 0), 0))
  })

  it('is labelled as simulated in both forms of the report, and read strictly', () => {
    const sessions = synthetic(1).map((one) => ({ ...one, family: 'sessions' }))
    const report = compare(sessions, 'anthropic', 0, undefined, 1, { ends: 0.8, oneShots: 0.5 })
    expect(report.told).toMatchObject({ ends: 0.8, one_shots: 0.5, how: expect.stringContaining('simulated') })
    expect(report.policies['pilotlight-told']?.excess_interval).toHaveLength(2)
    expect(tableOf(report)).toContain('simulated')
    expect(tableOf(compare(sessions, 'anthropic', 0))).not.toContain('told')
    for (const wrong of ['', '1', '0.8,', '2,0', '0,-1', '0,0,0', 'a,b'])
      expect(() => readTold(wrong)).toThrow(TraceError)
  })
})

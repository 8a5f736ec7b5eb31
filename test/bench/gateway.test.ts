import { describe, expect, it } from 'vitest'
import { gatewayOptions } from '../../bench/gateway/options.ts'
import { addedQuantile, cpuOfCall, cpuPerMegabyte, cpuRatio, isFlat } from '../../bench/gateway/statistics.ts'
import { die } from '../scenarios/random.ts'

const chance = (): (() => number) => die(7).roll
const blocks = (...cpuMs: number[]) => cpuMs.map((one) => ({ cpuMs: one, calls: 10 }))

describe('the statistics of the gateway bench', () => {
  it('tell by how much a quantile lies above that of the same rounds', () => {
    const base = Array.from({ length: 200 }, (_, n) => 5 + (n % 20) / 10)
    const other = base.map((one) => one + 2)
    const { value, interval } = addedQuantile({ base, other }, 0.5, chance())
    expect(value).toBeCloseTo(2, 6)
    expect(interval[0]).toBeLessThanOrEqual(2.000_001)
    expect(interval[1]).toBeGreaterThanOrEqual(1.999_999)
  })

  it('have an interval that holds the value, and is wider where rounds differ more', () => {
    const roll = chance()
    const noisy = (spread: number) => Array.from({ length: 300 }, () => 5 + spread * roll())
    const width = (spread: number): number => {
      const { value, interval } = addedQuantile({ base: noisy(spread), other: noisy(spread) }, 0.5, chance())
      expect(value).toBeGreaterThanOrEqual(interval[0])
      expect(value).toBeLessThanOrEqual(interval[1])
      return interval[1] - interval[0]
    }
    expect(width(10)).toBeGreaterThan(width(0.1))
  })

  it('count CPU by call and as a ratio, whatever the number of calls in a block', () => {
    const base = [...blocks(10, 10), { cpuMs: 20, calls: 20 }]
    expect(cpuOfCall(base, chance()).value).toBeCloseTo(1, 6)
    expect(cpuRatio(base, blocks(30, 30, 30), chance()).value).toBeCloseTo(3, 6)
  })

  it('leave out of the cost of a megabyte what every call costs', () => {
    const short = { bytes: 1_000, base: blocks(10, 10), other: blocks(50, 50) }
    const long = { bytes: 1_001_000, base: blocks(30, 30), other: blocks(120, 120) }
    expect(cpuPerMegabyte(short, long, chance()).value).toBeCloseTo(5, 6)
  })

  it('call memory flat that stays, and not what grows', () => {
    expect(isFlat([90, 100, 100, 101, 100, 102])).toBe(true)
    expect(isFlat([90, 100, 120, 140, 160, 180])).toBe(false)
  })
})

it.each([
  [['--quick', '--json'], { quick: true, json: true }],
  [[], { quick: false, json: false }],
  [['--help'], { help: true }],
  [['--slow'], { wrong: expect.stringContaining('--slow') }],
])('the gateway bench reads the options %j', (args, found) => {
  expect(gatewayOptions(args)).toEqual(found)
})

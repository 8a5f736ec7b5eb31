import { expect, it } from 'vitest'
import { LOADS, millionCalls } from '../../bench/gateway-cost.ts'
import { PRICES } from '../../bench/prices.ts'
import { readText } from '../docs/documents.ts'

const sum = (parts: Record<string, number>): number => Object.values(parts).reduce((total, part) => total + part, 0)

it('docs/gateway.md says what a million calls cost, as the bench computes it', () => {
  const text = readText('docs/gateway.md')
  const costs = LOADS.map((load) => `$${sum(millionCalls(load)).toFixed(2)}`)
  expect(new Set(costs).size).toBe(3)
  for (const cost of costs) expect(text).toContain(cost)
})

it('a million calls pay for themselves and their CPU, however they arrive', () => {
  for (const load of LOADS) {
    const { requests, cpu } = millionCalls(load)
    expect([requests, cpu]).toEqual([1e6 * PRICES.workerRequest, 1e6 * load.cpuMs * PRICES.workerCpuMs])
  }
})

it('the more calls share a message, the less one costs', () => {
  const costs = LOADS.map((load) => sum(millionCalls(load)))
  expect(costs).toEqual(costs.toSorted((a, b) => b - a))
  // Never more than a message for each call, and never fewer than two hundred calls to a message.
  const { queue } = millionCalls({ perSecond: 1e-3, isolates: 1, cpuMs: 4 })
  expect(queue).toBeCloseTo(1e6 * 6 * PRICES.queueOperation, 9)
  const { queue: full } = millionCalls({ perSecond: 1e6, isolates: 10, cpuMs: 4 })
  expect(full).toBeCloseTo((1e6 / 200) * 6 * PRICES.queueOperation, 9)
})

import { describe, expect, it } from 'vitest'
import { nextRequest } from '../../../src/core/cache/next-request.ts'
import { facts, NOON, warmState } from '../../support/sample.ts'

const [offer] = facts.retentions
const retention = offer?.name ?? ''
const known = { price: facts.price, estimatedTokens: 10_000, retention }
const state = warmState(NOON, { measuredTokens: 10_000 })
const believed = (pWarm: number, interval: [number, number] = [pWarm, pWarm]) => ({ pWarm, interval })

describe('the next request', () => {
  it('costs a read where it is surely warm, and a change of it the rest of the write', () => {
    const next = nextRequest(state, believed(1), known)
    expect(next).toMatchObject({ tokens: 10_000, counted: true })
    expect(next?.expected).toBe(next?.warm)
    expect(next?.rewrite).toBe((next?.cold ?? 0) - (next?.warm ?? 0))
    expect(next?.rewrite).toBeGreaterThan(0)
  })

  it('costs a write where it is surely cold, and a change is free then', () => {
    const next = nextRequest(state, believed(0), known)
    expect(next).toMatchObject({ expected: next?.cold, rewrite: 0 })
  })

  it('is uncertain by as much as the belief is', () => {
    const next = nextRequest(state, believed(0.5, [0.2, 0.9]), known)
    const [least = 0, most = 0] = next?.interval ?? []
    expect(least).toBe(Math.round(0.9 * (next?.warm ?? 0) + 0.1 * (next?.cold ?? 0)))
    expect(most).toBe(Math.round(0.2 * (next?.warm ?? 0) + 0.8 * (next?.cold ?? 0)))
    expect(least).toBeLessThan(next?.expected ?? 0)
    expect(most).toBeGreaterThan(next?.expected ?? 0)
  })

  it('says where its tokens are estimated, and nothing without a price', () => {
    expect(nextRequest({ measuredTokens: null }, believed(1), known)).toMatchObject({ tokens: 10_000, counted: false })
    expect(nextRequest(state, believed(1), { ...known, price: null })).toBeNull()
    expect(nextRequest(state, believed(1), { ...known, retention: 'unknown' })).toBeNull()
  })
})

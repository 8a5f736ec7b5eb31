import { describe, expect, it } from 'vitest'
import { applyCharge, chargeOf } from '../../../src/core/events/charge.ts'
import type { Purpose } from '../../../src/core/prefix/receipt.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { facts, NOON, usage, warmState } from '../../support/sample.ts'

const READ_NANOS = 10_000 * 300 + 5 * 3_000

describe('the charge of an answer', () => {
  it('is the cost by its usage, whatever was reserved', () => {
    expect(chargeOf(usage(10_000, 0), facts.price, '5m', 99)).toEqual({ provedNanos: READ_NANOS, nanos: READ_NANOS })
  })

  it('is the reserved worst case where the usage or the price is unknown', () => {
    expect(chargeOf(usage(null, null, { inputTokens: null }), facts.price, '5m', 99)).toEqual({
      provedNanos: null,
      nanos: 99,
    })
    expect(chargeOf(usage(10_000, 0), null, '5m', 99).nanos).toBe(99)
  })

  it('is unknown where nothing was reserved either, and never 0', () => {
    expect(chargeOf(usage(10_000, 0), null, '5m', null)).toEqual({ provedNanos: null, nanos: null })
  })
})

describe('a charged call', () => {
  const proved = { provedNanos: 500, nanos: 500 }
  const charged = (
    purpose: Purpose,
    change: Partial<PrefixState> = {},
    charge = proved as Parameters<typeof applyCharge>[1],
  ) => applyCharge(warmState(NOON, change), charge, purpose, NOON + MINUTE_MS)

  it('counts in the spending of its UTC day, which starts at 0', () => {
    const before = { day: '2026-11-15', spentNanos: 70, costNanos: 70 }
    expect(charged('write', before).patch).toMatchObject({ day: '2026-11-16', spentNanos: 500, costNanos: 570 })
    expect(charged('write', { ...before, day: '2026-11-16' }).patch).toMatchObject({ spentNanos: 570 })
  })

  it('is counted as unpriced if its cost is unknown', () => {
    expect(charged('keep', {}, { provedNanos: null, nanos: null }).patch).toMatchObject({
      unpricedCalls: 1,
      costNanos: 0,
    })
    expect(charged('keep').patch).toMatchObject({ unpricedCalls: 0 })
  })

  it('adds to the loss if it is a probe with a proved cost', () => {
    expect(charged('keep').patch.loss).toEqual({ nanos: 500, at: NOON + MINUTE_MS })
    expect(charged('verify').patch.loss?.nanos).toBe(500)
    expect(charged('write').patch.loss).toBeUndefined()
    expect(charged('keep', {}, { provedNanos: null, nanos: 500 }).patch.loss).toBeUndefined()
  })

  it('adds nothing to the loss while the caller says that work is pending', () => {
    const signal = { kind: 'pending', at: NOON, untilAt: NOON + HOUR_MS } as const
    expect(charged('keep', { signal }).patch.loss).toBeUndefined()
    expect(charged('keep', { signal: { ...signal, untilAt: NOON + 1 } }).patch.loss?.nanos).toBe(500)
  })

  it('counts in the idle gap that the holdout measures, unless it is a write by request', () => {
    const stake = { dueAt: NOON, writeNanos: 40_000, readNanos: 3_000 }
    const trial = { gapAt: NOON - HOUR_MS, heldOut: false, paidNanos: 1_000, stake }
    expect(charged('keep', { trial }).patch.trial?.paidNanos).toBe(1_500)
    expect(charged('keep', { trial }).rows).toEqual([])
    expect(charged('write', { trial }).patch.trial).toBeUndefined()
  })

  it('corrects an idle gap that is already in the sums by a history row', () => {
    const stake = { dueAt: NOON, writeNanos: 40_000, readNanos: 3_000 }
    const trial = { gapAt: NOON - HOUR_MS, heldOut: true, paidNanos: 0, stake, bookedNanos: 40_000 }
    expect(charged('keep', { trial }).rows).toMatchObject([
      { type: 'trial', arm: 'held_out', costNanos: 40_500, insteadOfNanos: 40_000 },
    ])
  })
})

import { describe, expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import { survivalAfter, survivalAt } from '../../../src/core/cache/survival.ts'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import type { Survival } from '../../../src/core/prefix/parts.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, NOON, usage, warmState } from '../../support/sample.ts'

const GAP_MS = 4 * MINUTE_MS

function after(found: readonly boolean[]): Survival | undefined {
  return found.reduce<Survival | undefined>((before, isFound) => survivalAfter(before, GAP_MS, isFound), undefined)
}

const at = (ageMs: number, found: readonly boolean[]) => {
  const survival = after(found)
  return survivalAt(warmState(NOON, survival === undefined ? {} : { survival }), ageMs)
}

describe('the survival of an entry', () => {
  it('is certain without evidence, and while every keep-alive finds it', () => {
    expect(at(GAP_MS, [])).toBe(1)
    expect(at(GAP_MS, [true, true, true])).toBe(1)
  })

  it('falls with the time since it was there, and with each loss', () => {
    expect(at(0, [true, false])).toBe(1)
    expect(at(GAP_MS, [true, false])).toBeLessThan(at(MINUTE_MS, [true, false]))
    expect(at(GAP_MS, [true, false, false])).toBeLessThan(at(GAP_MS, [true, false]))
  })

  it('forgets a loss after many keep-alives that found it', () => {
    const later = [false, ...Array.from({ length: 30 }, () => true)]
    expect(at(GAP_MS, [false])).toBeLessThan(0.7)
    expect(at(GAP_MS, later)).toBeGreaterThan(0.99)
  })

  it('comes from the keep-alives of the prefix, and shows in its belief', () => {
    const call = { latencyMs: 400, purpose: 'keep' as const, primitive: 'zero_output' as const, model: 'sample-1' }
    const lost = { ...call, startedAt: NOON + GAP_MS, usage: usage(0, 10_000) }
    const { state } = applyAnswer(warmState(NOON), lost, context(), null)
    expect(state.survival).toEqual({ exposureMs: GAP_MS / 2, losses: 1 })
    const held = belief(state, NOON + 2 * GAP_MS, 0)
    expect(held).toMatchObject({ state: 'warm' })
    expect(held.pWarm).toBeLessThan(belief(state, NOON + GAP_MS, 0).pWarm)
    expect(held.interval[0]).toBeLessThan(held.pWarm)
  })
})

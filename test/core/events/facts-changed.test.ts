import { describe, expect, it } from 'vitest'
import { applyFactsChanged } from '../../../src/core/events/facts-changed.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import type { RetentionOffer } from '../../../src/core/model/facts.ts'
import { NOON } from '../../support/sample.ts'
import type { StopReason } from '../../../src/core/prefix/stop-reasons.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const offerOf = (ttlMs: number): RetentionOffer => ({
  name: '5m',
  kind: 'sliding',
  ttlMs,
  minTtlMs: ttlMs,
  maxTtlMs: ttlMs,
  assumed: false,
})
const offer = offerOf(5 * MINUTE_MS)
const state = (change: Partial<PrefixState> = {}): PrefixState => ({
  ...newState(NOON, dayOf(NOON), learnedRetention(offer)),
  ...change,
})
const stopped = (reason: StopReason) => state({ stopped: { reason, at: NOON, why: 'as it was' } })

describe('a prefix whose facts changed', () => {
  it('keeps what was learned about an unchanged retention, and drops it for a changed one', () => {
    const learned = state({
      retention: { ...learnedRetention(offer), ttlMs: 4 * MINUTE_MS, longestHitGapMs: MINUTE_MS },
    })
    expect(applyFactsChanged(learned, { offer, hasMoved: false }, NOON).retention).toEqual(learned.retention)
    expect(applyFactsChanged(learned, { offer: offerOf(HOUR_MS), hasMoved: false }, NOON).retention).toEqual(
      learnedRetention(offerOf(HOUR_MS)),
    )
    expect(applyFactsChanged(learned, { offer: undefined, hasMoved: false }, NOON).retention).toEqual(learned.retention)
  })

  it('continues if the facts or the address had stopped it', () => {
    const after = (reason: StopReason, hasMoved = false) =>
      applyFactsChanged(stopped(reason), { offer, hasMoved }, NOON).stopped
    expect(after('price_unknown')).toBeNull()
    expect(after('retention_unknown')).toBeNull()
    expect(after('address_changed')).toBeNull()
    expect(after('address_changed', true)).toMatchObject({ reason: 'address_changed' })
    expect(after('break_even')).toMatchObject({ reason: 'break_even' })
  })
})

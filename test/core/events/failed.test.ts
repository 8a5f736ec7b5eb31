import { describe, expect, it } from 'vitest'
import { applyFailure } from '../../../src/core/events/failed.ts'
import type { FailedCall } from '../../../src/core/events/failed.ts'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { assumed, context, facts, NOON, silentFacts, usage, warmState } from '../../support/sample.ts'

const call: FailedCall = {
  at: NOON,
  failure: { kind: 'provider_unavailable', message: 'down' },
  accepted: false,
  permanent: false,
  primitiveRefused: false,
  retryAfterMs: null,
  purpose: 'keep',
  primitive: 'zero_output',
  latencyMs: 10,
}
const failed = (change: Partial<FailedCall>, worstNanos: number | null = 5_000, before = warmState(NOON)) =>
  applyFailure(before, { ...call, ...change }, worstNanos, 2)

describe('a failed call', () => {
  it('costs nothing if the provider did not accept it', () => {
    const { state, rows } = failed({})
    expect(state).toMatchObject({ costNanos: 0, probes: 0, failuresInRow: 1, stopped: null })
    expect(rows).toMatchObject([{ type: 'decision', decision: 'failed', why: 'provider_unavailable: down' }])
  })

  it('is charged its worst case if its outcome is unknown, and is unknown in the history', () => {
    const { state, rows } = failed({ accepted: null })
    expect(state).toMatchObject({ costNanos: 5_000, spentNanos: 5_000, probes: 1, unpricedCalls: 0 })
    expect(rows[0]).toMatchObject({ type: 'receipt', kind: 'unknown', usage: null, costNanos: 5_000 })
  })

  it('is charged for what its answer counted, at the price when it was sent', () => {
    const counted = usage(0, 10_000)
    const given = { accepted: null, usage: counted, price: facts.price, retention: '5m' } as const
    const { state, rows } = failed(given, 90_000_000)
    expect(state.costNanos).toBe(10_000 * 3_750 + 5 * 3_000)
    expect(rows[0]).toMatchObject({ kind: 'unknown', usage: counted, costNanos: state.costNanos })
  })

  it('is charged its worst case where its answer counted what cannot be true', () => {
    const given = { accepted: null, usage: usage(1e15, 0), price: facts.price, retention: '5m' } as const
    const { state, rows } = failed(given)
    expect(state).toMatchObject({ costNanos: 5_000, doubt: { kind: 'impossible_usage', at: NOON } })
    expect(rows[1]).toMatchObject({ type: 'decision', decision: 'impossible_usage' })
  })

  it('of yesterday that ends after a call of today counts against no budget of today', () => {
    const today = { ...warmState(NOON), day: '2026-11-17', spentNanos: 7, costNanos: 7 }
    expect(failed({ accepted: null }, 5_000, today).state).toMatchObject({
      day: '2026-11-17',
      spentNanos: 7,
      costNanos: 5_007,
    })
  })

  it('is counted as unpriced if its outcome and its worst case are unknown', () => {
    expect(failed({ accepted: null }, null).state).toMatchObject({ costNanos: 0, unpricedCalls: 1 })
  })

  it('never counts as a loss of keep-alives', () => {
    expect(failed({ accepted: null }).state.loss).toEqual(warmState(NOON).loss)
  })

  it('waits as long as the provider asked, and gives callers that wait in seconds', () => {
    const { lastFailure } = failed({ retryAfterMs: 2_500 }).state
    expect(lastFailure).toMatchObject({ againAt: NOON + 10 + 2_500, failure: { detail: { retry_after_seconds: 3 } } })
  })

  it('moves to the next primitive if the provider refused this one, and stops after the last', () => {
    const first = failed({ primitiveRefused: true })
    expect(first.state).toMatchObject({ primitiveIndex: 1, stopped: null, failuresInRow: 0 })
    expect(first.rows).toMatchObject([{ decision: 'primitive' }])
    const last = failed({ primitiveRefused: true }, null, first.state)
    expect(last.state.stopped?.reason).toBe('provider_refused')
  })

  it('is sent from another region if the provider does not serve this one', () => {
    const { state, rows } = failed({ elsewhere: true, permanent: true })
    expect(state.stopped).toBeNull()
    expect(rows).toMatchObject([{ decision: 'egress' }])
  })

  it('stops the plan by name if a retry cannot succeed', () => {
    const refused = { kind: 'provider_key_refused', message: 'the key was refused.' } as const
    expect(failed({ failure: refused }).state.stopped).toMatchObject({
      reason: 'provider_refused',
      why: expect.stringContaining('provider_key_refused: the key was refused. A retry cannot succeed.'),
    })
  })

  it('stops the plan as out of quota if the provider limits it for good', () => {
    const limited = { kind: 'provider_limited', message: 'the quota is spent' } as const
    expect(failed({ failure: limited, permanent: true }).state.stopped?.reason).toBe('quota_spent')
    expect(failed({ failure: limited }).state.stopped).toBeNull()
  })
})

describe('a call of unknown outcome may have written the entry anew', () => {
  const later = NOON + HOUR_MS
  const lapsed = warmState(NOON, { everHit: true }, assumed)
  const silent = context({ facts: silentFacts })
  /** The next answer, two minutes after a call at `later` that failed like this; null: none did. */
  const next = (accepted: false | null | 'none', read: number) => {
    const before = accepted === 'none' ? lapsed : applyFailure(lapsed, { ...call, at: later, accepted }, 5_000, 2).state
    const answer = {
      startedAt: later + 2 * MINUTE_MS,
      latencyMs: 400,
      purpose: 'keep',
      primitive: 'one_token',
      usage: usage(read, null, { inputTokens: 10_008 }),
      model: 'sample-1',
    } as const
    return applyAnswer(before, answer, silent, null)
  }

  it('so a read behind it proves no longer life than since that call', () => {
    const { state, findings } = next(null, 10_000)
    expect(state.lastReceipt?.kind).toBe('full')
    expect(state.retention).toEqual({ ...lapsed.retention, longestHitGapMs: 2 * MINUTE_MS })
    expect(findings).toMatchObject([{ found: true, ageMs: 2 * MINUTE_MS }])
    expect(state).not.toHaveProperty('unsettledAt')
  })

  it.each(['none', false] as const)('where none was sent (%s), the read proves the whole time', (accepted) => {
    const { state, findings } = next(accepted, 10_000)
    expect(findings).toMatchObject([{ found: true, ageMs: HOUR_MS + 2 * MINUTE_MS }])
    expect(state.retention?.ttlMs).toBeGreaterThan(lapsed.retention?.ttlMs ?? Infinity)
  })

  it('so a loss behind it tells no age of the entry', () => {
    expect(next(null, 0).findings).toBeUndefined()
    expect(next('none', 0).findings).toMatchObject([{ found: false }])
  })
})

import { describe, expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import type { Answer } from '../../../src/core/events/answered.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import type { Purpose } from '../../../src/core/prefix/receipt.ts'
import { isWarm, newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import {
  assumed,
  context,
  facts,
  fiveMinutes,
  NOON,
  planned,
  silentFacts,
  usage,
  warmState,
} from '../../support/sample.ts'

function answer(startedAt: number, purpose: Purpose, reported: Usage): Answer {
  return { startedAt, latencyMs: 400, purpose, primitive: 'zero_output', usage: reported, model: 'sample-1' }
}

/** A prompt of 10,000 tokens, whatever of it was read. */
const ofTenThousand = { inputTokens: 10_008 }

const fresh = (offer = fiveMinutes): PrefixState => newState(NOON, '2026-11-16', learnedRetention(offer))

describe('an answer from a provider that reports writes', () => {
  it('makes the entry warm from the start of a write', () => {
    const { state, rows } = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 10_000)), context(), null)
    expect(rows).toMatchObject([{ type: 'receipt', kind: 'written' }])
    expect(isWarm(state, NOON + 5 * MINUTE_MS - 1)).toBe(true)
    expect(isWarm(state, NOON + 5 * MINUTE_MS)).toBe(false)
    expect(state.measuredTokens).toBe(10_000)
    // 10,000 tokens at $3.75 and 5 at $3 a million
    expect(state.costNanos).toBe(10_000 * 3_750 + 5 * 3_000)
  })

  it('renews the entry by a read', () => {
    const read = answer(NOON + 4 * MINUTE_MS, 'keep', usage(10_000, 0))
    const { state } = applyAnswer(warmState(NOON), read, context(), null)
    expect(state.lastReceipt?.kind).toBe('full')
    expect(isWarm(state, NOON + 8 * MINUTE_MS)).toBe(true)
    expect(state).toMatchObject({ probesSinceArrival: 1, keepHits: 1 })
  })

  it('stops a plan whose keep-alive had to write, except plan always, which pays for the write', () => {
    const surprise = answer(NOON + 4 * MINUTE_MS, 'keep', usage(0, 10_000))
    const always = applyAnswer(warmState(NOON), surprise, context(), null)
    expect(always.state.lastReceipt?.kind).toBe('cold')
    expect(always.state).toMatchObject({ stopped: null, verdict: 'warm', keepColds: 1 })
    expect(always.rows).toContainEqual(expect.objectContaining({ type: 'decision', decision: 'rewrite' }))
    const auto = applyAnswer(warmState(NOON), surprise, context({ keepWarm: planned('auto') }), null)
    expect(auto.state.stopped?.reason).toBe('surprise_write')
    expect(auto.state.stopped?.why).toContain('real request')
    expect(auto.rows).not.toContainEqual(expect.objectContaining({ decision: 'rewrite' }))
  })

  it('is uncacheable if it neither read nor wrote, and stops the plan', () => {
    const { state } = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 0)), context(), null)
    expect(state.lastReceipt?.kind).toBe('uncacheable')
    expect(reschedule(state, context(), NOON).state).toMatchObject({ nextAt: null, stopped: { reason: 'uncacheable' } })
    expect(belief(state, NOON, 0).state).toBe('uncacheable')
  })

  it('is partial if it read most of it, and cold if a keep-alive read less than half', () => {
    const part = (read: number, purpose: Purpose) =>
      applyAnswer(warmState(NOON), answer(NOON + MINUTE_MS, purpose, usage(read, 0, ofTenThousand)), context(), null)
        .state
    expect(part(6_000, 'keep').lastReceipt?.kind).toBe('partial')
    expect(part(4_000, 'keep').lastReceipt?.kind).toBe('cold')
    expect(part(4_000, 'write').lastReceipt?.kind).toBe('partial')
  })

  it('never makes the measured size smaller, and makes it larger by what it read and wrote', () => {
    const part = answer(NOON + MINUTE_MS, 'keep', usage(4_000, 0))
    expect(applyAnswer(warmState(NOON), part, context(), null).state.measuredTokens).toBe(10_000)
    const grown = answer(NOON + MINUTE_MS, 'keep', usage(10_000, 2_000))
    expect(applyAnswer(warmState(NOON), grown, context(), null).state.measuredTokens).toBe(12_000)
    const rewritten = answer(NOON + MINUTE_MS, 'keep', usage(0, 4_000))
    expect(applyAnswer(warmState(NOON), rewritten, context(), null).state.measuredTokens).toBe(10_000)
  })

  it('counts anew where another model answered', () => {
    const known = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 10_000)), context(), null).state
    const other = { ...answer(NOON + MINUTE_MS, 'keep', usage(7_000, 0)), model: 'sample-2' }
    const { state } = applyAnswer(known, other, context(), null)
    expect(state).toMatchObject({ measuredTokens: 7_000, lastReceipt: { kind: 'full' } })
  })

  it('costs its worst case and proves nothing where its usage is impossible', () => {
    const impossible = [
      usage(12_000, 0, { inputTokens: 10_000 }),
      usage(1e15, 0),
      usage(10_000, 0, { contradictory: true }),
      usage(0, 0, { inputTokens: 0, uncachedTokens: 0 }),
    ]
    for (const reported of impossible) {
      const { state } = applyAnswer(warmState(NOON), answer(NOON + MINUTE_MS, 'keep', reported), context(), 77)
      expect(state.lastReceipt).toMatchObject({
        kind: 'unknown',
        costNanos: 77,
        usage: { inputTokens: null, cacheReadTokens: null },
      })
      expect(state).toMatchObject({ measuredTokens: 10_000, keepHits: 0, spentNanos: 77 })
    }
  })

  it('has an unknown cost where the price is unknown', () => {
    const unpriced = context({ facts: { ...facts, price: null } })
    const { state } = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 10_000)), unpriced, null)
    expect(state.lastReceipt?.costNanos).toBeNull()
    expect(state.unpricedCalls).toBe(1)
    const reserved = applyAnswer(fresh(), answer(NOON, 'write', usage(0, 10_000)), unpriced, 99).state.lastReceipt
    expect(reserved).toMatchObject({ costNanos: 99, why: expect.stringContaining('charged at its worst case') })
  })

  it('clears failures, and keeps the raw usage in the last receipt alone', () => {
    const failure = { kind: 'provider_unavailable', message: 'down' } as const
    const failed = warmState(NOON, { failuresInRow: 2, lastFailure: { at: NOON, failure, againAt: NOON } })
    const read = { ...answer(NOON + MINUTE_MS, 'keep', usage(10_000, 0)), rawUsage: '{"input_tokens":5}' }
    const { state, rows } = applyAnswer(failed, read, context(), null)
    expect(state).toMatchObject({
      failuresInRow: 0,
      lastFailure: null,
      lastReceipt: { rawUsage: '{"input_tokens":5}' },
    })
    expect(rows[0]).not.toHaveProperty('rawUsage')
  })
})

describe('an answer from a provider that does not report writes', () => {
  const silent = context({ facts: silentFacts })
  const zero = usage(0, null)

  it('is unknown at the first zero read, and warm once a second answer reads', () => {
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), silent, null).state
    expect(first.lastReceipt?.kind).toBe('unknown')
    expect(belief(first, NOON + 1, 0).state).toBe('unknown')
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', usage(9_984, null)), silent, null).state
    expect(second.lastReceipt?.kind).toBe('full')
    expect(belief(second, NOON + 6_000, 0).state).toBe('warm')
  })

  it('is uncacheable at the second zero read of a prefix that was never read', () => {
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), silent, null).state
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', zero), silent, null).state
    expect(second.lastReceipt?.kind).toBe('uncacheable')
  })

  it('decides at the third answer where two probes make an entry', () => {
    const seeded = context({ facts: { ...silentFacts, probesToSeed: 2 } })
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), seeded, null).state
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', zero), seeded, null).state
    expect(second.lastReceipt).toMatchObject({ kind: 'unknown' })
    const third = applyAnswer(second, answer(NOON + 10_000, 'verify', zero), seeded, null).state
    expect(third.lastReceipt?.kind).toBe('uncacheable')
    const read = applyAnswer(second, answer(NOON + 10_000, 'verify', usage(9_984, null)), seeded, null).state
    expect(read.lastReceipt?.kind).toBe('full')
  })

  it('is cold at a keep-alive that read nothing after a hit, and warm at the next whole read', () => {
    const hit = warmState(NOON, { everHit: true }, assumed)
    const first = applyAnswer(hit, answer(NOON + 9 * MINUTE_MS, 'keep', zero), silent, null).state
    expect(first.lastReceipt?.kind).toBe('cold')
    expect(belief(first, NOON + 10 * MINUTE_MS, 0).state).toBe('unknown')
    const second = applyAnswer(first, answer(NOON + 16 * MINUTE_MS, 'keep', usage(9_984, null)), silent, null).state
    expect(second.lastReceipt?.kind).toBe('full')
    expect(belief(second, NOON + 17 * MINUTE_MS, 0).state).toBe('warm')
  })

  it('is cold at the second zero read after a hit where a caller asked for it', () => {
    const hit = warmState(NOON, { everHit: true }, assumed)
    const first = applyAnswer(hit, answer(NOON + 9 * MINUTE_MS, 'write', zero), silent, null).state
    expect(first.lastReceipt?.kind).toBe('unknown')
    const second = applyAnswer(first, answer(NOON + 9 * MINUTE_MS + 5_000, 'verify', zero), silent, null).state
    expect(second.lastReceipt?.kind).toBe('cold')
  })

  it('is partial if a first one reads what other prompts left, and proves nothing by that', () => {
    const begun = usage(1_280, null, { inputTokens: 21_800 })
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', begun), silent, null).state
    expect(first).toMatchObject({ lastReceipt: { kind: 'partial' }, verdict: 'unknown', measuredTokens: 21_792 })
    expect(first.retention).toEqual(learnedRetention(assumed))
    const check = reschedule(first, silent, NOON + 1_000)
    expect(check.decision).toMatchObject({ do: 'wait', code: 'verify', untilAt: NOON + 5_000 })
    const whole = usage(21_760, null, { inputTokens: 21_800 })
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', whole), silent, null).state
    expect(second).toMatchObject({ lastReceipt: { kind: 'full' }, verdict: 'warm', measuredTokens: 21_792 })
  })

  it('is cold, not uncacheable, if a second one reads what other prompts left', () => {
    const begun = usage(22, null, { inputTokens: 4_029 })
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', begun), silent, null).state
    const second = applyAnswer(first, answer(NOON + 5_000, 'verify', begun), silent, null).state
    expect(second).toMatchObject({ lastReceipt: { kind: 'cold' }, verdict: 'unknown', everHit: false, stopped: null })
    // Gone within seconds says nothing about how long an entry lives.
    expect(second.retention).toEqual(learnedRetention(assumed))
    expect(reschedule(second, silent, NOON + 6_000).decision).toMatchObject({ do: 'wait', code: 'hold' })
  })

  it('learns no longer life from a read of most of it, and a longer one from a whole read', () => {
    const at = NOON + 30 * MINUTE_MS
    const before = warmState(NOON, { everHit: true }, assumed)
    const most = applyAnswer(before, answer(at, 'keep', usage(7_000, null, ofTenThousand)), silent, null).state
    expect(most).toMatchObject({ lastReceipt: { kind: 'partial' }, verdict: 'warm', retention: before.retention })
    const whole = applyAnswer(before, answer(at, 'keep', usage(9_984, null)), silent, null).state
    expect(whole.retention?.ttlMs).toBe(30 * MINUTE_MS)
  })

  it('is not uncacheable by a zero read after the life of the first one, or a lapse', () => {
    const first = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), silent, null).state
    const late = applyAnswer(first, answer(NOON + 13 * MINUTE_MS, 'write', zero), silent, null).state
    expect(late).toMatchObject({ lastReceipt: { kind: 'unknown' }, readZeroInRow: 1 })
    const lapsed = reschedule(first, silent, NOON + 16 * MINUTE_MS)
    expect(lapsed.rows).toContainEqual(expect.objectContaining({ decision: 'lapse' }))
    expect(lapsed.state).toMatchObject({ readZeroInRow: 0, readZeroGapMs: null, stopped: null })
  })

  it('is checked again after an outage, and the plan goes on', () => {
    const down = { kind: 'provider_unavailable', message: 'down' } as const
    let state = applyAnswer(fresh(assumed), answer(NOON, 'write', zero), silent, null).state
    const failed = (now: number) => ({ lastFailure: { at: now, failure: down, againAt: now }, failuresInRow: 3 })
    state = reschedule({ ...state, ...failed(NOON + 6_000) }, silent, NOON + 6_000).state
    expect(state.decided).toBe('wait:verify')
    state = reschedule({ ...state, ...failed(NOON + 10 * MINUTE_MS) }, silent, NOON + 16 * MINUTE_MS).state
    expect(state).toMatchObject({ verdict: 'cold', decided: 'due:write', stopped: null })
    state = applyAnswer(state, answer(NOON + 16 * MINUTE_MS, 'write', zero), silent, null).state
    expect(state).toMatchObject({ lastReceipt: { kind: 'unknown' }, verdict: 'unknown' })
    const again = answer(NOON + 16 * MINUTE_MS + 5_000, 'verify', usage(9_984, null))
    expect(applyAnswer(state, again, silent, null).state).toMatchObject({ verdict: 'warm', stopped: null })
  })

  it('narrows the assumed retention if a zero read was followed by a read', () => {
    const hit = warmState(NOON, { everHit: true }, assumed)
    const first = applyAnswer(hit, answer(NOON + 9 * MINUTE_MS, 'keep', zero), silent, null).state
    const check = answer(NOON + 9 * MINUTE_MS + 5_000, 'verify', usage(9_984, null))
    const second = applyAnswer(first, check, silent, null).state
    expect(second.retention?.ttlMs).toBeLessThan(9 * MINUTE_MS)
    expect(second.retention?.assumed).toBe(true)
  })

  it('is unknown without usage, and not a miss', () => {
    const hit = warmState(NOON, { everHit: true }, assumed)
    const { state } = applyAnswer(hit, answer(NOON + MINUTE_MS, 'keep', usage(null, null)), silent, null)
    expect(state.lastReceipt?.kind).toBe('unknown')
    expect(state).toMatchObject({ readZeroInRow: 0, misses: 0, silentInRow: 1 })
    expect(belief(state, NOON + MINUTE_MS, 0).state).toBe('unknown')
  })
})

describe('a stated retention', () => {
  const hour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
  const writes = { '5m': 3_750_000_000, '1h': 6_000_000_000 }
  const price = facts.price === null ? null : { ...facts.price, cacheWriteNanosPerMTok: writes }
  const both = context({ facts: { ...facts, retentions: [fiveMinutes, hour], price } })
  const wrote = (retention: string): Usage => ({ ...usage(0, 10_000), cacheWriteByRetention: { [retention]: 10_000 } })

  it('is narrowed by two keep-alives in a row that find nothing, with a history row', () => {
    let state = applyAnswer(fresh(hour), answer(NOON, 'write', wrote('1h')), both, null).state
    expect(state.retention?.ttlMs).toBe(HOUR_MS)
    state = applyAnswer(state, answer(NOON + 59 * MINUTE_MS, 'keep', wrote('1h')), both, null).state
    expect(state.retention?.ttlMs).toBe(HOUR_MS)
    const second = applyAnswer(state, answer(NOON + 118 * MINUTE_MS, 'keep', wrote('1h')), both, null)
    expect(second.state.retention?.ttlMs).toBe(5 * MINUTE_MS)
    const row = second.rows.find((one) => one.type === 'decision' && one.decision === 'retention')
    expect(row).toMatchObject({ why: expect.stringContaining('gone too early twice in a row') })
    const next = reschedule(second.state, both, NOON + 118 * MINUTE_MS).state.nextAt
    expect(next).toBeLessThan(NOON + 123 * MINUTE_MS)
  })

  it('is the one that a write was granted', () => {
    const { state } = applyAnswer(fresh(hour), answer(NOON, 'write', wrote('5m')), both, null)
    expect(state.retention).toMatchObject({ name: '1h', grantedName: '5m', ttlMs: 5 * MINUTE_MS })
    const again = applyAnswer(state, answer(NOON + 2 * HOUR_MS, 'write', wrote('1h')), both, null).state
    expect(isWarm(again, NOON + 2 * HOUR_MS + 59 * MINUTE_MS)).toBe(true)
  })

  it('is not changed by a call that asked for another one', () => {
    const older = { ...answer(NOON, 'write', wrote('5m')), retention: '5m' }
    expect(applyAnswer(fresh(hour), older, both, null).state.retention).toEqual(learnedRetention(hour))
  })
})

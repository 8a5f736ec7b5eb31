import { expect, it } from 'vitest'
import { applyConversationAdvanced } from '../../../src/core/events/conversation-advanced.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import { facts, NOON } from '../../support/sample.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

const offer = facts.retentions[0]
if (offer === undefined) throw new Error('the sample facts have no retention')
const retention = learnedRetention(offer)

it('a conversation that grew keeps its knowledge, and has the entry that its last call left', () => {
  const before = {
    ...newState(NOON, '2026-11-21', { ...retention, hitsNearEnd: 3 }),
    measuredTokens: 1_000,
    verdict: 'cold' as const,
    readZeroInRow: 1,
    gaps: [1, 600],
    spentNanos: 42,
    lastArrivalAt: NOON,
  }
  const after = applyConversationAdvanced(before, { at: NOON + MINUTE_MS, tokens: 1_200, proved: true }, retention)
  expect(after).toMatchObject({
    verdict: 'warm',
    anchorAt: NOON + MINUTE_MS,
    measuredTokens: 1_200,
    readZeroInRow: 0,
    generation: before.generation + 1,
    gaps: [1, 600],
    spentNanos: 42,
    retention: { hitsNearEnd: 3 },
    lastArrivalAt: NOON + MINUTE_MS,
  })
  expect(applyConversationAdvanced(before, { at: NOON, tokens: 1, proved: false }, retention).verdict).toBe('unknown')
})

it('a conversation that grew starts to learn again where its entry has another retention', () => {
  const before = newState(NOON, '2026-11-21', { ...retention, hitsNearEnd: 3 })
  const other = { ...retention, name: 'other' }
  expect(applyConversationAdvanced(before, { at: NOON, tokens: 1, proved: true }, other).retention).toEqual(other)
  expect(applyConversationAdvanced(before, { at: NOON, tokens: 1, proved: true }, null).retention).toBeNull()
})

it('a conversation that grew continues after a stop that new content ends, and after no other', () => {
  const entry = { at: NOON, tokens: 1, proved: true }
  const stopped = (reason: 'uncacheable' | 'losing_money') => {
    return applyConversationAdvanced(
      { ...newState(NOON, 'x', null), stopped: { reason, at: NOON, why: '' } },
      entry,
      null,
    ).stopped
  }
  expect([stopped('uncacheable'), stopped('losing_money')?.reason]).toEqual([null, 'losing_money'])
})

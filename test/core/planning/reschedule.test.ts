import { expect, it } from 'vitest'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, NOON, warmState } from '../../support/sample.ts'

it('a lapse is a decision with a row, after which plan always writes again', () => {
  const { state, rows, decision } = reschedule(warmState(NOON), context(), NOON + 6 * MINUTE_MS)
  expect(rows.map((row) => (row.type === 'decision' ? row.decision : ''))).toEqual(['lapse', 'rewrite'])
  expect(decision).toMatchObject({ do: 'send', purpose: 'write' })
  expect(state.verdict).toBe('cold')
})

it('an unchanged decision gets no second row', () => {
  const first = reschedule(warmState(NOON), context(), NOON)
  expect(first.rows).toHaveLength(1)
  expect(reschedule(first.state, context(), NOON + 1_000).rows).toHaveLength(0)
})

import { expect, it } from 'vitest'
import { restart, resume } from '../../../src/core/events/restarted.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'
import { NOON, warmState } from '../../support/sample.ts'

const LATER = NOON + HOUR_MS
const stopped = (reason: 'losing_money' | 'plan_off') => warmState(NOON, { stopped: { reason, at: NOON, why: '' } })

it('a restart clears the stop, the failures and the loss', () => {
  const before = { ...stopped('losing_money'), failuresInRow: 3, probesSinceArrival: 9, loss: { nanos: 7, at: NOON } }
  const after = restart(before, LATER)
  expect(after).toMatchObject({ stopped: null, failuresInRow: 0, probesSinceArrival: 0, loss: { nanos: 0 } })
  expect(after).toMatchObject({ verdict: 'warm', plannedAt: LATER, generation: before.generation + 1 })
})

it('a restart tests a prefix again that was proved uncacheable', () => {
  const after = restart(warmState(NOON, { verdict: 'uncacheable', readZeroInRow: 2 }), LATER)
  expect(after).toMatchObject({ verdict: 'none', readZeroInRow: 0 })
})

it('a restart ends the holding out of the current idle gap, which stays in the sums', () => {
  const trial = { gapAt: NOON, heldOut: true, paidNanos: 0 }
  expect(restart(warmState(NOON, { trial }), LATER).trial).toEqual({ ...trial, lifted: true })
})

it('a write by request starts a stopped plan again with a row that names the stop', () => {
  const { state, rows } = resume(stopped('losing_money'), LATER)
  expect(state.stopped).toBeNull()
  expect(rows).toMatchObject([{ decision: 'resume', why: expect.stringContaining('losing_money') }])
})

it('a write by request adds no row for a plan that is off', () => {
  expect(resume(stopped('plan_off'), LATER).rows).toEqual([])
})

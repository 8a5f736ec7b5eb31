import { describe, expect, it } from 'vitest'
import { decideRequested, refusedJob } from '../../../../src/durable/registry/probes/lease-decision.ts'
import { NOON, context, facts, planned, warmState } from '../../../support/sample.ts'

const state = warmState(NOON)
const unpriced = (more: Parameters<typeof context>[0] = {}) => context({ facts: { ...facts, price: null }, ...more })

describe('a requested call at an unknown price', () => {
  it('is sent on a caller’s word and on nothing else', () => {
    expect(decideRequested(state, unpriced(), NOON, true)).toMatchObject({ do: 'send', worstNanos: null })
    const refused = decideRequested(state, unpriced(), NOON, false)
    expect(refused).toMatchObject({ do: 'stop', reason: 'price_unknown' })
    if (refused.do === 'send') throw new Error('it was sent')
    expect(refusedJob(refused).failure).toMatchObject({
      kind: 'forbidden',
      message: expect.stringContaining('allow_unpriced'),
    })
  })

  it('is not sent against a budget of the account, nor against a cap', () => {
    const account = decideRequested(state, unpriced({ accountLeftNanos: 1e12 }), NOON, true)
    expect(account).toMatchObject({ do: 'stop', reason: 'budget_exhausted', why: expect.stringContaining('account') })
    const keepWarm = planned('off', { maxNanosPerCall: 1e12 })
    const capped = decideRequested(state, unpriced({ keepWarm }), NOON, true)
    expect(capped).toMatchObject({ do: 'stop', reason: 'budget_exhausted', why: expect.stringContaining('max_usd') })
  })
})

it('a requested call above the cap is refused, and one below it is sent without a word', () => {
  const keepWarm = planned('off', { maxNanosPerCall: 1 })
  const refused = decideRequested(state, context({ keepWarm }), NOON, true)
  expect(refused).toMatchObject({ do: 'stop', reason: 'budget_exhausted' })
  expect(decideRequested(state, context(), NOON, false)).toMatchObject({ do: 'send' })
})

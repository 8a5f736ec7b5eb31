import { expect, it } from 'vitest'
import { chargedNanos } from '../../../src/durable/bot/turn-events.ts'
import type { CallOutcome } from '../../../src/durable/bot/call-outcome.ts'
import { failureValue } from '../../../src/contract/failure.ts'
import { usage } from '../../support/sample.ts'

const call = (outcome: CallOutcome | null, worstNanos: number | null = 900) => ({
  id: 'turn',
  begunAt: 0,
  endedAt: null,
  outcome,
  worstNanos,
})
const failure = failureValue('provider_timeout', 'late')
const answered = (nanos: number | null): CallOutcome => ({
  kind: 'answered',
  text: 'Yes.',
  complete: true,
  usage: usage(0, 0),
  nanos,
})

it.each<[string, CallOutcome | null, number[]]>([
  ['its known cost', answered(7), [7]],
  ['its worst case where the answer counted nothing that can be true', answered(null), [900]],
  ['its worst case where its outcome is unknown', { kind: 'failed', failure, billed: null }, [900]],
  ['its worst case where it was cut off', null, [900]],
  ['what an error counted', { kind: 'failed', failure, billed: true, usage: usage(0, 0), nanos: 5 }, [5]],
  ['nothing where the provider refused it', { kind: 'refused', failure }, []],
])('a call of a bot counts as %s', (_, outcome, charged) => {
  expect(chargedNanos([call(outcome)])).toEqual(charged)
})

it('a call without a price has no worst case', () => {
  expect(chargedNanos([call(answered(null), null)])).toEqual([])
})

import { expect, it } from 'vitest'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import type { Arrival } from '../../../src/core/events/arrived.ts'
import { modelName } from '../../../src/core/prefix/served-model.ts'
import type { Served } from '../../../src/core/prefix/served-model.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { facts, fiveMinutes, NOON, usage, warmState } from '../../support/sample.ts'

const served = (minutes: number, by?: Served): Arrival => ({
  startedAt: NOON + minutes * MINUTE_MS,
  usage: usage(10_000, 0),
  ttftMs: 120,
  bytes: 'same',
  ...(by === undefined ? {} : { served: by }),
})
const arrived = (before: PrefixState, ...all: Arrival[]) =>
  applyArrivals(before, all, NOON + 60 * MINUTE_MS, NOON, { offers: [fiveMinutes], price: facts.price })

it('another model that answers is told once, and moves no clock', () => {
  const { state, rows } = arrived(warmState(NOON), served(1, 'model-b'), served(2, 'model-b'))
  expect(state).toMatchObject({ anchorAt: NOON, hits: 0, misses: 0, lastArrivalAt: NOON + 2 * MINUTE_MS })
  expect(state.servedModel).toEqual({
    model: 'model-b',
    sinceAt: NOON + MINUTE_MS,
    lastAt: NOON + 2 * MINUTE_MS,
    answers: 2,
  })
  expect(rows.filter((row) => row.type === 'decision' && row.decision === 'other_model_served')).toHaveLength(1)
})

it('ends with an answer of the model that was asked for', () => {
  const told = arrived(warmState(NOON), served(2, 'model-b')).state
  expect(arrived(told, served(3)).state.servedModel?.answers).toBe(1)
  expect(arrived(told, served(1, true)).state.servedModel?.answers).toBe(1)
  const { state, rows } = arrived(told, served(4, true))
  expect(state.servedModel).toBeUndefined()
  expect(state.hits).toBe(1)
  expect(rows).toContainEqual(expect.objectContaining({ decision: 'asked_model_served' }))
})

it('a third model is told anew', () => {
  const { state, rows } = arrived(warmState(NOON), served(1, 'model-b'), served(2, 'model-c'))
  expect(state.servedModel).toMatchObject({ model: 'model-c', answers: 1 })
  expect(rows.filter((row) => row.type === 'decision' && row.decision === 'other_model_served')).toHaveLength(2)
})

it.each([
  ['gpt-5.5', true],
  ['a/b:c@d', true],
  ['two words', false],
  ['<b>', false],
  ['x'.repeat(201), false],
  [7, false],
])('a name is kept only where it is one: %s', (value, kept) => {
  expect(modelName(value) === value).toBe(kept)
})

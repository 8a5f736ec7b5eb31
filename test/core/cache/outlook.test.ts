import { expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import type { WarmthState } from '../../../src/core/cache/belief.ts'
import { mayBe, outlookOf } from '../../../src/core/cache/outlook.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { assumed, fiveMinutes, NOON, warmState } from '../../support/sample.ts'

const ALL: readonly WarmthState[] = ['warm', 'expiring', 'cold', 'uncacheable', 'unknown']
const VERDICTS: readonly PrefixState['verdict'][] = ['none', 'warm', 'cold', 'uncacheable', 'unknown']
const suspected = {
  sinceAt: NOON - 60_000,
  lastAt: NOON - 1_000,
  requests: 3,
  missedAt: NOON - 1_000,
  missesInRow: 2,
  othersInRow: 0,
  matchesInRow: 0,
  tokens: null,
  reads: 0,
}

/** States of every verdict: with and without evidence, retention, losses and suspicions. */
const states: PrefixState[] = VERDICTS.flatMap((verdict) =>
  [NOON, NOON - 100_000, NOON - 290_000, NOON - 300_000, NOON - 86_400_000].flatMap((at) =>
    [fiveMinutes, assumed].flatMap((retention) => [
      { ...warmState(at, {}, retention), verdict },
      { ...warmState(at, { keepHits: 0, keepColds: 50 }, retention), verdict },
      { ...warmState(at, {}, retention), verdict, drift: suspected },
      { ...warmState(at, {}, retention), verdict, anchorAt: null },
      { ...newState(at, '2026-11-16', null), verdict },
    ]),
  ),
)

it('the outlook of a state allows the belief that the state has, at any time', () => {
  const seen = new Set<string>()
  for (const state of states)
    for (const now of [NOON, NOON + 1, NOON + 10_000, NOON + 299_999, NOON + 300_000, NOON + 86_400_000]) {
      const { state: believed } = belief(state, now, 25_000)
      seen.add(believed)
      expect(mayBe(outlookOf(state), believed, now), `${JSON.stringify(state)} at ${now}`).toBe(true)
    }
  expect([...seen].toSorted()).toEqual(ALL.toSorted())
})

it('the outlook rules out what cannot be: a lapsed entry is not warm, a warm one not cold', () => {
  const outlook = outlookOf(warmState(NOON))
  const possible = (at: number) => ALL.filter((state) => mayBe(outlook, state, at))
  expect(possible(NOON)).toEqual(['warm', 'expiring', 'unknown'])
  expect(possible(NOON + 300_000)).toEqual(['cold'])
  expect(ALL.filter((state) => mayBe(outlookOf({ ...warmState(NOON), verdict: 'uncacheable' }), state, NOON))).toEqual([
    'uncacheable',
  ])
})

it('the outlook of what a managed cache keeps rules nothing out: its handle decides', () => {
  const outlook = { ...outlookOf(warmState(NOON)), isManaged: true }
  expect(ALL.every((state) => mayBe(outlook, state, NOON + 86_400_000))).toBe(true)
})

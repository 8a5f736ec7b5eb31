import { describe, expect, it } from 'vitest'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { applySignal } from '../../../src/core/prefix/signal.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import type { Lifetime } from '../../../src/contract/lifetime.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, facts, NOON, planned, usage, warmState } from '../../support/sample.ts'

const auto = context({ keepWarm: planned('auto') })
const offers = facts.retentions

function after(state: PrefixState, at: number, lifetime?: Lifetime): PrefixState {
  const arrival = {
    startedAt: at,
    usage: usage(10_000, 0),
    ttftMs: null,
    ...(lifetime === undefined ? {} : { lifetime }),
  }
  return reschedule(applyArrivals(state, [arrival], at, NOON, { offers }).state, auto, at).state
}

const oneShot = warmState(NOON, { lifetime: 'one_shot' })

describe('a one-shot', () => {
  it('gets no keep-alive under auto, and its stop says what starts it again', () => {
    const { state, rows } = reschedule(oneShot, auto, NOON)
    expect(state).toMatchObject({ nextAt: null, stopped: { reason: 'one_shot' } })
    expect(rows).toMatchObject([{ decision: 'stop:one_shot' }])
    expect(state.stopped?.why).toContain('after a silence')
  })

  it('does not stop plans that a caller chose', () => {
    for (const plan of ['always', { probes: 3 }] as const)
      expect(decide(oneShot, context({ keepWarm: planned(plan) }), NOON)).not.toMatchObject({ do: 'stop' })
  })

  it('stays one while its requests follow each other, without a row for each', () => {
    const stopped = reschedule(oneShot, auto, NOON).state
    const report = applyArrivals(
      stopped,
      [{ startedAt: NOON + MINUTE_MS, usage: usage(10_000, 0), ttftMs: null, lifetime: 'one_shot' }],
      NOON + MINUTE_MS,
      NOON,
      { offers },
    )
    expect(report.state.stopped?.reason).toBe('one_shot')
    expect(report.rows).not.toContainEqual(expect.objectContaining({ decision: 'resume' }))
  })

  it('is none any more once a request comes back after a silence', () => {
    const first = after(oneShot, NOON + MINUTE_MS)
    expect(first.stopped?.reason).toBe('one_shot')
    expect(after(first, NOON + 5 * MINUTE_MS + MINUTE_MS)).toMatchObject({ stopped: null, lifetime: 'one_shot' })
  })

  it('is outweighed by one interactive session, whatever is told afterwards', () => {
    const shared = after(oneShot, NOON + MINUTE_MS, 'interactive')
    expect(shared).toMatchObject({ stopped: null, lifetime: 'interactive' })
    expect(after(shared, NOON + 2 * MINUTE_MS, 'one_shot').lifetime).toBe('interactive')
  })

  it('is kept while work is pending', () => {
    const stopped = reschedule(oneShot, auto, NOON).state
    const at = NOON + MINUTE_MS
    const { state } = applySignal(stopped, { kind: 'pending', at, untilAt: NOON + HOUR_MS })
    expect(reschedule(state, auto, at).state).toMatchObject({ stopped: null })
  })

  it('is told by requests too, but not by those that a client repeats', () => {
    expect(after(warmState(NOON), NOON + MINUTE_MS, 'one_shot').stopped?.reason).toBe('one_shot')
    const again = {
      startedAt: NOON + MINUTE_MS,
      usage: usage(10_000, 0),
      ttftMs: null,
      again: true,
      lifetime: 'one_shot',
    }
    const { state } = applyArrivals(warmState(NOON), [again as never], NOON + MINUTE_MS, NOON, { offers })
    expect(state.lifetime).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { restart } from '../../../src/core/events/restarted.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { leadMs } from '../../../src/core/time/latency.ts'
import { applyChildCall, applySignal } from '../../../src/core/prefix/signal.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { context, facts, NOON, planned, usage, warmState } from '../../support/sample.ts'
import { HOUR_MS, iso, MINUTE_MS } from '../../../src/core/time/time.ts'

const auto = context({ keepWarm: planned('auto') })
const dueAt = NOON + 5 * MINUTE_MS - leadMs(5 * MINUTE_MS, 1_000)
const end = { kind: 'end', at: NOON + MINUTE_MS } as const
const pending = (untilAt: number, at = NOON + MINUTE_MS) => ({ kind: 'pending', at, untilAt }) as const
const arrival = (startedAt: number) => ({ startedAt, usage: usage(10_000, 0), ttftMs: null })

function ended(change: Partial<PrefixState> = {}): PrefixState {
  return reschedule(applySignal(warmState(NOON, change), end).state, auto, NOON + MINUTE_MS).state
}

describe('the signal end', () => {
  it('stops an auto plan at once, with a row that says what starts it again', () => {
    const after = applySignal(warmState(NOON, { generation: 4 }), end)
    expect(after.rows).toMatchObject([{ decision: 'signal:end' }])
    // An earlier claim is void.
    expect(after.state.generation).toBe(5)
    const { state, rows } = reschedule(after.state, auto, NOON + MINUTE_MS)
    expect(rows).toMatchObject([{ decision: 'stop:session_over' }])
    expect(state).toMatchObject({ nextAt: null, stopped: { reason: 'session_over' } })
    expect(state.stopped?.why).toContain('real request')
    expect(applySignal(state, { ...end, at: NOON + 2 * MINUTE_MS })).toEqual({ state, rows: [] })
  })

  it('does not stop a plan of N probes, nor always', () => {
    const state = applySignal(warmState(NOON), end).state
    expect(decide(state, context(), dueAt)).toMatchObject({ do: 'send', purpose: 'keep' })
    expect(decide(state, context({ keepWarm: planned({ probes: 3 }) }), dueAt)).toMatchObject({ do: 'send' })
  })

  it('ends with the next real request, not with a late report of an older one', () => {
    const late = applyArrivals(ended(), [arrival(NOON + MINUTE_MS - 5_000)], NOON + 2 * MINUTE_MS, NOON, {
      offers: facts.retentions,
    })
    expect(late.state).toMatchObject({ signal: { kind: 'end' }, stopped: { reason: 'session_over' } })
    expect(late.rows).not.toContainEqual(expect.objectContaining({ decision: 'resume' }))
    const next = applyArrivals(late.state, [arrival(NOON + 2 * MINUTE_MS)], NOON + 2 * MINUTE_MS, NOON, {
      offers: facts.retentions,
    })
    expect(next.state).toMatchObject({ signal: null, stopped: null })
    expect(decide(next.state, auto, NOON + 2 * MINUTE_MS)).toMatchObject({ do: 'wait', code: 'hold' })
  })

  it('ends with a warm requested after it, not with one that was already sent', () => {
    expect(restart(ended(), NOON + 2 * MINUTE_MS).signal).toBeNull()
    expect(restart(ended(), NOON).signal).toEqual(end)
  })
})

describe('the signal pending', () => {
  const spent = { probesSinceArrival: 11 }

  it('keeps an auto plan warm beyond break-even until the entry outlasts the work', () => {
    const state = applySignal(warmState(NOON, spent), pending(NOON + HOUR_MS)).state
    expect(decide(warmState(NOON, spent), auto, dueAt)).toMatchObject({ do: 'stop', reason: 'break_even' })
    const held = decide(state, auto, dueAt)
    expect(held).toMatchObject({ do: 'send', purpose: 'keep' })
    expect(held.why).toContain('pending work')
    expect(decide({ ...state, signal: pending(dueAt) }, auto, NOON + MINUTE_MS)).toMatchObject({ reason: 'break_even' })
    const over = { ...state, anchorAt: NOON + HOUR_MS - MINUTE_MS }
    expect(decide(over, auto, NOON + HOUR_MS)).toMatchObject({ do: 'stop', reason: 'break_even' })
  })

  it('is in the reason before break-even too, until it expires', () => {
    const state = applySignal(warmState(NOON), pending(NOON + HOUR_MS)).state
    const said = `work is pending, until ${iso(NOON + HOUR_MS)} at the latest`
    expect(decide(state, auto, NOON + MINUTE_MS).why).toContain(said)
    expect(decide({ ...state, anchorAt: NOON + HOUR_MS }, auto, NOON + HOUR_MS + MINUTE_MS).why).not.toContain(
      'pending',
    )
  })

  it('stays within the budget', () => {
    const poor = context({ keepWarm: planned('auto', { budgetNanosPerDay: 30_000_000 }) })
    const state = applySignal(warmState(NOON, spent), pending(NOON + HOUR_MS)).state
    expect(decide(state, poor, dueAt)).toMatchObject({ do: 'stop', reason: 'budget_exhausted' })
  })

  it('ends a stop by the signal end or at break-even, but revives nothing', () => {
    for (const state of [ended(), reschedule(warmState(NOON, spent), auto, NOON + MINUTE_MS).state]) {
      expect(state.stopped).not.toBeNull()
      const after = applySignal(state, pending(NOON + HOUR_MS, NOON + 2 * MINUTE_MS)).state
      expect(decide(after, auto, NOON + 2 * MINUTE_MS)).toMatchObject({ do: 'wait', code: 'hold', untilAt: dueAt })
      const later = reschedule(after, auto, NOON + 10 * MINUTE_MS).state
      expect(later).toMatchObject({ nextAt: null, stopped: { reason: 'lapsed' } })
    }
  })

  it('does not count its own keep-alives towards the loss of the plan', () => {
    const answer = {
      startedAt: NOON + 4 * MINUTE_MS,
      latencyMs: 400,
      purpose: 'keep',
      primitive: 'zero_output',
      usage: usage(10_000, 0),
      model: null,
    } as const
    const after = applySignal(warmState(NOON), pending(NOON + HOUR_MS)).state
    expect(applyAnswer(after, answer, auto, null).state.loss.nanos).toBe(0)
    expect(applyAnswer(warmState(NOON), answer, auto, null).state.loss.nanos).toBeGreaterThan(0)
  })

  it('is dropped once it has expired', () => {
    const after = applySignal(warmState(NOON), pending(NOON + 2 * MINUTE_MS)).state
    expect(reschedule(after, auto, NOON + MINUTE_MS).state.signal).toEqual(pending(NOON + 2 * MINUTE_MS))
    expect(reschedule(after, auto, NOON + 2 * MINUTE_MS).state.signal).toBeNull()
  })

  it('does not end a stop for another reason', () => {
    const stopped = { reason: 'provider_refused', at: NOON, why: 'the key' } as const
    expect(applySignal(warmState(NOON, { stopped }), pending(NOON + HOUR_MS)).state.stopped).toEqual(stopped)
  })
})

describe('a child agent at work', () => {
  const spent = { probesSinceArrival: 1_000, lastArrivalAt: NOON }
  const call = (startedAt: number, endedAt = startedAt) => ({ startedAt, endedAt })
  const now = dueAt - MINUTE_MS
  const held = (change: Partial<PrefixState> = {}) =>
    applyChildCall(warmState(NOON, { ...spent, ...change }), call(now - 1_000, now), now)

  it('holds what would rest at break-even, until five minutes after its last call', () => {
    expect(decide(warmState(NOON, spent), auto, dueAt)).toMatchObject({ do: 'stop', reason: 'break_even' })
    const { state, rows } = held()
    expect(rows).toMatchObject([{ decision: 'signal:pending', why: expect.stringContaining('child agent') }])
    expect(state.signal).toEqual({ kind: 'pending', at: now - 1_000, untilAt: now + 5 * MINUTE_MS, child: true })
    const sent = decide(state, auto, dueAt)
    expect(sent).toMatchObject({ do: 'send', purpose: 'keep', why: expect.stringContaining('waits for a child') })
    const later = { ...state, anchorAt: dueAt }
    expect(decide(later, auto, now + 5 * MINUTE_MS)).toMatchObject({ do: 'stop', reason: 'break_even' })
  })

  it('a later call holds it for longer, without another row; the same one again changes nothing', () => {
    const first = held().state
    expect(applyChildCall(first, call(now - 1_000, now), now)).toEqual({ state: first, rows: [] })
    const second = applyChildCall(first, call(now + 5_000), now + 5_000)
    expect([second.state.signal, second.rows]).toMatchObject([{ untilAt: now + 5_000 + 5 * MINUTE_MS }, []])
  })

  it('starts a plan again that rested', () => {
    const rested = reschedule(warmState(NOON, spent), auto, dueAt).state
    expect(rested.stopped?.reason).toBe('break_even')
    expect(held({ stopped: rested.stopped }).state.stopped).toBeNull()
  })

  it.each<[string, Partial<PrefixState>, number, number]>([
    ['began before the last call of its parent', { lastArrivalAt: now }, now - 1_000, now],
    ['ended five minutes ago', {}, now - 5 * MINUTE_MS, now - 5 * MINUTE_MS],
    ['comes after the end of the session was told', { signal: { ...end, at: now - 2_000 } }, now - 1_000, now],
    ['ends before pending work that a caller told', { signal: pending(now + HOUR_MS) }, now - 1_000, now],
    ['comes a day after the last call of its parent', { lastArrivalAt: now - 24 * HOUR_MS }, now - 1_000, now],
  ])('does nothing where it %s', (_, change, startedAt, endedAt) => {
    const before = warmState(NOON, { ...spent, ...change })
    expect(applyChildCall(before, call(startedAt, endedAt), now).state).toBe(before)
  })

  it("ends with the parent's next call", () => {
    const next = applyArrivals(held().state, [arrival(now + 1_000)], now + 2_000, NOON, { offers: facts.retentions })
    expect(next.state.signal).toBeNull()
  })
})

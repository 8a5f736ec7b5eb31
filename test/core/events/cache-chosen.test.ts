import { describe, expect, it } from 'vitest'
import { chosenManaged, countedUse, leftManaged, unusedWhy } from '../../../src/core/events/cache-chosen.ts'
import type { CountedRequest } from '../../../src/core/events/cache-chosen.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { OWN_CACHE } from '../../../src/core/prefix/parts.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'

const TOKENS = 10_000
const asked = (...referrals: (boolean | null)[]): CountedRequest[] =>
  referrals.map((referral, index) => ({ at: NOON + index, readTokens: null, referral }))
const chosen = chosenManaged(warmState(NOON), 'cch_0_1', 'it costs less', NOON)

describe('a managed cache that was chosen', () => {
  it('is noted with its reason, and what callers must do', () => {
    expect(chosen.state.managed).toMatchObject({ cache: 'cch_0_1', sinceAt: NOON, referred: 0, others: 0 })
    expect(chosen.rows).toMatchObject([{ type: 'decision', decision: 'managed_cache' }])
    expect(chosen.rows[0]).toMatchObject({ why: expect.stringMatching(/it costs less.*handle_body/) })
  })

  it('counts requests that refer to it, that do not, and those that do not tell', () => {
    const { state } = chosen
    const after = countedUse(state, state, asked(true, false, null, true), TOKENS)
    expect(after.managed).toMatchObject({ referred: 2, others: 1 })
  })

  it('forgets old requests by halves', () => {
    const { state } = chosen
    const many = countedUse(state, state, asked(...Array<boolean>(201).fill(true)), TOKENS)
    expect(many.managed?.referred).toBe(101)
  })

  it('is unused after five requests and ten minutes, unless one referred to it', () => {
    const use = { ...OWN_CACHE, cache: 'x', others: 5 }
    expect(unusedWhy(use, NOON, NOON + 10 * MINUTE_MS)).toContain('none of 5 real requests')
    expect(unusedWhy(use, NOON, NOON + 10 * MINUTE_MS - 1)).toBeNull()
    expect(unusedWhy({ ...use, others: 4 }, NOON, NOON + DAY_MS)).toBeNull()
    expect(unusedWhy({ ...use, referred: 1 }, NOON, NOON + DAY_MS)).toBeNull()
  })
})

describe("requests that read the provider's own cache", () => {
  const before = { ...warmState(NOON), lastArrivalAt: NOON }
  const read = (at: number, readTokens: number | null, referral: boolean | null = null): CountedRequest => ({
    at,
    readTokens,
    referral,
  })
  const counts = (...requests: CountedRequest[]) => countedUse(before, before, requests, TOKENS).managed

  it('are found where they read half of it or more', () => {
    const next = (index: number) => NOON + (index + 1) * MINUTE_MS
    const requests = [TOKENS, TOKENS / 2, TOKENS / 2 - 1, 0, null].map((tokens, index) => read(next(index), tokens))
    expect(counts(...requests)).toMatchObject({ found: 2, missed: 2 })
  })

  it('leave the sizes of their reads, which a handle of that size is not told from', () => {
    const at = (index: number) => NOON + index * MINUTE_MS
    expect(counts(read(at(1), 900), read(at(2), 900), read(at(3), 0), read(at(4), 700))?.ownReads).toEqual([900, 700])
    const kept = { ...before, managed: { ...OWN_CACHE, cache: 'x' } }
    expect(countedUse(kept, kept, [read(at(1), 900)], TOKENS).managed?.ownReads).toBeUndefined()
  })

  it('count only where the request before should have left it there', () => {
    const hour = NOON + HOUR_MS
    expect(counts(read(hour, 0))).toMatchObject({ found: 0, missed: 0 })
    expect(counts(read(hour + MINUTE_MS, 0), read(hour, 0))).toMatchObject({ found: 0, missed: 1 })
    expect(counts(read(NOON - MINUTE_MS, 0))).toMatchObject({ found: 0, missed: 0 })
  })

  it('are none of those that refer to a handle, which leave nothing there', () => {
    expect(counts(read(NOON + MINUTE_MS, TOKENS, true))).toMatchObject({ found: 0, missed: 0 })
    expect(counts(read(NOON + 4 * MINUTE_MS, TOKENS, true), read(NOON + 8 * MINUTE_MS, 0))).toMatchObject({ missed: 0 })
  })
})

describe('a managed cache that is left', () => {
  it('is tried again a day after nobody used it, then after two, four, up to thirty', () => {
    let { state } = chosen
    const waits: number[] = []
    for (let turn = 0; turn < 7; turn++) {
      state = leftManaged(state, 'unused', 'nobody', NOON).state
      waits.push(((state.managed?.notBeforeAt ?? 0) - NOON) / DAY_MS)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30])
    expect(state.managed).toMatchObject({ cache: null, unused: true, failed: 7 })
  })

  it('starts at a day again after one that was used', () => {
    const twice = leftManaged(leftManaged(chosen.state, 'unused', '', NOON).state, 'unused', '', NOON).state
    const again = chosenManaged(twice, 'cch_0_2', '', NOON).state
    const used = countedUse(again, again, asked(true), TOKENS)
    expect(used.managed?.failed).toBeUndefined()
    expect(leftManaged(used, 'unused', '', NOON).state.managed?.notBeforeAt).toBe(NOON + DAY_MS)
  })

  it('waits an hour where it was dearer, and not at all where a caller decides', () => {
    expect(leftManaged(chosen.state, 'dearer', '', NOON).state.managed?.notBeforeAt).toBe(NOON + HOUR_MS)
    expect(leftManaged(chosen.state, 'closed', '', NOON).state.managed?.notBeforeAt).toBeUndefined()
  })

  it("leaves nothing in the provider's own cache if requests referred to it", () => {
    const used = countedUse(chosen.state, chosen.state, asked(true), TOKENS)
    expect(leftManaged(used, 'dearer', '', NOON).state.verdict).toBe('cold')
    expect(leftManaged(chosen.state, 'unused', '', NOON).state.verdict).toBe('warm')
  })
})

describe('a plan whose requests refer to a handle', () => {
  const due = { ...warmState(NOON), anchorAt: NOON - 290_000 }
  const always = context({ keepWarm: planned('always') })

  it('sends no probe until the handle expires', () => {
    expect(decide(due, always, NOON).do).toBe('send')
    const handle = { expiresAt: NOON + HOUR_MS }
    expect(decide(due, { ...always, handle }, NOON)).toMatchObject({
      do: 'wait',
      code: 'managed',
      untilAt: NOON + HOUR_MS,
    })
    expect(decide(due, { ...always, handle: { ...handle, expiresAt: NOON } }, NOON).do).toBe('send')
  })

  it('still stops for the kill switch', () => {
    const handle = { expiresAt: NOON + HOUR_MS }
    expect(decide(due, { ...always, handle, killed: true }, NOON)).toMatchObject({ do: 'stop', reason: 'kill_switch' })
  })

  it('has what the managed cache costs in its budget', () => {
    expect(decide(due, { ...always, besideNanos: always.keepWarm.budgetNanosPerDay }, NOON)).toMatchObject({
      do: 'wait',
      code: 'budget',
    })
  })
})

import { describe, expect, it } from 'vitest'
import { billedNanos, mostNanos } from '../../bench/storm/cost.ts'
import { flatness } from '../../bench/storm/flat.ts'
import { forgotten, GRACE_MS, leasesUsedTwice, lost, untrue } from '../../bench/storm/judge.ts'
import type { AtRest, Evidence, Said, StormCall } from '../../bench/storm/judge.ts'
import { stormOptions } from '../../bench/storm/options.ts'
import { stormPlan } from '../../bench/storm/plan.ts'
import { FAULT_KINDS } from '../lab/faults.ts'
import { reconcile } from '../../bench/storm/reconcile.ts'
import type { Booking, Books } from '../../bench/storm/reconcile.ts'

const MARK = 'storm-prefix-00000'
const NOW = Date.UTC(2026, 10, 30, 12)
const MINUTE = 60_000
/** 2,000 tokens written, at $3.75 a million. */
const WRITTEN = {
  input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 2_000, ephemeral_1h_input_tokens: 0 },
  output_tokens: 0,
}
const WRITE_NANOS = 7_500_000

function call(change: Partial<StormCall> = {}): StormCall {
  const at = change.at ?? NOW
  const usage = 'usage' in change ? change.usage : WRITTEN
  return {
    seq: 1,
    mark: MARK,
    wire: 'anthropic',
    lease: '1.0.1',
    at,
    finishedAt: at + 600,
    status: 200,
    faults: [],
    usage,
    told: usage,
    entries: ['e'],
    bytes: 9_000,
    ...change,
  }
}

const calmly = (): boolean => false

describe('untrue', () => {
  const said = (change: Partial<Said> = {}): Said => ({
    mark: MARK,
    wire: 'anthropic',
    at: NOW + 10 * MINUTE,
    state: 'warm',
    held: false,
    ...change,
  })
  const judged = (change: Partial<Evidence> & { said: Said[] }): number =>
    untrue({ calls: [call()], jumps: [], cutBetween: calmly, ...change }).length

  it('is an answer of warm, or of expiring, about what the lab does not hold', () => {
    expect(judged({ said: [said(), said({ state: 'expiring' })] })).toBe(2)
    expect(judged({ said: [said({ held: true }), said({ state: 'cold' }), said({ state: 'unknown' })] })).toBe(0)
  })

  it('excuses an eviction that nobody could know of, until the next true answer about the prefix', () => {
    const eviction = call({ mark: 'storm-prefix-00005', faults: ['evict'], at: NOW + 5 * MINUTE })
    expect(judged({ said: [said()], calls: [call(), eviction] })).toBe(0)
    expect(judged({ said: [said()], calls: [call(), eviction, call({ at: NOW + 6 * MINUTE })] })).toBe(1)
    expect(judged({ said: [said()], calls: [call(), { ...eviction, wire: 'gemini' }] })).toBe(1)
    // In the same millisecond as the write: before it, or after it.
    expect(judged({ said: [said()], calls: [call(), { ...eviction, seq: 2, at: NOW }] })).toBe(0)
    expect(judged({ said: [said()], calls: [{ ...eviction, seq: 0, at: NOW }, call()] })).toBe(1)
    expect(judged({ said: [said()], calls: [call(), { ...eviction, at: NOW + 11 * MINUTE }] })).toBe(1)
  })

  it.each([['no_write'], ['downgrade_ttl'], ['wrong_usage'], ['missing_cached']])(
    'excuses what the answer of a call under %s could not show, until a true answer',
    (fault) => {
      const deceiving = call({ at: NOW + MINUTE, faults: [fault] })
      expect(judged({ said: [said()], calls: [call(), deceiving] })).toBe(0)
      expect(judged({ said: [said()], calls: [call(), deceiving, call({ at: NOW + 2 * MINUTE })] })).toBe(1)
    },
  )

  it('excuses a clock set back after the last answer, and no clock set forward', () => {
    expect(judged({ said: [said()], jumps: [{ at: NOW + MINUTE, byMs: -MINUTE }] })).toBe(0)
    expect(judged({ said: [said()], jumps: [{ at: NOW + MINUTE, byMs: MINUTE }] })).toBe(1)
    expect(judged({ said: [said()], jumps: [{ at: NOW - MINUTE, byMs: -MINUTE }] })).toBe(1)
  })

  it('takes no answer for known that a killed process received', () => {
    const calls = [call({ at: NOW - MINUTE, faults: ['no_write'] }), call()]
    expect(judged({ said: [said()], calls })).toBe(1)
    expect(judged({ said: [said()], calls, cutBetween: (from, until) => from <= NOW + 1_000 && until > NOW })).toBe(0)
  })
})

describe('leases used twice', () => {
  it('are calls beyond the first under one lease of one prefix', () => {
    const other = call({ mark: 'storm-prefix-00005' })
    expect(
      leasesUsedTwice([call(), call({ lease: '1.0.2' }), other, call({ lease: null }), call({ lease: null })]),
    ).toEqual([])
    expect(leasesUsedTwice([call(), other, call({ seq: 9, at: NOW + 1 })]).map(({ seq }) => seq)).toEqual([9])
  })
})

describe('forgotten', () => {
  const rest = (change: Partial<AtRest> = {}): AtRest => ({
    mark: MARK,
    nextAt: NOW + MINUTE,
    stopped: null,
    inFlight: false,
    ...change,
  })
  const due = NOW - GRACE_MS - 1

  it('is a probe that has been due for longer than the grace, and a plan without a next probe', () => {
    expect(forgotten([rest({ nextAt: due })], [call({ at: due - MINUTE })], NOW)).toHaveLength(1)
    expect(forgotten([rest({ nextAt: null })], [call()], NOW)).toHaveLength(1)
    const fine = [rest(), rest({ nextAt: due + 2 }), rest({ nextAt: null, inFlight: true })]
    expect(forgotten(fine, [call({ at: due - MINUTE })], NOW)).toEqual([])
    expect(forgotten([rest({ nextAt: due })], [call({ at: due + MINUTE })], NOW)).toEqual([])
  })

  it('is a plan that stopped without a fault after which it may stop', () => {
    const stopped = rest({ nextAt: null, stopped: 'lapsed' })
    expect(forgotten([stopped], [call({ faults: ['overloaded'] })], NOW)).toHaveLength(1)
    expect(forgotten([stopped], [call({ faults: ['insufficient_quota'] })], NOW)).toEqual([])
  })
})

describe('lost', () => {
  it('is a prefix that a look does not find, and a count of bookings that falls', () => {
    const looks = (...counts: number[]): Map<string, number>[] => counts.map((count) => new Map([[MARK, count]]))
    expect(lost([MARK], looks(1, 2, 2))).toEqual([])
    expect(lost([MARK], looks(1, 2, 1))).toEqual([MARK])
    expect(lost([MARK, 'storm-prefix-00001'], looks(1))).toEqual(['storm-prefix-00001'])
  })
})

describe('ledger minus transcript', () => {
  const booking = (change: Partial<Booking> = {}): Booking => ({
    mark: MARK,
    at: NOW,
    costNanos: WRITE_NANOS,
    why: '',
    ...change,
  })
  const judged = (change: Partial<Books>) =>
    reconcile({
      calls: [call()],
      bookings: [booking()],
      billed: ({ wire, at }, usage) => billedNanos(wire, usage, at),
      most: (_, at) => mostNanos('anthropic', 9_000, at),
      cutBetween: calmly,
      ...change,
    })

  it('is nothing where each call has one booking of what its answer told', () => {
    expect(judged({})).toMatchObject({ differenceNanos: 0, exact: 1, atWorst: 0, neverArrived: 0 })
  })

  it('is each nano that a booking differs', () => {
    expect(judged({ bookings: [booking({ costNanos: WRITE_NANOS + 1 })] }).differenceNanos).toBe(1)
    expect(judged({ bookings: [booking({ costNanos: WRITE_NANOS - 1 })] }).differenceNanos).toBe(1)
  })

  it('is the whole of a call that was not booked, and of a booking without a call', () => {
    expect(judged({ bookings: [] }).differenceNanos).toBe(WRITE_NANOS)
    expect(judged({ bookings: [booking(), booking({ at: NOW + MINUTE })] }).differenceNanos).toBe(WRITE_NANOS)
  })

  it('lets no overcharge of one call make up for another that was not booked', () => {
    const bookings = [booking({ costNanos: 2 * WRITE_NANOS })]
    expect(judged({ calls: [call(), call({ seq: 2, at: NOW + MINUTE })], bookings }).differenceNanos).toBe(
      2 * WRITE_NANOS,
    )
  })

  it.each([['timeout'], ['malformed'], ['missing_usage'], ['wrong_usage']])(
    'takes the worst case under %s: at least its true cost, at most a token a byte',
    (fault) => {
      const calls = [call({ faults: [fault], told: null })]
      expect(judged({ calls, bookings: [booking({ costNanos: 30_000_000 })] })).toMatchObject({
        differenceNanos: 0,
        atWorst: 1,
      })
      expect(judged({ calls, bookings: [booking({ costNanos: WRITE_NANOS - 1 })] }).differenceNanos).toBe(1)
      expect(judged({ calls, bookings: [booking({ costNanos: 300_000_000 })] }).differenceNanos).toBe(292_500_000)
    },
  )

  it('takes less than was billed beyond the bound only where nobody was told', () => {
    const twice = { ...WRITTEN, cache_creation: { ephemeral_5m_input_tokens: 4_000, ephemeral_1h_input_tokens: 0 } }
    const untold = [call({ faults: ['overbilled', 'missing_usage'], usage: twice, told: null })]
    expect(judged({ calls: untold, bookings: [booking({ costNanos: 8_000_000 })] }).differenceNanos).toBe(0)
    expect(judged({ calls: untold, bookings: [booking({ costNanos: WRITE_NANOS - 1 })] }).differenceNanos).toBe(
      WRITE_NANOS + 1,
    )
    const told = [call({ faults: ['overbilled'], usage: twice })]
    expect(judged({ calls: told, bookings: [booking({ costNanos: 8_000_000 })] }).differenceNanos).toBe(7_000_000)
    expect(judged({ calls: told, bookings: [booking({ costNanos: 2 * WRITE_NANOS })] }).differenceNanos).toBe(0)
  })

  it('gives the one worst case to the call that was billed, not to a refused one beside it', () => {
    const refused = call({ seq: 2, at: NOW + 1_000, status: 429, usage: null, told: null })
    const bookings = [booking({ at: NOW + 1_000, costNanos: 30_000_000 })]
    expect(judged({ calls: [call(), refused], bookings, cutBetween: () => true })).toMatchObject({
      differenceNanos: 0,
      atWorst: 1,
    })
  })

  it('takes the worst case for a call that never arrived, only where something ended', () => {
    const bookings = [booking({ costNanos: 30_000_000 })]
    expect(judged({ calls: [], bookings }).differenceNanos).toBe(30_000_000)
    expect(judged({ calls: [], bookings, cutBetween: () => true })).toMatchObject({
      differenceNanos: 0,
      neverArrived: 1,
    })
  })

  it.each([
    ['anthropic', { ...WRITTEN, input_tokens: 10, cache_read_input_tokens: 1_000, output_tokens: 2 }, 7_860_000],
    [
      'bedrock',
      { inputTokens: 10, cacheReadInputTokens: 1_000, cacheWriteInputTokens: 2_000, outputTokens: 2 },
      8_646_000,
    ],
    [
      'responses',
      {
        input_tokens: 3_010,
        input_tokens_details: { cached_tokens: 1_000, cache_write_tokens: 2_000 },
        output_tokens: 2,
      },
      5_244_000,
    ],
    [
      'chat',
      { prompt_tokens: 3_010, prompt_tokens_details: { cached_tokens: 1_000 }, completion_tokens: 2 },
      4_536_000,
    ],
    [
      'gemini',
      { promptTokenCount: 3_010, cachedContentTokenCount: 1_000, candidatesTokenCount: 1, thoughtsTokenCount: 1 },
      638_000,
    ],
  ] as const)('counts a bill of %s', (wire, usage, nanos) => {
    expect(billedNanos(wire, usage, NOW)).toBe(nanos)
  })
})

describe('flat', () => {
  const samples = (memory: (n: number) => number, bytes: (n: number) => number) =>
    Array.from({ length: 30 }, (_, n) => ({ at: n, memoryMb: memory(n), storageBytes: bytes(n), calls: n * 100 }))

  it('is memory that stays, and storage that grows by the rows of calls alone', () => {
    const even = flatness(
      samples(
        () => 300,
        (n) => n * 100 * 500,
      ),
    )
    expect(even).toMatchObject({ memoryFlat: true, storageFlat: true, storageBytesPerCall: 500 })
    expect(
      flatness(
        samples(
          (n) => 100 + n * 50,
          () => 1,
        ),
      ),
    ).toMatchObject({ memoryFlat: false, storageFlat: true })
    expect(
      flatness(
        samples(
          () => 300,
          (n) => n * 100 * 8_000,
        ),
      ),
    ).toMatchObject({ memoryFlat: true, storageFlat: false })
  })
})

describe('the plan of a storm', () => {
  it('has ten kills, three bundles and four jumps in twenty hours, and some of each in minutes', () => {
    const counted = (hours: number): Record<string, number> => {
      const counts: Record<string, number> = {}
      for (const event of stormPlan(1, hours * 3_600_000, 2_000)) counts[event.do] = (counts[event.do] ?? 0) + 1
      return counts
    }
    expect(counted(20)).toMatchObject({ kill: 10, bundle: 3, jump: 4 })
    expect(counted(0.2)).toMatchObject({ kill: 2, bundle: 1, jump: 2 })
  })

  it('is the same for the same seed, and has every kind of fault and the end of every object', () => {
    const plan = stormPlan(7, 3_600_000, 100)
    expect(stormPlan(7, 3_600_000, 100)).toEqual(plan)
    expect(stormPlan(8, 3_600_000, 100)).not.toEqual(plan)
    const kinds = plan.flatMap((event) => (event.do === 'fault' ? [event.kind] : []))
    expect(new Set(kinds)).toEqual(new Set(FAULT_KINDS))
    const objects = plan.flatMap((event) => (event.do === 'end' ? [event.object] : []))
    expect(new Set(objects)).toEqual(new Set(['Registry', 'Directory', 'Egress', 'Bot']))
  })
})

describe('options of a storm', () => {
  it('are twenty hours of 2,000 prefixes unless said otherwise', () => {
    expect(stormOptions([])).toMatchObject({ hours: 20, prefixes: 2_000, seed: 1, json: false })
    expect(stormOptions(['--minutes', '5', '--prefixes', '50', '--seed', '3', '--json'])).toMatchObject({
      hours: 1,
      prefixes: 50,
      seed: 3,
      json: true,
    })
  })

  it.each([
    [['--hours', '0']],
    [['--hours', '1', '--minutes', '1']],
    [['--prefixes', '1.5']],
    [['--sed', '1']],
    [['--rate', '0']],
  ])('refuse %j', (args) => {
    expect(stormOptions(args)).toHaveProperty('wrong')
  })
})

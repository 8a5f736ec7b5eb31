import { describe, expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import type { Arrival } from '../../../src/core/events/arrived.ts'
import { applyConversationAdvanced } from '../../../src/core/events/conversation-advanced.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import type { HistoryRow } from '../../../src/core/prefix/history.ts'
import { readState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/core/time/time.ts'
import {
  assumed,
  context,
  facts,
  fiveMinutes,
  NOON,
  planned,
  silentFacts,
  usage,
  warmState,
} from '../../support/sample.ts'

/** The story of one prefix: real requests and answers to our own calls, in turn. */
class Story {
  state: PrefixState
  readonly rows: HistoryRow[] = []
  readonly #context = context()

  constructor(change: Partial<PrefixState> = {}, given = context()) {
    this.#context = given
    this.state = warmState(
      NOON - HOUR_MS,
      { verdict: 'none', anchorAt: null, measuredTokens: null, ...change },
      given.facts.retentions[0],
    )
  }

  /** An answer to our own call. */
  ours(at: number, used: Usage, purpose: 'write' | 'keep' = 'keep'): this {
    const answer = { startedAt: at, latencyMs: 800, purpose, primitive: 'one_token' as const, usage: used, model: 'm' }
    const { state, rows } = applyAnswer(this.state, answer, this.#context, null)
    return this.#after(state, rows)
  }

  /** A real request, reported a second later. */
  real(at: number, used: Usage, body: Partial<Arrival> = {}): this {
    const arrival = { startedAt: at, usage: used, ttftMs: null, ...body }
    const { retentions, price } = this.#context.facts
    const { state, rows } = applyArrivals(this.state, [arrival], at + SECOND_MS, NOON - HOUR_MS, {
      offers: retentions,
      price,
    })
    return this.#after(state, rows)
  }

  #after(state: PrefixState, rows: readonly HistoryRow[]): this {
    // As the table stores it.
    this.state = readState(JSON.stringify(state))
    this.rows.push(...rows)
    return this
  }

  get told(): string[] {
    return this.rows.flatMap((row) =>
      row.type === 'decision' && /drift|evicted/.test(row.decision) ? [row.decision] : [],
    )
  }
}

const after = (minutes: number): number => NOON + minutes * MINUTE_MS
const OTHER: Partial<Arrival> = {
  bytes: 'other',
  first: { path: 'system[0].text', at: 0, registered: 'Build 1', sent: 'Build 2' },
}
/** Written by us at noon, and read by a real request at 12:01. */
const used = () => new Story().ours(NOON, usage(0, 4_200), 'write').real(after(1), usage(4_200, 0))

describe('requests that no longer begin with the registered prefix, told by their counts alone', () => {
  it('are suspected at a miss, and shown by the next call of ours that reads all of it', () => {
    const story = used().real(after(2), usage(0, 4_205))
    expect(story.told).toEqual(['evicted_or_changed'])
    expect(belief(story.state, after(3), 0)).toMatchObject({
      state: 'unknown',
      why: expect.stringMatching(/it was evicted, or requests have changed; the next probe shows which$/),
    })
    story.ours(after(5), usage(4_200, 0))
    expect(story.told).toEqual(['evicted_or_changed', 'drifted'])
    expect(story.state.drift).toMatchObject({ sinceAt: after(2), requests: 1, shown: { at: after(5), by: 'probe' } })
    expect(belief(story.state, after(6), 0).state).toBe('warm')
  })

  it('move no clock, teach no life and are no hits, in the suspicion as afterwards', () => {
    const story = used()
    const before = story.state
    const same = (): void => {
      const { anchorAt, retention, hits, lastHit, verdict, realWrites, generation } = before
      expect(story.state).toMatchObject({ anchorAt, retention, hits, lastHit, verdict, generation })
      expect(story.state.realWrites).toBe(realWrites)
    }
    for (const minutes of [2, 2.5, 3, 3.5])
      story.real(after(minutes), usage(0, 4_205, { cacheWriteByRetention: { '5m': 4_205 } }))
    same()
    story.real(after(4), usage(4_205, 0))
    same()
    story.ours(after(5), usage(4_200, 0))
    expect(story.state.retention).toEqual(before.retention)
    const shown = story.state
    for (const minutes of [6, 6.5]) story.real(after(minutes), usage(4_205, 0))
    expect(story.state).toMatchObject({
      hits: shown.hits,
      anchorAt: shown.anchorAt,
      lastArrivalAt: shown.lastArrivalAt,
    })
    expect(story.state.drift?.requests).toBe(7)
  })

  it('bring no probe forward, and keep no plan busy once they are shown', () => {
    const auto = context({ keepWarm: planned('auto') })
    const story = used()
    const due = reschedule(story.state, auto, after(1)).state.nextAt
    story.real(after(2), usage(0, 4_205)).real(after(3), usage(0, 4_205))
    expect(reschedule(story.state, auto, after(3)).state.nextAt).toBe(due)
    story.ours(after(5), usage(4_200, 0)).real(after(6), usage(4_205, 0))
    expect(story.state.probesSinceArrival).toBe(1)
  })

  it('are seen also where the miss is reported after that call', () => {
    const story = used().ours(after(5), usage(4_200, 0)).real(after(4), usage(0, 4_205))
    expect(story.told).toEqual(['drifted'])
    expect(story.state).toMatchObject({ hits: 1, anchorAt: after(5), drift: { shown: { by: 'probe' } } })
  })

  it('are shown by another size within three of them, with no call of ours', () => {
    const story = new Story().ours(NOON, usage(0, 4_200), 'write')
    for (let n = 1; n <= 2; n++) story.real(after(n), usage(0, 3_000))
    expect(story.state.drift?.shown).toBeUndefined()
    for (let n = 3; n <= 18; n++) story.real(after(n), usage(0, 3_000))
    expect(story.told).toEqual(['drifted'])
    expect(story.state).toMatchObject({
      anchorAt: NOON,
      hits: 0,
      drift: { requests: 18, shown: { at: after(3), by: 'size' } },
    })
    expect(belief(story.state, after(19), 0).state).toBe('cold')
    expect(story.ours(after(19), usage(0, 4_200), 'write').state.retention?.ttlMs).toBe(5 * MINUTE_MS)
  })

  it('are shown by a larger size that comes again', () => {
    const story = used().real(after(2), usage(0, 4_900)).real(after(3), usage(4_900, 0)).real(after(4), usage(4_900, 0))
    expect(story.state.drift?.shown).toBeUndefined()
    story.real(after(4.5), usage(4_900, 0))
    expect(story.state).toMatchObject({ hits: 1, drift: { shown: { by: 'size' }, tokens: 4_900 } })
  })

  it('are shown by a prompt that is shorter than the prefix, where writes are not reported', () => {
    const silent = context({ facts: silentFacts })
    const story = new Story({}, silent).ours(NOON, usage(0, null, { inputTokens: 4_208 }), 'write')
    story.ours(after(1), usage(4_096, null, { inputTokens: 4_208 }))
    for (const minutes of [2, 3, 4]) story.real(after(minutes), usage(0, null, { inputTokens: 3_900 }))
    expect(story.state.drift?.shown?.by).toBe('size')
  })

  it('never make a lapsed entry warm where none reads what the one before wrote', () => {
    const story = used()
    for (let minutes = 2; minutes < 40; minutes += 2) {
      story.real(after(minutes), usage(0, 4_205))
      expect(belief(story.state, after(minutes) + 2 * SECOND_MS, 0).state).not.toBe('warm')
    }
    expect(story.told).toEqual(['evicted_or_changed'])
  })
})

describe('an eviction', () => {
  it('is no drift: the next call of ours finds nothing, and hits that waited for it count', () => {
    const story = used().real(after(2), usage(0, 4_200)).real(after(3), usage(4_200, 0))
    expect(story.state.hits).toBe(1)
    story.ours(after(5), usage(0, 4_200))
    expect(story.told).toEqual(['evicted_or_changed'])
    expect(story.state).toMatchObject({ hits: 2, verdict: 'warm', anchorAt: after(5) })
    expect(story.state.drift).toBeUndefined()
    expect(story.real(after(6), usage(4_200, 0)).state).toMatchObject({ hits: 3, anchorAt: after(6) })
  })

  it('is proved by a request whose body begins with the registered bytes', () => {
    const story = used().real(after(2), usage(0, 4_200), { bytes: 'same' })
    expect(story.told).toEqual([])
    expect(story.state).toMatchObject({ verdict: 'warm', anchorAt: after(2), misses: 1 })
    expect(story.state.retention?.earlyMisses).toBe(1)
  })

  it('is no suspicion where the entry had lapsed, or is being written', () => {
    const cold = new Story().ours(NOON, usage(0, 4_200), 'write').real(after(9), usage(0, 4_200))
    expect(cold.told).toEqual([])
    expect(cold.state).toMatchObject({ verdict: 'warm', anchorAt: after(9) })
    cold.real(after(9) + SECOND_MS, usage(0, 4_200))
    const alongside = new Story().ours(NOON, usage(0, 4_200), 'write').real(NOON + 500, usage(0, 4_200))
    expect([...cold.told, ...alongside.told]).toEqual([])
  })
})

describe('requests whose bodies are changed forms of the registered one', () => {
  it('are told at the third, with the first difference and not in the history', () => {
    const story = used().real(after(2), usage(null, null), OTHER).real(after(3), usage(null, null), OTHER)
    expect(story.told).toEqual([])
    story.real(after(4), usage(null, null), OTHER)
    expect(story.state.drift).toMatchObject({
      sinceAt: after(2),
      requests: 3,
      shown: { by: 'bytes' },
      first: OTHER.first!,
    })
    expect(story.told).toEqual(['drifted'])
    expect(JSON.stringify(story.rows)).not.toContain('Build')
    expect(story.state).toMatchObject({ hits: 1, misses: 0, lastArrivalAt: after(1), anchorAt: after(1) })
  })

  it('are no drift while requests with the registered bytes come between them', () => {
    const story = used()
    for (let n = 0; n < 40; n++) {
      for (let k = 0; k <= (n < 4 ? 1 : 5); k++) story.real(after(2 + n) + k * SECOND_MS, usage(null, null), OTHER)
      story.real(after(2.5 + n), usage(4_200, 0), { bytes: 'same' })
    }
    expect(story.told).toEqual([])
    for (let k = 0; k < 30; k++) story.real(after(50) + k * SECOND_MS, usage(null, null), OTHER)
    expect(story.told).toEqual(['drifted'])
  })
})

describe('a drift', () => {
  const drifted = () => {
    const story = used()
    for (const minutes of [2, 2.2, 2.4]) story.real(after(minutes), usage(null, null), OTHER)
    return story
  }

  it('ends at the third request with the registered bytes, which count from the first on', () => {
    const story = drifted()
    for (const minutes of [3, 3.2]) story.real(after(minutes), usage(4_200, 0), { bytes: 'same' })
    expect(story.state).toMatchObject({ hits: 3, anchorAt: after(3.2), drift: { matchesInRow: 2 } })
    story.real(after(3.4), usage(4_200, 0), { bytes: 'same' })
    expect(story.state.drift).toBeUndefined()
    expect(story.told).toEqual(['drifted', 'drift_ended'])
  })

  it('ends with three reads of the right size where the drifted requests had another', () => {
    const story = used()
    for (const minutes of [2, 2.2, 2.4]) story.real(after(minutes), usage(0, 3_000))
    for (const minutes of [3, 3.2, 3.4]) story.real(after(minutes), usage(4_200, 0))
    expect(story.told).toEqual(['drifted', 'drift_ended'])
    expect(story.real(after(3.6), usage(4_200, 0)).state).toMatchObject({ hits: 2, anchorAt: after(3.6) })
  })

  it('does not end with reads of the right size that drifted requests may have written', () => {
    const story = used().real(after(2), usage(0, 4_205)).ours(after(5), usage(4_200, 0))
    for (let n = 0; n < 9; n++) story.real(after(5.2 + n / 10), usage(4_205, 0))
    expect(story.state.drift).toMatchObject({ requests: 10, shown: { by: 'probe' } })
  })

  it('ends with a read after a silence that only our own entry outlived', () => {
    const story = used().real(after(2), usage(0, 4_205))
    for (const minutes of [5, 9.5, 14]) story.ours(after(minutes), usage(4_200, 0))
    story.real(after(15), usage(4_200, 0))
    expect(story.told).toEqual(['evicted_or_changed', 'drifted', 'drift_ended'])
    expect(story.state).toMatchObject({ hits: 2, anchorAt: after(15) })
  })

  it('ends when a call of ours reads what real requests alone can have kept', () => {
    const story = used().real(after(2), usage(0, 4_205)).ours(after(5), usage(4_200, 0))
    for (let n = 6; n < 20; n += 2) story.real(after(n), usage(4_205, 0))
    story.ours(after(19), usage(4_200, 0), 'write')
    expect(story.told).toEqual(['evicted_or_changed', 'drifted', 'drift_ended'])
  })

  it('is forgotten where the prefix gets another content', () => {
    const entry = { at: after(3), tokens: 5_000, proved: true }
    expect(applyConversationAdvanced(drifted().state, entry, null).drift).toBeUndefined()
  })
})

it('an assumed life is learned from our own calls and from proved requests alone', () => {
  const story = new Story({}, context({ facts: { ...silentFacts, retentions: [assumed] } }))
  story
    .ours(NOON, usage(0, null, { inputTokens: 4_208 }), 'write')
    .ours(after(1), usage(4_096, null, { inputTokens: 4_208 }))
  const { retention } = story.state
  for (const minutes of [3, 5, 7, 9]) story.real(after(minutes), usage(0, null, { inputTokens: 4_300 }))
  expect(story.state.retention).toEqual(retention)
  expect(story.told).toEqual(['evicted_or_changed'])
  story.ours(after(9.5), usage(4_096, null, { inputTokens: 4_208 }))
  expect(story.told).toEqual(['evicted_or_changed', 'drifted'])
})

it('nothing of a drift is in the state of a prefix without one', () => {
  expect(facts.retentions).toEqual([fiveMinutes])
  expect(used().state).not.toHaveProperty('drift')
})

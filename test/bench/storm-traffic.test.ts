import { describe, expect, it } from 'vitest'
import { growthOf, slopePerHour } from '../../bench/storm/folders.ts'
import { Holdings } from '../../bench/storm/holdings.ts'
import type { HeldEntry } from '../../bench/storm/holdings.ts'
import type { StormCall } from '../../bench/storm/judge.ts'
import { unwantedIn } from '../../bench/storm/logs.ts'
import {
  chargedTwice,
  handlesForgotten,
  storageUnbilled,
  storageUnshown,
  totalsUnexplained,
  unanswered,
  vagueCaches,
} from '../../bench/storm/traffic/judge.ts'
import type { BotAtRest, CacheAtRest, HandleSeen, Message } from '../../bench/storm/traffic/judge.ts'

const NOW = Date.UTC(2026, 10, 30, 12)
const MINUTE = 60_000

describe('what the lab holds of a prefix', () => {
  const entry = (hash: string, tokens: number): HeldEntry => ({
    provider: 'openai',
    hash,
    tokens,
    readable_at: NOW,
    expires_at: NOW + MINUTE,
  })

  it('is the whole where its longest entry lives, and not where only a shorter one does', () => {
    const holdings = new Holdings()
    holdings.touched('a', 'openai', ['half', 'whole'], false)
    expect(holdings.held([entry('half', 1_280), entry('whole', 2_560)])).toEqual(new Set(['a']))
    expect(holdings.held([entry('half', 1_280)])).toEqual(new Set())
    expect(holdings.held([entry('strange', 9_000)])).toEqual(new Set())
  })

  it('is the whole after a call billed for twice the tokens, and after the next usual one', () => {
    const holdings = new Holdings()
    holdings.touched('a', 'openai', ['odd', 'whole', 'beyond'], true)
    expect(holdings.held([entry('odd', 2_688), entry('whole', 5_120), entry('beyond', 5_248)])).toEqual(new Set(['a']))
    // It was evicted, and written again by a call that counted as usual.
    holdings.touched('a', 'openai', ['half', 'whole'], false)
    expect(holdings.held([entry('half', 1_280), entry('whole', 2_560)])).toEqual(new Set(['a']))
    // Of an overbilled write the half alone is left, which has as many tokens as the whole once had.
    expect(holdings.held([entry('half', 2_560)])).toEqual(new Set())
  })
})

describe('messages to bots', () => {
  const message = (change: Partial<Message> = {}): Message => ({
    mark: 'storm-bot-0000-msg-00000',
    bot: 'bot_a',
    turn: 't1',
    ...change,
  })
  const bot = (...ended: [turn: string, what: string][]): BotAtRest => ({
    mark: 'storm-bot-0000',
    id: 'bot_a',
    status: 'running',
    waiting: 0,
    ended: ended.map(([turn, what]) => ({ turn, what })),
  })

  it('are lost where none, or more than one, of their turns ended', () => {
    expect(unanswered([message()], [bot(['t1', 'handled'])])).toEqual([])
    expect(unanswered([message()], [bot(['t1', 'failed'])])).toEqual([])
    expect(unanswered([message({ turn: null })], [bot()])).toEqual([])
    expect(unanswered([message()], [bot(['t2', 'handled'])])).toHaveLength(1)
    expect(unanswered([message()], [bot(['t1', 'dropped'])])).toHaveLength(1)
    expect(unanswered([message()], [bot(['t1', 'handled'], ['t1', 'handled'])])).toHaveLength(1)
    expect(unanswered([message({ second: 't2' })], [bot(['t1', 'handled'])])).toHaveLength(1)
  })

  it('are charged twice where a provider processed two calls of one', () => {
    const call = (seq: number, usage: unknown, mark = 'storm-bot-0000-msg-00000'): StormCall => ({
      seq,
      mark,
      wire: 'anthropic',
      lease: null,
      at: NOW,
      finishedAt: NOW + 600,
      status: usage === null ? 529 : 200,
      faults: [],
      usage,
      told: usage,
      entries: [],
      bytes: 6_000,
    })
    const usage = { input_tokens: 10, output_tokens: 2 }
    expect(chargedTwice([call(1, null), call(2, usage), call(3, usage, 'storm-bot-0000-msg-00001')])).toEqual([])
    expect(chargedTwice([call(1, usage), call(2, usage)]).map(({ seq }) => seq)).toEqual([2])
    // Two keep-alives of a prefix are two calls.
    expect(chargedTwice([call(1, usage, 'storm-prefix-00000'), call(2, usage, 'storm-prefix-00000')])).toEqual([])
  })
})

describe('handles of managed caches', () => {
  const NAME = 'cachedContents/lab00000007abcdef01'
  const seen = (change: Partial<HandleSeen> = {}): HandleSeen => ({
    name: NAME,
    tokens: 2_000,
    firstAt: NOW - 30 * MINUTE,
    lastAt: NOW,
    untilAt: NOW + 5 * MINUTE,
    ...change,
  })
  const cache = (change: Partial<CacheAtRest> = {}): CacheAtRest => ({
    mark: 'storm-cache-0000',
    handle: NAME,
    state: 'live',
    storageNanos: 1_000_000,
    known: new Set([NAME]),
    account: 'a',
    pendingNanos: 100_000,
    pendingMs: 3 * MINUTE,
    ...change,
  })
  const creation = (faults: string[]): StormCall => ({
    seq: 7,
    mark: 'storm-cache-0000',
    wire: 'gemini',
    lease: null,
    at: NOW - 30 * MINUTE,
    finishedAt: NOW - 30 * MINUTE,
    status: 200,
    faults,
    usage: { totalTokenCount: 2_000 },
    told: { totalTokenCount: 2_000 },
    entries: [],
    bytes: 8_000,
  })
  const forgotten = (change: Partial<Parameters<typeof handlesForgotten>[0]>): number =>
    handlesForgotten({
      handles: [seen()],
      caches: [cache()],
      calls: [creation([])],
      now: NOW,
      cutBetween: () => false,
      ...change,
    }).length

  it('are forgotten where they live, and no managed cache has them', () => {
    expect(forgotten({})).toBe(0)
    expect(forgotten({ caches: [cache({ handle: null })] })).toBe(1)
    expect(forgotten({ caches: [cache({ handle: 'cachedContents/lab00000009' })] })).toBe(1)
    expect(forgotten({ caches: [], handles: [seen({ untilAt: NOW - 1 })] })).toBe(0)
    expect(forgotten({ caches: [], handles: [seen({ lastAt: NOW - 2 * MINUTE })] })).toBe(0)
  })

  it('are excused while nobody can know their names, and not for ever', () => {
    const caches = [cache({ handle: null })]
    expect(forgotten({ caches, calls: [creation(['html'])] })).toBe(0)
    expect(forgotten({ caches, cutBetween: () => true })).toBe(0)
    const old = [seen({ firstAt: NOW - 101 * MINUTE })]
    expect(forgotten({ caches, calls: [creation(['html'])], handles: old })).toBe(1)
  })

  it('are unbilled where less was charged than they lived, or more than they were to live', () => {
    // A dollar for a million tokens and an hour: 2,000 tokens for 30 minutes are a million nano-dollars.
    const judged = (storageNanos: number | null): number =>
      storageUnbilled({
        handles: [seen()],
        caches: [cache({ storageNanos })],
        nanosPerTokenMs: 1e3 / 3_600_000,
        movedMs: 0,
        vague: new Set(),
      }).length
    expect(judged(1_000_000)).toBe(0)
    expect(judged(899_000)).toBe(1)
    expect(judged(1_300_000)).toBe(1)
    expect(judged(null)).toBe(1)
  })
})

describe('vague managed caches', () => {
  const creation = (change: Partial<StormCall>): StormCall => ({
    seq: 7,
    mark: 'storm-cache-0000',
    wire: 'gemini',
    lease: null,
    at: NOW,
    finishedAt: NOW + 600,
    status: 200,
    faults: [],
    usage: { totalTokenCount: 2_000 },
    told: { totalTokenCount: 2_000 },
    entries: [],
    bytes: 8_000,
    ...change,
  })
  const judged = (change: Partial<StormCall>, cut = false): number => vagueCaches([creation(change)], () => cut).size

  it('are those of which a creation was not answered, or its count not told', () => {
    expect([
      judged({}),
      judged({ faults: ['overbilled'] }),
      judged({ mark: 'storm-prefix-00003', status: 500 }),
    ]).toEqual([0, 0, 0])
    expect([judged({ status: 503 }), judged({ faults: ['html'] }), judged({ faults: ['wrong_usage'] })]).toEqual([
      1, 1, 1,
    ])
    expect(judged({}, true)).toBe(1)
  })
})

describe('costs of managed caches', () => {
  it('that no row will ever show are more than the storage since the last row, or less than none', () => {
    const judged = (pendingNanos: number | null): number =>
      storageUnshown({
        handles: [
          { name: 'cachedContents/lab00000007', tokens: 2_000, firstAt: 0, lastAt: NOW, untilAt: NOW + MINUTE },
        ],
        caches: [
          {
            mark: 'storm-cache-0000',
            handle: null,
            state: 'absent',
            storageNanos: 0,
            known: new Set(['cachedContents/lab00000007']),
            account: 'a',
            pendingNanos,
            pendingMs: 3 * MINUTE,
          },
        ],
        nanosPerTokenMs: 1e3 / 3_600_000,
        movedMs: 0,
        vague: new Set(),
      }).length
    expect(judged(100_000)).toBe(0)
    expect(judged(134_000)).toBe(1)
    expect(judged(-1)).toBe(1)
    expect(judged(null)).toBe(1)
  })

  it('are all that the totals of their account have beyond its entries', () => {
    const caches = [
      { account: 'a', pendingNanos: 5 },
      { account: 'a', pendingNanos: 7 },
      { account: 'b', pendingNanos: 100 },
    ]
    expect(totalsUnexplained(new Map([['a', 12]]), caches)).toBe(0)
    expect(totalsUnexplained(new Map([['a', 14]]), caches)).toBe(2)
    expect(totalsUnexplained(new Map([['a', -3]]), caches)).toBe(3)
    expect(totalsUnexplained(new Map([['c', 9]]), caches)).toBe(9)
  })
})

describe('logs', () => {
  it('may hold no failure that nobody caught, tenant, key or prompt', () => {
    const words = ['tenant-7', 'the harbour master']
    const fine = 'probe queue: a message failed Error\nUncaught Error: the storm ended this object\n'
    expect(unwantedIn(fine, words)).toEqual([])
    const text = `${fine}✘ [ERROR] Uncaught Error: no such prefix\nGET /accounts/tenant-7 404\nsaid the harbour master\n`
    expect(unwantedIn(text, words).map(({ word }) => word)).toEqual(['Uncaught', 'tenant-7', 'the harbour master'])
  })
})

describe('growth of folders', () => {
  it('is the slope of the second half, by folder', () => {
    const samples = Array.from({ length: 20 }, (_, n) => ({
      at: n * 30 * MINUTE,
      bytes: { logs: 500, state: Math.min(n, 10) * 1_000, traces: n * 700 },
    }))
    expect(growthOf(samples)).toEqual({
      logs: { bytes: 500, bytes_per_hour: 0 },
      state: { bytes: 10_000, bytes_per_hour: 0 },
      traces: { bytes: 13_300, bytes_per_hour: 1_400 },
    })
    expect(slopePerHour([[NOW, 3]])).toBe(0)
  })
})

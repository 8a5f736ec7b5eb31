import { describe, expect, it } from 'vitest'
import type { Price } from '../../src/core/model/facts.ts'
import type { ReceiptRow } from '../../src/core/prefix/history.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import { goodDay, START_AT } from './settings.ts'
import { SlotEngine, TAIL_TOKENS } from './slot-engine.ts'
import { World } from './world.ts'

const TOKENS = 4_017
const HEAD_TOKENS = 22
const LASTS_MS = 12 * HOUR_MS
const ENGINE = { provider: 'llama-cpp', model: 'any', retention: 'implicit', ttlMs: 10 * MINUTE_MS }
const FREE: Price = {
  inputNanosPerMTok: 0,
  cacheReadNanosPerMTok: 0,
  cacheWriteNanosPerMTok: { implicit: 0 },
  outputNanosPerMTok: 0,
  from: '2026-01-01',
  source: 'the own machine',
  checked: '2026-11-30',
}

/** Prefixes that plan `always` keeps on an engine with two slots, over half a day. */
function kept(prefixes: number, registeredWithinMs: number) {
  let engine: SlotEngine | null = null
  const world = new World({
    ...goodDay(7),
    kinds: [ENGINE],
    prefixes,
    tokens: TOKENS,
    registeredWithinMs,
    engine: {
      price: FREE,
      make: (entries, faults, die) => (engine = new SlotEngine(entries, faults, die, 2, HEAD_TOKENS)),
    },
  })
  const falselyWarmMs: number[] = Array.from({ length: prefixes }, () => 0)
  let longestMs = 0
  const lives: number[] = []
  for (let at = START_AT; at <= START_AT + LASTS_MS; at += 10_000) {
    world.runFor(at - START_AT)
    for (let k = 1; k <= prefixes; k++) {
      if (world.store.prefixes.record(k) === null) continue
      const { belief, state } = world.registrar.viewByKey(k, at)
      const isFalse = (belief.state === 'warm' || belief.state === 'expiring') && !world.provider.isWarm(k - 1, at)
      falselyWarmMs[k - 1] = isFalse ? (falselyWarmMs[k - 1] ?? 0) + 10_000 : 0
      longestMs = Math.max(longestMs, falselyWarmMs[k - 1] ?? 0)
      lives.push(state.retention?.ttlMs ?? 0)
    }
  }
  const views = Array.from({ length: prefixes }, (_, index) => world.registrar.viewByKey(index + 1, world.now))
  const receipts = views.map(({ record }) =>
    world.registrar.history(record.id, world.now).filter((row): row is ReceiptRow => row.type === 'receipt'),
  )
  return { calls: (engine as SlotEngine | null)?.calls ?? [], views, receipts, lives, longestMs }
}

const offered = factsOf(ENGINE.provider, ENGINE.model, START_AT).retentions[0]!

describe.each([
  ['at once', 1_000],
  ['over ten minutes', 10 * MINUTE_MS],
])('three prefixes on an engine with two slots, registered %s', (_, withinMs) => {
  const { calls, views, receipts, lives, longestMs } = kept(3, withinMs)

  it('evict one another, and each keep-alive that found a head alone is cold', () => {
    const keeps = receipts.flat().filter(({ purpose }) => purpose === 'keep')
    const small = keeps.filter(({ usage }) => (usage?.cacheReadTokens ?? 0) <= HEAD_TOKENS)
    expect(small.length).toBeGreaterThan(100)
    expect(new Set(small.map(({ kind }) => kind))).toEqual(new Set(['cold']))
    for (const own of receipts) expect(own.some(({ kind }) => kind === 'cold')).toBe(true)
  })

  it('are never read in full by a fraction', () => {
    for (const { kind, usage } of receipts.flat())
      expect(kind === 'full').toBe((usage?.cacheReadTokens ?? 0) === TOKENS)
    expect(calls.some(({ read }) => read === HEAD_TOKENS)).toBe(true)
  })

  it('have no life that grows, and no plan that ends', () => {
    expect(Math.max(...lives)).toBe(offered.ttlMs)
    expect(views.map(({ state }) => state.stopped)).toEqual([null, null, null])
    for (const { state } of views) {
      expect(state.measuredTokens).toBeGreaterThanOrEqual(TOKENS)
      expect(state.measuredTokens).toBeLessThanOrEqual(TOKENS + TAIL_TOKENS)
    }
  })

  it('are not believed warm for longer than one interval of probes after they went', () => {
    expect(longestMs).toBeLessThanOrEqual(offered.ttlMs)
  })
})

describe('two prefixes on an engine with two slots', () => {
  const { receipts, views } = kept(2, MINUTE_MS)

  it('are read in full from the second probe on, and their life grows', () => {
    for (const own of receipts) expect(new Set(own.slice(1).map(({ kind }) => kind))).toEqual(new Set(['full']))
    for (const { state } of views) expect(state.retention?.ttlMs).toBeGreaterThan(offered.ttlMs)
  })
})

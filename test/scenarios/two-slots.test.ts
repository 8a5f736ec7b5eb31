import { describe, expect, it } from 'vitest'
import type { ReceiptRow } from '../../src/core/prefix/history.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import { TAIL_TOKENS, TWO_SLOTS } from './engine-slots.ts'
import { goodDay, START_AT } from './settings.ts'
import { ENGINE_PREFIX, World } from './world.ts'

const TOKENS = 4_017
const HEAD_TOKENS = TWO_SLOTS.headTokens
const WHOLE = HEAD_TOKENS + TOKENS
const LASTS_MS = 12 * HOUR_MS

/** Prefixes that plan `always` keeps on an engine with two slots, over half a day. */
function kept(prefixes: number, registeredWithinMs: number) {
  const reads: (number | null)[] = []
  const options = {
    ...goodDay(7),
    kinds: [ENGINE_PREFIX],
    prefixes,
    tokens: TOKENS,
    registeredWithinMs,
    engine: TWO_SLOTS,
  }
  const world = new World(options, {
    sent: (_, __, reply) => void (reply.kind === 'answered' && reads.push(reply.usage.cacheReadTokens)),
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
  return { reads, views, receipts, lives, longestMs }
}

const offered = factsOf(ENGINE_PREFIX.provider, ENGINE_PREFIX.model, START_AT).retentions[0]!

describe.each([
  ['at once', 1_000],
  ['over ten minutes', 10 * MINUTE_MS],
])('three prefixes on an engine with two slots, registered %s', (_, withinMs) => {
  const { reads, views, receipts, lives, longestMs } = kept(3, withinMs)

  it('evict one another, and each keep-alive that found a head alone is cold', () => {
    const keeps = receipts.flat().filter(({ purpose }) => purpose === 'keep')
    const small = keeps.filter(({ usage }) => (usage?.cacheReadTokens ?? 0) <= HEAD_TOKENS)
    expect(small.length).toBeGreaterThan(100)
    expect(new Set(small.map(({ kind }) => kind))).toEqual(new Set(['cold']))
    for (const own of receipts) expect(own.some(({ kind }) => kind === 'cold')).toBe(true)
  })

  it('are never read in full by a fraction', () => {
    for (const { kind, usage } of receipts.flat()) expect(kind === 'full').toBe((usage?.cacheReadTokens ?? 0) === WHOLE)
    expect(reads).toContain(HEAD_TOKENS)
  })

  it('have no life that grows, and no plan that ends', () => {
    expect(Math.max(...lives)).toBe(offered.ttlMs)
    expect(views.map(({ state }) => state.stopped)).toEqual([null, null, null])
    for (const { state } of views) {
      expect(state.measuredTokens).toBeGreaterThanOrEqual(WHOLE)
      expect(state.measuredTokens).toBeLessThanOrEqual(WHOLE + TAIL_TOKENS)
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

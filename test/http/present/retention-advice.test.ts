import { describe, expect, it } from 'vitest'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { DEFAULT_KEEP_WARM } from '../../../src/registration/registration.ts'
import { retentionAdvice } from '../../../src/http/present/retention-advice.ts'
import type { Retained } from '../../../src/http/present/retention-advice.ts'
import { factsOf } from '../../../src/runtime/facts.ts'
import { NOON } from '../../support/sample.ts'
import { gapsAfterArrival } from '../../../src/core/demand/idle-gaps.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

function prefixOf(provider: string, model: string, lengthMs: number, change: Partial<PrefixState> = {}): Retained {
  const offer = factsOf(provider, model, NOON).retentions[0]!
  let gaps: readonly number[] = []
  for (let gap = 0; gap < 30; gap++) gaps = gapsAfterArrival(gaps, NOON + gap * lengthMs, NOON + (gap + 1) * lengthMs)
  const state = { ...newState(NOON, '2026-11-16', learnedRetention(offer)), measuredTokens: 20_000, gaps, ...change }
  const record = {
    provider,
    model,
    retention: offer.name,
    keepWarm: DEFAULT_KEEP_WARM,
    outputFloors: [1],
    estimatedTokens: 20_000,
  }
  return { record, state }
}

const adviceOn = (prefix: Retained) => retentionAdvice(prefix, NOON + 40 * HOUR_MS, 1_000)

describe('a provider that keeps managed caches', () => {
  it('is compared with a managed cache where its storage is cheaper', () => {
    const [one, ...others] = adviceOn(prefixOf('gemini', 'gemini-3.6-flash', 20 * MINUTE_MS))
    expect(others).toEqual([])
    expect(one?.cause).toBe('handle_would_save')
    const [, is, lives, held, instead] =
      /about \$([\d.]+) in .*assumed lifetime (\d+) min.* kept for (\d+) min after each use, .* about \$([\d.]+)\. Both/.exec(
        one?.message ?? '',
      ) ?? []
    expect(Number(lives)).toBe(5)
    expect(Number(instead)).toBeLessThan(Number(is) * 0.95)
    expect(Number(held)).toBeGreaterThanOrEqual(20)
    expect(one?.message).toContain('POST /caches')
  })

  it('gets no advice where storage costs more, has no price, or nothing is cached', () => {
    expect(adviceOn(prefixOf('gemini', 'gemini-2.5-pro', 20 * MINUTE_MS))).toEqual([])
    expect(adviceOn(prefixOf('gemini', 'gemini-3.5-flash', 20 * MINUTE_MS))).toEqual([])
    expect(adviceOn(prefixOf('gemini', 'gemini-3.6-flash', 20 * MINUTE_MS, { verdict: 'uncacheable' }))).toEqual([])
    expect(adviceOn(prefixOf('gemini', 'gemini-3.6-flash', 20 * MINUTE_MS, { retention: null }))).toEqual([])
  })
})

it('a five-minute marker gets advice at one request every half hour, not at one a day', () => {
  const [one] = adviceOn(prefixOf('anthropic', 'claude-opus-4-8', 30 * MINUTE_MS))
  expect(one?.cause).toBe('retention_would_save')
  expect(one?.message).toMatch(
    /at retention 5m, .* about \$[\d.e-]+ at 1h. Both figures come from its last 30 gaps and similar traffic\./,
  )
  expect(adviceOn(prefixOf('anthropic', 'claude-opus-4-8', 24 * HOUR_MS))).toEqual([])
})

it('other plans, unpriced models and fixed retentions get no advice', () => {
  const prefix = prefixOf('anthropic', 'claude-opus-4-8', 30 * MINUTE_MS)
  const always: Retained = {
    ...prefix,
    record: { ...prefix.record, keepWarm: { ...DEFAULT_KEEP_WARM, plan: 'always' } },
  }
  expect(adviceOn(always)).toEqual([])
  expect(adviceOn(prefixOf('openai', 'gpt-5.6-sol', 90 * MINUTE_MS))).toEqual([])
  expect(adviceOn(prefixOf('openai', 'gpt-5', 90 * MINUTE_MS))).toEqual([])
  expect(adviceOn(prefixOf('moonshot', 'kimi-k3', 90 * MINUTE_MS))).toEqual([])
})

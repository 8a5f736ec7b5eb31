import { describe, expect, it } from 'vitest'
import { judgeTurnCall } from '../../../src/core/cache/required-turn.ts'
import type { JudgedCall } from '../../../src/core/cache/required-turn.ts'
import { modelFacts } from '../../../src/providers/registry.ts'
import { cardById } from '../../../src/providers/registry.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

const NOW = Date.UTC(2026, 10, 21)
const anthropic = modelFacts(cardById('anthropic')!, 'claude-opus-5', NOW)
/** Reports reads, and no writes. */
const gemini = modelFacts(cardById('gemini')!, 'gemini-3.8-flash', NOW)

function usage(input: number | null, read: number | null, written: Record<string, number> | null = null): Usage {
  const sum = written === null ? null : Object.values(written).reduce((a, b) => a + b, 0)
  return {
    ...NO_COUNTS,
    inputTokens: input,
    cacheReadTokens: read,
    cacheWriteTokens: sum,
    cacheWriteByRetention: written ?? {},
    outputTokens: 9,
  }
}

const judge = (facts: JudgedCall['facts'], said: Usage, more: Partial<JudgedCall> = {}) => {
  const retention = facts.retentions[0]?.name ?? ''
  return judgeTurnCall({ usage: said, at: NOW, retention, facts, whole: true, before: undefined, ...more })
}

describe('where writes are reported', () => {
  it('a write at the retention asked for, and a read, honour it', () => {
    expect(judge(anthropic, usage(5_000, 0, { '5m': 4_900, '1h': 0 })).broken).toBeNull()
    expect(judge(anthropic, usage(5_000, 4_000, { '5m': 0 })).broken).toBeNull()
  })

  it.each([
    ['written at 1h instead of 5m', usage(5_000, 0, { '1h': 4_900 })],
    ['read and wrote nothing', usage(5_000, 0, {})],
    ['did not report cached tokens', usage(5_000, null)],
    ['did not report cached tokens', NO_COUNTS],
  ])('%s breaks it', (why, said) => {
    expect(judge(anthropic, said).broken).toContain(why)
  })
})

describe('where writes are not reported', () => {
  const first = judge(gemini, usage(5_000, 0)).after

  it('a call that read nothing may have written it, and the next one decides', () => {
    expect(judge(gemini, usage(5_000, 0)).broken).toBeNull()
    const next = { at: NOW + 10_000, before: first }
    expect(judge(gemini, usage(5_100, 4_900), next)).toMatchObject({ broken: null, after: { open: 0 } })
    expect(judge(gemini, usage(5_100, 0), next).broken).toContain('0 tokens were read')
    // A few tokens are the beginning that other prompts share.
    expect(judge(gemini, usage(5_100, 256), next).broken).toContain('256 tokens were read')
  })

  it('a call after the life of that entry is a first one again', () => {
    const after = { at: NOW + 24 * 60 * MINUTE_MS, before: first }
    expect(judge(gemini, usage(5_100, 0), after)).toMatchObject({ broken: null, after: { open: 1 } })
  })

  it('a prompt below the minimum of the model breaks it at once', () => {
    expect(judge(gemini, usage(50, 0)).broken).toContain(`caches from ${gemini.minimumTokens} on`)
  })

  it('a prefix that ends earlier has an unknown size: any read honours it', () => {
    const next = { at: NOW + 10_000, before: first, whole: false }
    expect(judge(gemini, usage(5_100, 256), next).broken).toBeNull()
  })
})

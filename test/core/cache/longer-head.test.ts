import { describe, expect, it } from 'vitest'
import { coldNanos, headWritten } from '../../../src/core/cache/longer-head.ts'
import { readNanos, writeNanos } from '../../../src/core/model/price.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import { cardById, modelFacts } from '../../../src/providers/registry.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const { price, retentions } = modelFacts(cardById('anthropic')!, 'claude-opus-5', Date.UTC(2026, 10, 21))
const head = { name: '1h', ttlMs: HOUR_MS, tokens: 8_000 }

describe('the head with the longer lifetime', () => {
  const wrote = { ...NO_COUNTS, cacheReadTokens: 1_000, cacheWriteByRetention: { '1h': 7_000, '5m': 2_000 } }

  it('is counted by an answer that wrote it, with what stood in front', () => {
    expect(headWritten(wrote, ['1h', '5m'], retentions)).toEqual(head)
    const endAlone = { ...wrote, cacheWriteByRetention: { '1h': 0, '5m': 2_000 } }
    expect(headWritten(endAlone, ['1h', '5m'], retentions)).toBeUndefined()
    expect(headWritten(wrote, undefined, retentions)).toBeUndefined()
  })

  it('is read by a request that finds the end gone, until its own life is over', () => {
    if (price === null) throw new Error('no price')
    const end = writeNanos(2_000, 0, price, '5m') ?? Number.NaN
    expect(coldNanos(10_000, head, price, '5m', 10 * MINUTE_MS)).toBe(end + readNanos(8_000, 0, price))
    expect(coldNanos(10_000, head, price, '5m', 2 * HOUR_MS)).toBe(end + (writeNanos(8_000, 0, price, '1h') ?? 0))
    expect(coldNanos(10_000, undefined, price, '5m')).toBe(writeNanos(10_000, 0, price, '5m'))
  })
})

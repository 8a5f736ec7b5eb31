import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { HistoryRow } from '../../../../src/core/prefix/history.ts'
import { lastRowOf, linesOf, rowsOf } from '../../../../src/durable/registry/tables/history-codec.ts'

const tokens = fc.option(fc.nat())
const usage = fc.record({
  inputTokens: tokens,
  uncachedTokens: tokens,
  cacheReadTokens: tokens,
  cacheWriteTokens: tokens,
  cacheWriteByRetention: fc.dictionary(fc.constantFrom('5m', '1h', '30m'), fc.nat(), { noNullPrototype: true }),
  outputTokens: tokens,
  reasoningTokens: tokens,
})
const receipt = fc.record({
  at: fc.nat(),
  type: fc.constant('receipt' as const),
  kind: fc.constantFrom('full', 'written', 'cold', 'unknown'),
  purpose: fc.constantFrom('write', 'keep', 'verify'),
  primitive: fc.constantFrom('zero_output', 'prewarm', 'one_token'),
  usage: fc.option(usage),
  costNanos: fc.option(fc.nat()),
  latencyMs: fc.nat(),
  model: fc.option(fc.string()),
  why: fc.string(),
})
const decision = fc.record({
  at: fc.nat(),
  type: fc.constant('decision' as const),
  decision: fc.string(),
  why: fc.string(),
})

it('history is read as it was written, whatever its values', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(receipt, decision), { minLength: 1 }), (given) => {
      const rows = given as HistoryRow[]
      const text = linesOf(rows)
      expect(rowsOf(text)).toEqual(rows)
      expect(lastRowOf(text)).toEqual(rows.at(-1))
    }),
  )
})

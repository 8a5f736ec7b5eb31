import { expect, test } from 'vitest'
import { checksFor, judgeRequired, judgedInTurn } from '../../../src/core/cache/required.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import type { ReceiptKind } from '../../../src/core/prefix/receipt.ts'

const asked = { retention: '1h', writesReported: true, checksLeft: 1 }

function usage(read: number | null, written: number | null, split: Record<string, number> = {}): Usage {
  return {
    inputTokens: 5_000,
    uncachedTokens: null,
    cacheReadTokens: read,
    cacheWriteTokens: written,
    cacheWriteByRetention: split,
    outputTokens: 0,
    reasoningTokens: null,
  }
}
const verdict = (kind: ReceiptKind, seen: Usage, change: Partial<typeof asked> = {}) =>
  judgeRequired({ kind, usage: seen, why: 'because' }, { ...asked, ...change })

test('a whole read, and a write at the retention, honour the requirement', () => {
  expect(verdict('full', usage(4_000, 0))).toEqual({ kind: 'honoured' })
  expect(verdict('written', usage(0, 4_000, { '5m': 0, '1h': 4_000 }))).toEqual({ kind: 'honoured' })
  expect(verdict('written', usage(0, 4_000))).toEqual({ kind: 'honoured' })
})

test.each<[ReceiptKind, Usage]>([
  ['written', usage(0, 4_000, { '5m': 4_000, '1h': 0 })],
  ['written', usage(0, 4_000, { '5m': 1_000, '1h': 3_000 })],
  ['partial', usage(1_000, 3_000, { '5m': 3_000 })],
])('%s at another retention breaks it and names the retention: %#', (kind, seen) => {
  const found = verdict(kind, seen)
  expect(found).toMatchObject({ kind: 'broken', why: expect.stringMatching(/^written at .*5m.* instead of 1h$/) })
})

test('an uncacheable prefix and a lost entry break it at once', () => {
  expect(verdict('uncacheable', usage(0, 0))).toEqual({ kind: 'broken', why: 'because' })
  expect(verdict('cold', usage(0, 4_000, { '1h': 4_000 }))).toMatchObject({ kind: 'broken' })
})

test('missing usage breaks it where writes are reported, and is open elsewhere', () => {
  expect(verdict('unknown', usage(null, null))).toMatchObject({ kind: 'broken' })
  expect(verdict('unknown', usage(null, null), { writesReported: false })).toMatchObject({ kind: 'check' })
  expect(verdict('unknown', usage(0, null), { writesReported: false })).toMatchObject({ kind: 'check' })
})

test('an open answer needs one more call, and breaks it when none is left', () => {
  for (const [kind, seen] of [
    ['partial', usage(1_000, 3_000)],
    ['unknown', usage(0, null)],
  ] as const) {
    expect(verdict(kind, seen)).toEqual({ kind: 'check', why: 'because' })
    expect(verdict(kind, seen, { checksLeft: 0 })).toMatchObject({ kind: 'broken' })
  }
})

const doubt = { kind: 'unknown' as const, usage: usage(0, null), why: 'a second probe decides' }
const silent = { ...asked, retention: 'implicit', writesReported: false }

test('a call without a waiting caller is judged with the next answer', () => {
  const full = { kind: 'full' as const, usage: usage(4_000, 0), why: 'read' }
  const nothing = { kind: 'uncacheable' as const, usage: usage(0, null), why: 'nothing' }
  expect(judgedInTurn(doubt, null, silent, 0)).toBeNull()
  expect(judgedInTurn(full, doubt, silent, 1)).toBeNull()
  expect(judgedInTurn(nothing, doubt, silent, 1)).toEqual({ kind: 'broken', why: 'nothing' })
  expect(judgedInTurn(doubt, doubt, silent, 1)).toMatchObject({ kind: 'broken' })
  // After a conclusive answer an open one starts to count again.
  expect(judgedInTurn(doubt, full, silent, 0)).toBeNull()
})

test('as many answers may find nothing as the provider needs requests to create an entry', () => {
  const asks = { ...silent, checksLeft: checksFor({ probesToSeed: 2 }) }
  expect(judgedInTurn(doubt, null, asks, 0)).toBeNull()
  expect(judgedInTurn(doubt, doubt, asks, 1)).toBeNull()
  expect(judgedInTurn(doubt, doubt, asks, 2)).toMatchObject({ kind: 'broken' })
})

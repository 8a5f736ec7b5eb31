import { expect, it } from 'vitest'
import { FAILURES } from '../../../src/contract/failure.ts'
import type { FailureKind } from '../../../src/contract/failure.ts'
import { errorBody } from '../../../src/http/server/errors.ts'
import { rememberedText } from '../../../src/http/server/idempotency.ts'

it('a stored failure is one that cannot pass, or whose call was paid for', () => {
  const kinds = (Object.keys(FAILURES) as FailureKind[]).filter((kind) => {
    const text = JSON.stringify(errorBody({ kind, message: 'no' }, 'req_1'))
    return rememberedText(FAILURES[kind].status, text) !== null
  })
  expect(kinds).toEqual(['invalid_request', 'payload_too_large', 'prefix_too_short', 'cache_not_honoured'])
})

it('an answer of at most 256 KB is stored as it is', () => {
  const text = JSON.stringify({ id: 'pfx', receipt: { kind: 'written', provider_response: 'x'.repeat(200_000) } })
  expect(rememberedText(200, text)).toBe(text)
})

it('a larger answer is stored without the provider’s text, measured in bytes', () => {
  const receipt = { kind: 'written', provider_response: 'ü'.repeat(140_000) }
  expect(JSON.parse(rememberedText(200, JSON.stringify({ id: 'pfx', receipt })) ?? '')).toEqual({
    id: 'pfx',
    receipt: { kind: 'written', provider_response: null },
  })
})

it('a large answer of a pool is stored without the provider’s text of each model', () => {
  const receipt = { kind: 'written', provider_response: 'x'.repeat(140_000) }
  const models = [{ result: { id: 'a', receipt } }, { result: null }, { result: { id: 'b', receipt } }]
  const kept = { kind: 'written', provider_response: null }
  expect(JSON.parse(rememberedText(200, JSON.stringify({ gateway: 'chat', models })) ?? '')).toEqual({
    gateway: 'chat',
    models: [{ result: { id: 'a', receipt: kept } }, { result: null }, { result: { id: 'b', receipt: kept } }],
  })
})

it('an answer that stays too large is not stored', () => {
  expect(rememberedText(200, JSON.stringify({ data: 'x'.repeat(300_000) }))).toBeNull()
  const receipt = { why: 'x'.repeat(300_000), provider_response: 'x' }
  expect(rememberedText(200, JSON.stringify({ receipt }))).toBeNull()
})

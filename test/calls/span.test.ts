import { expect, it } from 'vitest'
import type { Lease, Outcome } from '../../src/calls/lease.ts'
import { botSpan, endedSpan, inSpan, managedCacheSpan, warmSpan } from '../../src/calls/span.ts'
import { usage } from '../support/sample.ts'
import { spanRecorder } from '../support/spans.ts'

const lease = {
  id: '7.1.2',
  model: 'claude-opus-5',
  purpose: 'keep',
  primitive: 'zero_output',
  retention: '5m',
  attempt: 2,
} as Lease
const card = { id: 'bedrock', spanName: 'aws.bedrock' }
const base = { lease: lease.id, k: 1, startedAt: 0, latencyMs: 1, primitive: 'zero_output' as const }
const answered = (change: object): Outcome => ({
  ...base,
  kind: 'answered',
  usage: usage(null, null, change),
  model: null,
})
const begun = {
  'gen_ai.operation.name': 'chat',
  'gen_ai.provider.name': 'aws.bedrock',
  'gen_ai.request.model': 'claude-opus-5',
  'pilotlight.warm': true,
  'pilotlight.purpose': 'keep',
  'pilotlight.primitive': 'zero_output',
  'pilotlight.retention': '5m',
  'pilotlight.attempt': 2,
}

it('a call is a span with what it asked and what it read', async () => {
  const { tracer, spans } = spanRecorder()
  const counts = { inputTokens: 9_010, cacheReadTokens: 9_000, cacheWriteTokens: 0, outputTokens: 1 }
  const outcome = answered(counts)
  const sent = await inSpan(
    tracer,
    warmSpan(lease, card),
    () => Promise.resolve('the answer'),
    () => endedSpan(outcome),
  )
  expect(sent).toBe('the answer')
  expect(spans).toEqual([
    {
      name: 'chat claude-opus-5',
      attributes: {
        ...begun,
        'gen_ai.usage.input_tokens': 9_010,
        'gen_ai.usage.output_tokens': 1,
        'gen_ai.usage.cache_read.input_tokens': 9_000,
        'gen_ai.usage.cache_creation.input_tokens': 0,
      },
    },
  ])
})

it('what the provider does not report is absent, and never 0', async () => {
  const { tracer, spans } = spanRecorder()
  const silent = { inputTokens: null, cacheReadTokens: null, cacheWriteTokens: null, outputTokens: null }
  await inSpan(
    tracer,
    warmSpan(lease, { id: 'anthropic' }),
    () => Promise.resolve(''),
    () => endedSpan(answered(silent)),
  )
  expect(spans[0]?.attributes).toEqual({ ...begun, 'gen_ai.provider.name': 'anthropic' })
})

it('a failure is told by its kind alone', async () => {
  const { tracer, spans } = spanRecorder()
  const failure = { kind: 'provider_rejected', message: 'The provider said: You answer about the mill.' } as const
  const told = { failure, accepted: null, permanent: true, primitiveRefused: false, retryAfterMs: null }
  await inSpan(
    tracer,
    warmSpan(lease, card),
    () => Promise.resolve(''),
    () => endedSpan({ ...base, ...told, kind: 'failed' }),
  )
  expect(spans[0]?.attributes).toEqual({ ...begun, 'error.type': 'provider_rejected' })
})

it('a call that is not traced is sent the same, and its answer is not read for it', async () => {
  const { tracer, spans } = spanRecorder(false)
  const unread = (): never => {
    throw new Error('it was read')
  }
  for (const one of [tracer, undefined])
    expect(await inSpan(one, warmSpan(lease, card), () => Promise.resolve('the answer'), unread)).toBe('the answer')
  expect(spans.map(({ attributes }) => attributes)).toEqual([{}])
})

it('a call of a bot and one about a managed cache say what they are', async () => {
  const { tracer, spans } = spanRecorder()
  const bot = botSpan({ model: 'claude-opus-5', purpose: 'summary', retention: undefined }, card)
  const cache = managedCacheSpan({ op: 'create', model: 'gemini-3.8-flash' }, { id: 'gemini' })
  for (const asked of [bot, cache])
    await inSpan(
      tracer,
      asked,
      () => Promise.resolve(),
      () => ({}),
    )
  expect(spans).toEqual([
    {
      name: 'chat claude-opus-5',
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'aws.bedrock',
        'gen_ai.request.model': 'claude-opus-5',
        'pilotlight.warm': false,
        'pilotlight.purpose': 'summary',
      },
    },
    {
      name: 'create_cache gemini-3.8-flash',
      attributes: {
        'gen_ai.operation.name': 'create_cache',
        'gen_ai.provider.name': 'gemini',
        'gen_ai.request.model': 'gemini-3.8-flash',
        'pilotlight.warm': true,
        'pilotlight.purpose': 'create',
      },
    },
  ])
})

import { expect, it } from 'vitest'
import type { Lease, Outcome } from '../../src/calls/lease.ts'
import { inSpan } from '../../src/calls/span.ts'
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
    lease,
    card,
    () => Promise.resolve('the answer'),
    () => outcome,
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
    lease,
    { id: 'anthropic' },
    () => Promise.resolve(''),
    () => answered(silent),
  )
  expect(spans[0]?.attributes).toEqual({ ...begun, 'gen_ai.provider.name': 'anthropic' })
})

it('a failure is told by its kind alone', async () => {
  const { tracer, spans } = spanRecorder()
  const failure = { kind: 'provider_rejected', message: 'The provider said: You answer about the mill.' } as const
  const told = { failure, accepted: null, permanent: true, primitiveRefused: false, retryAfterMs: null }
  await inSpan(
    tracer,
    lease,
    card,
    () => Promise.resolve(''),
    () => ({ ...base, ...told, kind: 'failed' }),
  )
  expect(spans[0]?.attributes).toEqual({ ...begun, 'error.type': 'provider_rejected' })
})

it('a call that is not traced is sent the same, and its answer is not read for it', async () => {
  const { tracer, spans } = spanRecorder(false)
  const unread = (): Outcome => {
    throw new Error('it was read')
  }
  for (const one of [tracer, undefined])
    expect(await inSpan(one, lease, card, () => Promise.resolve('the answer'), unread)).toBe('the answer')
  expect(spans.map(({ attributes }) => attributes)).toEqual([{}])
})

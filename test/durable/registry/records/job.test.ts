import { expect, test } from 'vitest'
import { failureValue } from '../../../../src/contract/failure.ts'
import { endedJob } from '../../../../src/durable/registry/records/job.ts'
import type { Job } from '../../../../src/durable/registry/records/claim.ts'
import type { Receipt } from '../../../../src/core/prefix/receipt.ts'

const NOON = Date.UTC(2026, 10, 16, 12)

const receipt = (kind: Receipt['kind'], read: number | null): Receipt => ({
  at: NOON,
  kind,
  purpose: 'write',
  primitive: 'one_token',
  usage: {
    inputTokens: 5_000,
    uncachedTokens: null,
    cacheReadTokens: read,
    cacheWriteTokens: null,
    cacheWriteByRetention: {},
    outputTokens: 1,
    reasoningTokens: null,
  },
  costNanos: 1,
  latencyMs: 500,
  model: null,
  why: 'nothing was read',
})
const silent = { retention: 'implicit', writesReported: false, checksLeft: 1, doubt: null }
const job = (required?: Job['required']): Job => ({
  id: 'job_a',
  prefixId: 'pfx_0_a',
  status: 'queued',
  createdAt: NOON,
  finishedAt: null,
  receipt: null,
  failure: null,
  ...(required === undefined ? {} : { required }),
})

test('a job that does not require the cache succeeds with any receipt', () => {
  const ended = endedJob(job(), { receipt: receipt('uncacheable', 0), failure: null }, NOON + 1)
  expect(ended).toMatchObject({ status: 'succeeded', finishedAt: NOON + 1, receipt: { kind: 'uncacheable' } })
})

test('a job that requires the cache stays queued in doubt, for one more call', () => {
  const doubted = endedJob(job(silent), { receipt: receipt('unknown', 0), failure: null }, NOON + 1)
  expect(doubted).toMatchObject({ status: 'queued', finishedAt: null, required: { checksLeft: 0 } })
  const settled = endedJob(doubted, { receipt: receipt('full', 4_900), failure: null }, NOON + 2)
  expect(settled).toMatchObject({ status: 'succeeded', finishedAt: NOON + 2, failure: null })
  const again = endedJob(doubted, { receipt: receipt('unknown', 0), failure: null }, NOON + 2)
  expect(again).toMatchObject({ status: 'failed', failure: { kind: 'cache_not_honoured', detail: { verified: true } } })
})

test('a job whose doubt could not be settled fails and says why', () => {
  const doubted = endedJob(job(silent), { receipt: receipt('unknown', 0), failure: null }, NOON + 1)
  const failure = failureValue('budget_exhausted', 'the budget of the day is spent')
  expect(endedJob(doubted, { receipt: null, failure }, NOON + 2)).toMatchObject({
    status: 'failed',
    receipt: { kind: 'unknown' },
    failure: {
      kind: 'cache_not_honoured',
      message: expect.stringContaining('the budget of the day is spent'),
      detail: { asked: 'implicit', seen: 'unknown', cached_input_tokens: 0, verified: false },
    },
  })
})

test('a job whose call failed has the failure of the call', () => {
  const failure = failureValue('provider_timeout', 'no answer in time')
  expect(endedJob(job(silent), { receipt: null, failure }, NOON + 1)).toMatchObject({ status: 'failed', failure })
})

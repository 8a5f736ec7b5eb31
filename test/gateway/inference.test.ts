import { expect, it } from 'vitest'
import { isInference, mayTellUsage } from '../../src/gateway/inference.ts'

const READ = [
  '/v1/messages',
  '/messages',
  '/v1/responses',
  '/v1/chat/completions',
  '/openai/deployments/d/chat/completions',
  '/v1beta/models/gemini-2.5-pro:generateContent',
  '/v1beta/models/gemini-2.5-pro:streamGenerateContent',
  '/model/eu.anthropic.claude-opus-4-8-v1%3A0/converse',
  '/model/m/converse-stream',
  '/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-8:rawPredict',
  '/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-8:streamRawPredict',
]

const SENT_ALONE = [
  '/v1/messages/count_tokens',
  '/v1/responses/input_tokens',
  '/v1/embeddings',
  '/v1beta/models/gemini-2.5-pro:countTokens',
  '/v1beta/models/m:embedContent',
  '/model/m/invoke',
  '/model/m/invoke-with-response-stream',
  '/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict',
]

const NEITHER = [
  '/v1/messages/batches',
  '/v1/messages/batches/b/results',
  '/v1/files',
  '/v1/batches',
  '/v1/responses/resp_1',
  '/v1/responses/resp_1/cancel',
  '/v1/chat/completions/c/messages/x',
  '/v1beta/cachedContents',
  '/v1beta/models/m:batchGenerateContent',
  '/v1/models',
]

it.each(READ)('%s is a call to a model whose usage is read', (path) => {
  expect([isInference('POST', path), mayTellUsage('POST', path)]).toEqual([true, true])
  expect([isInference('GET', path), mayTellUsage('GET', path)]).toEqual([false, false])
})

it.each(SENT_ALONE)('%s is a call to a model, and nothing of it is read', (path) => {
  expect([isInference('POST', path), mayTellUsage('POST', path)]).toEqual([true, false])
})

it.each(NEITHER)('%s is none', (path) => {
  expect([isInference('POST', path), mayTellUsage('POST', path)]).toEqual([false, false])
})

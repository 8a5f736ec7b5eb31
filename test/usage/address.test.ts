import { expect, it } from 'vitest'
import { modelIn } from '../../src/usage/address.ts'

it.each([
  ['/v1beta/models/gemini-2.5-pro:generateContent', 'gemini-2.5-pro'],
  ['https://g.test/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse', 'gemini-2.5-pro'],
  ['/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-8@1:streamRawPredict', 'claude-opus-4-8@1'],
  ['/model/eu.anthropic.claude-opus-4-8-v1%3A0/converse-stream', 'eu.anthropic.claude-opus-4-8-v1:0'],
  ['/model/anthropic.claude-opus-4-8-v1:0/invoke', 'anthropic.claude-opus-4-8-v1:0'],
  ['/v1/messages', null],
  ['/model/%E4/converse', null],
])('the model that %s names', (address, model) => {
  expect(modelIn(address)).toBe(model)
})

import { expect, it } from 'vitest'
import { RawJson } from '../../src/contract/raw-json.ts'
import { cardOf } from '../../src/registration/native.ts'

const cardFor = (provider: string, request: unknown) =>
  cardOf({ provider, request: new RawJson(JSON.stringify(request)) }, 'provider').id

const chat = { model: 'gpt-5.6-terra', messages: [{ role: 'developer', content: 'Answer from the policy.' }] }
const responses = { model: 'gpt-5.6-terra', instructions: 'Answer from the policy.', input: [] }

it.each([
  ['openai', chat, 'openai-chat'],
  ['openai', responses, 'openai'],
  ['openai-chat', chat, 'openai-chat'],
  ['azure-openai', chat, 'azure-openai-chat'],
  ['azure-openai', responses, 'azure-openai'],
  ['vertex', { anthropic_version: 'vertex-2023-10-16', system: 'Rules.', messages: [] }, 'vertex-anthropic'],
  ['vertex', { systemInstruction: { parts: [{ text: 'Rules.' }] }, contents: [] }, 'vertex'],
])('the body decides which wire format of %s is meant: %j', (provider, request, card) => {
  expect(cardFor(provider, request)).toBe(card)
})

it('the model decides where there is no body of the provider', () => {
  const cardOfModel = (model: string) => cardOf({ provider: 'vertex', model }, 'provider').id
  expect(cardOfModel('claude-sonnet-4-5@20250929')).toBe('vertex-anthropic')
  expect(cardOfModel('gemini-3.8-flash')).toBe('vertex')
})

it('an unknown provider is refused with the list of known ones', () => {
  expect(() => cardFor('acme', chat)).toThrow(/must be one of anthropic, /)
})

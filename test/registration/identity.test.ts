import { expect, it } from 'vitest'
import { cardById } from '../../src/runtime/cards.ts'
import { identityOf } from '../../src/registration/identity.ts'

/** The name of an entry of a model that ends with the same content. */
function entryOf(provider: string, model: string): string {
  const card = cardById(provider)!
  return identityOf(card, undefined, {}).entryFor('head', { model, cacheKey: null })
}

it.each<[string, string, string]>([
  ['openai', 'gpt-5.1', 'gpt-5.1-2025-11-13'],
  ['openai', 'gpt-5.2', 'gpt-5.2-2025-12-11'],
  ['openai', 'gpt-5', 'gpt-5-2025-08-07'],
  ['openai', 'gpt-5-pro', 'gpt-5-pro-2025-10-06'],
  ['openai', 'gpt-5.4-mini', 'gpt-5.4-mini-2026-03-17'],
  ['openai', 'gpt-5.6', 'gpt-5.6-sol'],
  ['openai-chat', 'gpt-4.1', 'gpt-4.1-2025-04-14'],
  ['openai-chat', 'gpt-4o', 'gpt-4o-2024-08-06'],
  ['openai-chat', 'o4-mini', 'o4-mini-2025-04-16'],
  ['anthropic', 'claude-opus-4-5', 'claude-opus-4-5-20251101'],
  ['anthropic', 'claude-sonnet-4-5', 'claude-sonnet-4-5-20250929'],
  ['anthropic', 'claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
  ['anthropic', 'claude-sonnet-4-0', 'claude-sonnet-4-20250514'],
])('a snapshot shares the entries of the name that points to it: %s %s', (provider, alias, snapshot) => {
  expect(entryOf(provider, snapshot)).toBe(entryOf(provider, alias))
})

it.each<[string, string, string]>([
  ['openai-chat', 'gpt-4o', 'gpt-4o-2024-11-20'],
  ['openai', 'gpt-5.1', 'gpt-5.1-chat-latest'],
  ['openai', 'gpt-5.1', 'gpt-5.1-2026-01-01'],
  ['openai', 'gpt-5.6', 'gpt-5.6-terra'],
  ['anthropic', 'claude-opus-4-5', 'claude-opus-4-6'],
  ['anthropic', 'claude-opus-4-8', 'claude-opus-4-8-20260101'],
  ['azure-openai', 'gpt-5.1', 'gpt-5.1-2025-11-13'], // names of deployments
  ['gemini', 'gemini-flash-latest', 'gemini-3.8-flash'],
])('another name is another model: %s %s', (provider, one, other) => {
  expect(entryOf(provider, other)).not.toBe(entryOf(provider, one))
})

import { describe, expect, it } from 'vitest'
import { pricesOf } from '../../../src/cli/simulate/prices.ts'
import { NOW } from '../support.ts'

const found = (provider: string | null, model: string): string => {
  const priced = pricesOf(provider, model, NOW)
  return 'unknown' in priced ? 'unknown' : `${priced.provider} ${priced.model}`
}

describe('the names of a log', () => {
  it.each<[string | null, string, string]>([
    ['anthropic.messages', 'claude-opus-4-8', 'anthropic claude-opus-4-8'],
    ['ANTHROPIC', 'claude-opus-4-8', 'anthropic claude-opus-4-8'],
    ['openai.responses', 'gpt-5.6-sol', 'openai gpt-5.6-sol'],
    ['openai.chat', 'gpt-5.6-sol', 'openai-chat gpt-5.6-sol'],
    ['google.generative-ai', 'gemini-2.5-flash', 'gemini gemini-2.5-flash'],
    ['google-ai-studio', 'gemini-2.5-flash', 'gemini gemini-2.5-flash'],
    ['Google AI Studio', 'google/gemini-2.5-flash', 'gemini gemini-2.5-flash'],
    ['google-vertex-ai', 'google/gemini-2.5-flash', 'vertex gemini-2.5-flash'],
    ['google.vertex.chat', 'gemini-2.5-flash', 'vertex gemini-2.5-flash'],
    ['gcp.gemini', 'models/gemini-2.5-flash', 'gemini gemini-2.5-flash'],
    [null, 'models/gemini-2.5-flash', 'gemini gemini-2.5-flash'],
    [
      'vertex_ai',
      'projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash',
      'vertex gemini-2.5-flash',
    ],
    ['xai.chat', 'grok-4.5', 'xai grok-4.5'],
    [null, 'anthropic/claude-4.8-opus-20260101', 'anthropic claude-opus-4-8'],
    ['Amazon Bedrock', 'anthropic/claude-4.8-opus-20260101', 'bedrock anthropic.claude-opus-4-8'],
    ['Azure', 'openai/gpt-5.6-sol', 'azure-openai gpt-5.6-sol'],
    [null, 'anthropic/claude-opus-4.8', 'anthropic claude-opus-4-8'],
    [null, 'us.anthropic.claude-opus-4-8-v1:0', 'bedrock us.anthropic.claude-opus-4-8-v1:0'],
    [null, 'anthropic.claude-opus-4-8', 'bedrock anthropic.claude-opus-4-8'],
  ])('provider %s and model %s are %s', (provider, model, right) => {
    expect(found(provider, model)).toBe(right)
  })

  it.each<[string | null, string]>([
    ['example.models', 'gpt-5.6-sol'],
    ['nobody', 'anthropic/claude-opus-4-8'],
    ['anthropic', 'claude-opus-8-4'],
    ['anthropic', 'claude-opus-4-8-tuned'],
    ['anthropic', 'models/nothing'],
  ])('provider %s and model %s have no price, for nothing is guessed', (provider, model) => {
    expect(found(provider, model)).toBe('unknown')
  })
})

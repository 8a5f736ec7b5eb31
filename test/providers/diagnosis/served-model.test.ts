import { describe, expect, it } from 'vitest'
import { isServedByOther } from '../../../src/providers/diagnosis/served-model.ts'
import { cardById } from '../../../src/providers/registry.ts'

const NOW = Date.UTC(2026, 11, 1)

function other(provider: string, asked: string, served: string): boolean {
  const card = cardById(provider)
  if (card === undefined) throw new Error(`no card ${provider}`)
  return isServedByOther(card, asked, served, NOW)
}

describe('a served model', () => {
  it.each([
    ['anthropic', 'claude-opus-5', 'claude-sonnet-5'],
    ['anthropic', 'claude-opus-4-5-20251101', 'claude-opus-4-6'],
    ['openai', 'gpt-5.5', 'gpt-5.5-mini'],
    ['openai', 'gpt-5.5', 'gpt-5.4-2026-03-05'],
    ['gemini', 'gemini-2.5-pro', 'gemini-2.5-flash'],
    ['bedrock', 'eu.anthropic.claude-opus-4-8-v1:0', 'anthropic.claude-opus-4-7-v1:0'],
    ['openrouter', 'anthropic/claude-opus-5', 'openai/gpt-5.5'],
  ])('is another one: %s, asked for %s, answered by %s', (provider, asked, served) => {
    expect(other(provider, asked, served)).toBe(true)
  })

  it.each([
    ['anthropic', 'claude-opus-4-5', 'claude-opus-4-5-20251101'],
    ['anthropic', 'claude-sonnet-4-0', 'claude-sonnet-4-20250514'],
    ['openai', 'gpt-5.5', 'gpt-5.5-2026-04-23'],
    ['openai', 'gpt-5.6', 'gpt-5.6-sol'],
    ['openai', 'gpt-4.1-mini', 'gpt-4.1-mini-2025-04-14'],
    ['gemini', 'models/gemini-2.5-pro', 'gemini-2.5-pro-preview-05-06'],
    ['mistral', 'mistral-large-latest', 'mistral-large-2411'],
    ['openrouter', 'openai/gpt-5.5:nitro', 'openai/gpt-5.5-2026-04-23'],
    ['openrouter', 'openrouter/auto', 'openai/gpt-5.5'],
    ['vertex-anthropic', 'claude-opus-4-5@20251101', 'claude-opus-4-5-20251101'],
    ['azure-openai', 'our-deployment', 'gpt-5.5-2026-04-23'],
    ['vllm', 'qwen3', '/models/other'],
  ])('is the same, or cannot be told: %s, asked for %s, answered by %s', (provider, asked, served) => {
    expect(other(provider, asked, served)).toBe(false)
  })
})

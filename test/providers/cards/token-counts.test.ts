import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cardById, dialectOf } from '../../../src/providers/registry.ts'
import type { Usage } from '../../../src/core/model/usage.ts'

/** The parts of a prompt as a provider would count them, and a member that it may leave out. */
const parts = fc.record({
  uncached: fc.nat(1_000_000),
  read: fc.nat(1_000_000),
  write: fc.nat(1_000_000),
  output: fc.nat(100_000),
})
type Parts = typeof parts extends fc.Arbitrary<infer Value> ? Value : never

/** Each provider's own shape of the same counts; `write` is null where it does not report writes. */
const shapes: Record<string, (given: Parts) => { usage: unknown; reportsWrites: boolean }> = {
  anthropic: ({ uncached, read, write, output }) => ({
    usage: {
      input_tokens: uncached,
      cache_read_input_tokens: read,
      cache_creation_input_tokens: write,
      output_tokens: output,
    },
    reportsWrites: true,
  }),
  openai: ({ uncached, read, write, output }) => ({
    usage: {
      input_tokens: uncached + read + write,
      input_tokens_details: { cached_tokens: read, cache_write_tokens: write },
      output_tokens: output,
    },
    reportsWrites: true,
  }),
  'openai-chat': ({ uncached, read, write, output }) => ({
    usage: {
      prompt_tokens: uncached + read + write,
      prompt_tokens_details: { cached_tokens: read, cache_write_tokens: write },
      completion_tokens: output,
    },
    reportsWrites: true,
  }),
  gemini: ({ uncached, read, output }) => ({
    usage: { promptTokenCount: uncached + read, cachedContentTokenCount: read, candidatesTokenCount: output },
    reportsWrites: false,
  }),
  bedrock: ({ uncached, read, write, output }) => ({
    usage: { inputTokens: uncached, cacheReadInputTokens: read, cacheWriteInputTokens: write, outputTokens: output },
    reportsWrites: true,
  }),
}

function readAs(provider: string, usage: unknown): Usage | null {
  const card = cardById(provider)
  if (card === undefined) throw new Error(`no card ${provider}`)
  return dialectOf(card).readUsage(usage)
}

describe.each(Object.keys(shapes))('token counts of %s', (provider) => {
  it('count every token of the prompt once, and the output separately', () => {
    fc.assert(
      fc.property(parts, (given) => {
        const { usage, reportsWrites } = shapes[provider]!(given)
        const { uncached, read, output } = given
        const write = reportsWrites ? given.write : 0
        expect(readAs(provider, usage)).toMatchObject({
          inputTokens: uncached + read + write,
          uncachedTokens: uncached,
          cacheReadTokens: read,
          cacheWriteTokens: reportsWrites ? write : null,
          outputTokens: output,
        })
      }),
    )
  })
})

it('a missing count is unknown, except at Gemini, whose format leaves out zeros', () => {
  expect(readAs('openai', { input_tokens: 10, output_tokens: 1 })).toMatchObject({
    cacheReadTokens: null,
    cacheWriteTokens: null,
  })
  expect(readAs('openai-chat', { prompt_tokens: 10, completion_tokens: 1 })).toMatchObject({
    cacheReadTokens: null,
    cacheWriteTokens: null,
  })
  expect(readAs('anthropic', { input_tokens: 10, output_tokens: 1 })).toMatchObject({
    cacheReadTokens: null,
    cacheWriteTokens: null,
  })
  expect(readAs('gemini', { promptTokenCount: 10 })).toMatchObject({ cacheReadTokens: 0, cacheWriteTokens: null })
})

it('a total without cache reads is recognised, and every token counts once', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.integer({ min: 1, max: 1_000 }), fc.nat(1_000), (total, beyond, write) => {
      const read = total + beyond
      const details = { cached_tokens: read, cache_write_tokens: write }
      const usage = readAs('openai-chat', {
        prompt_tokens: total,
        prompt_tokens_details: details,
        completion_tokens: 0,
      })
      expect(usage).toMatchObject({ inputTokens: total + read + write, uncachedTokens: total, cacheReadTokens: read })
    }),
  )
})

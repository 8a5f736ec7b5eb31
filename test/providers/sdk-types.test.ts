import type { MessageCreateParamsNonStreaming } from '@anthropic-ai/sdk/resources/messages'
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions'
import type { ResponseCreateParamsNonStreaming } from 'openai/resources/responses/responses'
import { expect, test } from 'vitest'
import { provider } from './prepared.ts'

/**
 * Each expected probe is checked twice: by the compiler against the vendor's own type, and here against what is sent. Gemini
 * stands in sdk-types-gemini.test.ts; why Bedrock has no SDK here, in docs/dependencies.md.
 */
const schema = { type: 'object' as const, properties: { order: { type: 'string' } } }

test('Anthropic Messages', () => {
  const { json } = provider('anthropic').probe(
    {
      model: 'claude-opus-5',
      max_tokens: 900,
      stream: true,
      tools: [{ name: 'find', input_schema: schema }],
      system: 'Rules',
      messages: [{ role: 'user', content: 'Where is my order?' }],
    },
    { retention: '1h' },
  )
  expect(json).toEqual({
    model: 'claude-opus-5',
    max_tokens: 0,
    tools: [{ name: 'find', input_schema: schema }],
    system: [{ type: 'text', text: 'Rules', cache_control: { type: 'ephemeral', ttl: '1h' } }],
    messages: [{ role: 'user', content: '.' }],
  } satisfies MessageCreateParamsNonStreaming)
})

test('Anthropic Messages with several breakpoints', () => {
  const { json } = provider('anthropic').probe(
    {
      model: 'claude-opus-5',
      max_tokens: 900,
      tools: [{ name: 'find', input_schema: schema }],
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Yes?' },
      ],
    },
    { cache: { strategy: { explicit: [{ toolsEnd: true }, { itemEnd: 0 }, { itemEnd: 1 }] } } },
  )
  const marker = { cache_control: { type: 'ephemeral' as const } }
  expect(json).toEqual({
    model: 'claude-opus-5',
    max_tokens: 0,
    tools: [{ name: 'find', input_schema: schema, ...marker }],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hi', ...marker }] },
      { role: 'assistant', content: [{ type: 'text', text: 'Yes?', ...marker }] },
      { role: 'user', content: '.' },
    ],
  } satisfies MessageCreateParamsNonStreaming)
})

const developer = { role: 'developer' as const, content: [{ type: 'input_text' as const, text: 'Rules' }] }
const question = { role: 'user' as const, content: 'Where is my order?' }

test.each<['prewarm' | 'floor_tokens', ResponseCreateParamsNonStreaming]>([
  [
    'prewarm',
    {
      model: 'gpt-5.6-sol',
      input: [developer],
      prompt_cache_key: 'k',
      prompt_cache_options: { prewarm: true, ttl: '12h' },
      store: false,
    },
  ],
  [
    'floor_tokens',
    {
      model: 'gpt-5.6-sol',
      input: [
        {
          role: 'developer',
          content: [{ type: 'input_text', text: 'Rules', prompt_cache_breakpoint: { mode: 'explicit' } }],
        },
        { role: 'user', content: '.' },
      ],
      max_output_tokens: 16,
      prompt_cache_key: 'k',
      prompt_cache_options: { ttl: '12h' },
      store: false,
    },
  ],
])('OpenAI Responses by %s', (primitive, expected) => {
  const { json } = provider('openai').probe(
    { model: 'gpt-5.6-sol', stream: true, input: [developer, question] },
    { primitive, cache: { key: 'k', retention: '12h' } },
  )
  expect(json).toEqual(expected)
})

test('OpenAI Chat Completions', () => {
  const { json } = provider('openai-chat').probe(
    { model: 'gpt-5.6-sol', stream: true, messages: [{ role: 'developer', content: 'Rules' }, question] },
    { cache: { key: 'k' } },
  )
  expect(json).toEqual({
    model: 'gpt-5.6-sol',
    messages: [
      {
        role: 'developer',
        content: [{ type: 'text', text: 'Rules', prompt_cache_breakpoint: { mode: 'explicit' } }],
      },
      { role: 'user', content: '.' },
    ],
    max_completion_tokens: 1,
    prompt_cache_key: 'k',
  } satisfies ChatCompletionCreateParamsNonStreaming)
})

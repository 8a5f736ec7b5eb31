import { describe, expect, it } from 'vitest'
import { provider } from '../../prepared.ts'

const stream = (...events: unknown[]): string =>
  [...events.map((event) => `data: ${JSON.stringify(event)}`), 'data: [DONE]', ''].join('\n\n')

/** Usage of one answer, told in two events of a stream. */
const STREAMS: Record<string, (first: object, later: object) => string> = {
  anthropic: (first, later) =>
    stream(
      { type: 'message_start', message: { type: 'message', model: 'm', usage: first } },
      { type: 'message_delta', usage: later },
      { type: 'message_stop' },
    ),
  'openai-chat': (first, later) => stream({ choices: [], model: 'm', usage: first }, { choices: [], usage: later }),
  gemini: (first, later) =>
    stream({ candidates: [], usageMetadata: first }, { candidates: [{ finishReason: 'STOP' }], usageMetadata: later }),
}

describe('the usage of a stream', () => {
  it.each([
    [
      'anthropic',
      { input_tokens: 50, cache_read_input_tokens: 6300, cache_creation_input_tokens: 0, output_tokens: 1 },
      { input_tokens: null, cache_read_input_tokens: null, cache_creation_input_tokens: null, output_tokens: 9 },
    ],
    [
      'anthropic',
      { input_tokens: 50, cache_read_input_tokens: 6300, cache_creation_input_tokens: 0, output_tokens: 1 },
      { input_tokens: 0, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 9 },
    ],
    [
      'openai-chat',
      { prompt_tokens: 6350, prompt_tokens_details: { cached_tokens: 6300 }, completion_tokens: 1 },
      { prompt_tokens: 6350, prompt_tokens_details: { cached_tokens: 0 }, completion_tokens: 9 },
    ],
    [
      'openai-chat',
      { prompt_tokens: 6350, prompt_tokens_details: { cached_tokens: 6300 }, completion_tokens: 1 },
      { prompt_tokens: null, prompt_tokens_details: null, completion_tokens: 9 },
    ],
    [
      'gemini',
      { promptTokenCount: 6350, cachedContentTokenCount: 6300, candidatesTokenCount: 1 },
      { promptTokenCount: 6350, candidatesTokenCount: 9 },
    ],
  ])('of %s keeps what an earlier event told: %o, then %o', (id, first, later) => {
    const { usage } = provider(id).dialect.readAnswer(STREAMS[id]!(first, later), 'text/event-stream')
    expect(usage).toMatchObject({ inputTokens: 6350, uncachedTokens: 50, cacheReadTokens: 6300, outputTokens: 9 })
  })

  it('of Groq is that of its own member', () => {
    const text = stream({ choices: [], model: 'm', x_groq: { usage: { prompt_tokens: 7, completion_tokens: 2 } } })
    expect(provider('groq').dialect.readAnswer(text, 'text/event-stream').usage).toMatchObject({ inputTokens: 7 })
  })
})

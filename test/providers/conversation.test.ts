import { describe, expect, it } from 'vitest'
import { ChatWindow } from '../../src/core/conversation/window.ts'
import { roundMessages, turnViewOf } from '../../src/core/conversation/turn.ts'
import type { Reply, ToolDefinition } from '../../src/core/conversation/turn.ts'
import { deltasOf, readReply, turnRequest } from '../../src/providers/conversation.ts'
import { cardById } from '../../src/providers/registry.ts'
import type { Card } from '../../src/providers/card.ts'

const STOCK: ToolDefinition = {
  name: 'stock',
  description: 'How many are left.',
  parameters: { type: 'object', properties: { item: { type: 'string' } }, required: ['item'] },
}

/** What each wire format answers when a model says something and calls a tool twice, and how it does so in a stream. */
const FORMATS: { id: string; retention: string; called: unknown; said: unknown; stream: unknown[] | null }[] = [
  {
    id: 'anthropic',
    retention: '5m',
    called: {
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
        { type: 'text', text: 'Let me look.', citations: null },
        { type: 'tool_use', id: 'c1', name: 'stock', input: { item: 'tent' } },
        { type: 'tool_use', id: 'c2', name: 'stock', input: { item: 'mat' } },
      ],
      stop_reason: 'tool_use',
    },
    said: { content: [{ type: 'text', text: 'Three.' }], stop_reason: 'max_tokens' },
    stream: [
      { type: 'message_start', message: {} },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm.' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'sig' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Let me' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: ' look.' } },
      {
        type: 'content_block_start',
        index: 2,
        content_block: { type: 'tool_use', id: 'c1', name: 'stock', input: {} },
      },
      { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"item":' } },
      { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '"tent"}' } },
      {
        type: 'content_block_start',
        index: 3,
        content_block: { type: 'tool_use', id: 'c2', name: 'stock', input: {} },
      },
      { type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json: '{"item":"mat"}' } },
      { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: {} },
      { type: 'message_stop' },
    ],
  },
  (() => {
    const response = {
      status: 'completed',
      output: [
        { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'sealed' },
        { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'Let me look.' }] },
        { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'stock', arguments: '{"item":"tent"}' },
        { type: 'function_call', id: 'fc_2', call_id: 'c2', name: 'stock', arguments: '{"item":"mat"}' },
      ],
    }
    return {
      id: 'openai',
      retention: '30m',
      called: response,
      said: {
        status: 'incomplete',
        output: [{ type: 'message', content: [{ type: 'output_text', text: 'Three.' }] }],
      },
      stream: [
        { type: 'response.created', response: { output: [] } },
        { type: 'response.output_text.delta', delta: 'Let me' },
        { type: 'response.output_text.delta', delta: ' look.' },
        { type: 'response.completed', response },
      ],
    }
  })(),
  {
    id: 'openai-chat',
    retention: '30m',
    called: {
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            role: 'assistant',
            content: 'Let me look.',
            tool_calls: [
              { id: 'c1', type: 'function', function: { name: 'stock', arguments: '{"item":"tent"}' } },
              { id: 'c2', type: 'function', function: { name: 'stock', arguments: '{"item":"mat"}' } },
            ],
          },
        },
      ],
    },
    said: { choices: [{ finish_reason: 'length', message: { content: 'Three.' } }] },
    stream: [
      { choices: [{ delta: { role: 'assistant', content: '' } }] },
      { choices: [{ delta: { content: 'Let me' } }] },
      { choices: [{ delta: { content: ' look.' } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, id: 'c1', function: { name: 'stock', arguments: '' } }] } }] },
      { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: '{"item":"tent"}' } }] } }] },
      {
        choices: [
          { delta: { tool_calls: [{ index: 1, id: 'c2', function: { name: 'stock', arguments: '{"item":' } }] } },
        ],
      },
      { choices: [{ delta: { tool_calls: [{ index: 1, function: { arguments: '"mat"}' } }] } }] },
      { choices: [{ delta: {}, finish_reason: 'tool_calls' }] },
      { choices: [], usage: {} },
    ],
  },
  {
    id: 'gemini',
    retention: 'implicit',
    called: {
      candidates: [
        {
          finishReason: 'STOP',
          content: {
            parts: [
              { text: 'Hm.', thought: true },
              { text: 'Let me look.' },
              { functionCall: { id: 'c1', name: 'stock', args: { item: 'tent' } }, thoughtSignature: 'sig' },
              { functionCall: { id: 'c2', name: 'stock', args: { item: 'mat' } } },
            ],
          },
        },
      ],
    },
    said: { candidates: [{ finishReason: 'MAX_TOKENS', content: { parts: [{ text: 'Three.' }] } }] },
    stream: [
      { candidates: [{ content: { parts: [{ text: 'Hm.', thought: true }] } }] },
      { candidates: [{ content: { parts: [{ text: 'Let me' }] } }] },
      { candidates: [{ content: { parts: [{ text: ' look.' }] } }] },
      {
        candidates: [
          {
            content: {
              parts: [{ functionCall: { id: 'c1', name: 'stock', args: { item: 'tent' } }, thoughtSignature: 'sig' }],
            },
          },
        ],
      },
      {
        candidates: [
          {
            finishReason: 'STOP',
            content: { parts: [{ functionCall: { id: 'c2', name: 'stock', args: { item: 'mat' } } }] },
          },
        ],
      },
    ],
  },
  {
    id: 'bedrock',
    retention: '5m',
    called: {
      stopReason: 'tool_use',
      output: {
        message: {
          role: 'assistant',
          content: [
            { reasoningContent: { reasoningText: { text: 'Hm.', signature: 'sig' } } },
            { text: 'Let me look.' },
            { toolUse: { toolUseId: 'c1', name: 'stock', input: { item: 'tent' } } },
            { toolUse: { toolUseId: 'c2', name: 'stock', input: { item: 'mat' } } },
          ],
        },
      },
    },
    said: { stopReason: 'max_tokens', output: { message: { content: [{ text: 'Three.' }] } } },
    stream: null,
  },
]

function cardOf(id: string): Card {
  const card = cardById(id)
  if (card === undefined) throw new Error(`no card ${id}`)
  return card
}

const sse = (events: readonly unknown[]): string => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')

function write(card: Card, window: ChatWindow, retention: string, more: { final?: boolean; now?: number } = {}) {
  const { final = false, now = 0 } = more
  const sight = turnViewOf(window, { now, injectTime: true, final })
  const cache = { retention, key: 'bot_1' }
  return turnRequest(card, {
    ...sight,
    model: card.id === 'anthropic' ? 'claude-opus-5' : 'some-model',
    maxOutputTokens: 512,
    cache,
    tools: [STOCK],
  })
}

function begun(): ChatWindow {
  const window = new ChatWindow({ budgetTokens: 8_192 })
  window.add({ role: 'system', text: 'You sell tents.' }, { role: 'user', text: 'How many are left?' })
  return window
}

const ANSWERED = { text: '3 left', isError: false }
const FAILED = { text: 'It did not answer.', isError: true }

describe.each(FORMATS)('a conversation with $id', ({ id, retention, called, said, stream }) => {
  const card = cardOf(id)
  const json = 'application/json'
  const read = (answer: unknown): Reply => readReply(card, JSON.stringify(answer), json)

  it('reads the text, the tool calls, and whether the answer was cut off', () => {
    expect(read(called)).toMatchObject({ text: 'Let me look.', complete: true })
    expect(read(called).toolCalls).toEqual([
      { id: 'c1', name: 'stock', arguments: '{"item":"tent"}' },
      { id: 'c2', name: 'stock', arguments: '{"item":"mat"}' },
    ])
    expect(read(said)).toEqual({ text: 'Three.', complete: false, toolCalls: [], native: null })
    expect(() => read({})).toThrow('the model returned no text')
  })

  it.skipIf(stream === null)('reads the same from a stream, and passes its text on as it arrives', () => {
    const text = sse(stream ?? [])
    expect(readReply(card, text, 'text/event-stream')).toEqual(read(called))
    for (const size of [1, 7, 1_000_000]) {
      const heard: string[] = []
      const feed = deltasOf(card, (more) => void heard.push(more))
      for (let at = 0; at < text.length; at += size) feed(text.slice(at, at + size))
      expect(heard.join('')).toBe('Let me look.')
    }
  })

  it('changes only at its end from call to call, including tools and results', () => {
    const window = begun()
    const first = write(card, window, retention)
    window.add(...roundMessages({ reply: read(called), results: [ANSWERED, FAILED] }))
    const second = write(card, window, retention, { now: 1e12 })
    const head = first.body.slice(0, first.body.indexOf('How many are left?'))
    expect(second.body.startsWith(head)).toBe(true)
    for (const part of ['Let me look.', '3 left', 'It did not answer.', 'tent']) expect(second.body).toContain(part)
    expect(second.body.lastIndexOf('Current time')).toBeGreaterThan(second.body.lastIndexOf('It did not answer.'))
    expect(second.body).not.toContain('1970')
    window.add({ role: 'assistant', text: 'Three.' }, { role: 'user', text: 'And mats?' })
    const third = write(card, window, retention, { now: 2e12 })
    const marks = /,"(cache_control|prompt_cache_breakpoint)":\{[^}]*\}|,?\{"cachePoint":\{[^}]*\}\}/g
    const bare = (text: string): string => text.replaceAll(marks, '')
    const kept = bare(second.body)
    expect(bare(third.body).startsWith(kept.slice(0, kept.indexOf('3 left')))).toBe(true)
  })

  it('lists the same tools in the last call, and forbids them', () => {
    const window = begun()
    window.add(...roundMessages({ reply: read(called), results: [ANSWERED, ANSWERED] }))
    const [open, final] = [false, true].map((last) => JSON.parse(write(card, window, retention, { final: last }).body))
    const toolsOf = (body: Record<string, unknown>): unknown =>
      (body['tools'] ?? (body['toolConfig'] as Record<string, unknown>)['tools']) as unknown
    expect(toolsOf(final)).toEqual(toolsOf(open))
    expect(JSON.stringify(final)).toMatch(/"tool_choice":(\{"type":)?"none"|"mode":"NONE"|without calling a tool/)
    expect(JSON.stringify(open)).not.toMatch(/tool_choice|"NONE"|without calling a tool/)
  })

  it('marks the last call like the others, unless forbidding tools changes the prompt', () => {
    const window = begun()
    window.add(...roundMessages({ reply: read(called), results: [ANSWERED, ANSWERED] }))
    const marks = (final: boolean): number =>
      write(card, window, retention, { final }).body.match(/cache_control|prompt_cache_breakpoint|cachePoint/g)
        ?.length ?? 0
    expect(marks(true)).toBe(id === 'anthropic' ? 1 : marks(false))
  })

  it("sends the provider's own parts back, and to another format the text", () => {
    const window = begun()
    const reply = read(called)
    window.add(...roundMessages({ reply, results: [ANSWERED, ANSWERED] }))
    const own = write(card, window, retention).body
    if (reply.native !== null) expect(own).toMatch(/"sig"|"sealed"/)
    for (const other of FORMATS.filter((format) => format.id !== id)) {
      const foreign = write(cardOf(other.id), window, other.retention).body
      expect(foreign).not.toMatch(/"sig"|"sealed"/)
      expect(foreign).toContain('Let me look.')
      expect(foreign).toContain('3 left')
    }
  })
})

describe('rules of single providers', () => {
  it('Anthropic: at most four breakpoints of one lifetime, and results in one message', () => {
    const window = begun()
    window.summarize('They camp.')
    window.add(
      ...roundMessages({
        reply: readReply(cardOf('anthropic'), JSON.stringify(FORMATS[0]?.called), 'application/json'),
        results: [ANSWERED, FAILED],
      }),
    )
    const body = JSON.parse(write(cardOf('anthropic'), window, '1h').body) as {
      messages: { role: string; content: object[] }[]
    }
    expect(JSON.stringify(body).match(/"cache_control":\{"type":"ephemeral","ttl":"1h"\}/g)).toHaveLength(4)
    const last = body.messages.at(-1)
    expect(last?.content.map((block) => (block as { type: string }).type)).toEqual([
      'tool_result',
      'tool_result',
      'text',
    ])
    expect(last?.content[1]).toMatchObject({ is_error: true, cache_control: { ttl: '1h' } })
  })

  it('Bedrock: roles alternate, also where summaries precede a question', () => {
    const window = begun()
    window.summarize('They camp.')
    const body = JSON.parse(write(cardOf('bedrock'), window, '5m').body) as { messages: { role: string }[] }
    expect(body.messages.map(({ role }) => role)).toEqual(['user'])
  })

  it('compatible servers: plain strings, their own cap and key, the time in the last one', () => {
    const groq = JSON.parse(write(cardOf('groq'), begun(), 'implicit').body) as Record<string, unknown>
    expect(groq['messages']).toEqual([
      { role: 'system', content: 'You sell tents.' },
      { role: 'user', content: 'How many are left?\n\n[Current time: 1970-01-01T00:00:00.000Z]' },
    ])
    expect(Object.keys(groq)).not.toContain('prompt_cache_options')
    const pinned = JSON.parse(write(cardOf('openrouter'), begun(), 'implicit').body) as Record<string, unknown>
    expect(pinned['session_id']).toBe('bot_1')
  })

  it('reasoning is sent back between two tool calls', () => {
    const card = cardOf('deepseek')
    const answer = structuredClone(FORMATS[2]?.called) as { choices: { message: Record<string, unknown> }[] }
    Object.assign(answer.choices[0]?.message ?? {}, { reasoning_content: 'Hm.' })
    const window = begun()
    const reply = readReply(card, JSON.stringify(answer), 'application/json')
    window.add(...roundMessages({ reply, results: [ANSWERED, ANSWERED] }))
    const body = JSON.parse(write(card, window, 'implicit').body) as { messages: Record<string, unknown>[] }
    expect(body.messages[2]).toMatchObject({ role: 'assistant', reasoning_content: 'Hm.' })
  })
})

import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { shortHash } from '../../../src/providers/prefix/outline.ts'
import { begins } from '../begins.ts'
import { provider } from '../prepared.ts'

const text = 'You answer questions about tents and stoves. '.repeat(200)
const tool = { name: 'look', description: 'Looks.', input_schema: { type: 'object', properties: {} } }
const deferred = (name: string) => ({ ...tool, name, defer_loading: true })
const marker = { cache_control: { type: 'ephemeral' } }
const claude = (more: object = {}, model = 'claude-opus-4-8') => ({
  model,
  max_tokens: 90,
  tools: [tool],
  system: [{ type: 'text', text, ...marker }],
  messages: [{ role: 'user', content: 'Who?' }],
  ...more,
})
const chat = (more: object = {}) => ({
  model: 'gpt-5.6-sol',
  messages: [
    { role: 'developer', content: text },
    { role: 'user', content: 'Who?' },
  ],
  ...more,
})
const responses = (more: object = {}) => ({ model: 'gpt-5.6-sol', instructions: text, input: 'Who?', ...more })
const gemini = (more: object = {}) => ({
  systemInstruction: { parts: [{ text }] },
  contents: [{ role: 'user', parts: [{ text: 'Who?' }] }],
  ...more,
})
const converse = (more: object = {}) => ({
  toolConfig: { tools: [{ toolSpec: { name: 'look', inputSchema: { json: {} } } }] },
  system: [{ text }, { cachePoint: { type: 'default' } }],
  messages: [{ role: 'user', content: [{ text: 'Who?' }] }],
  ...more,
})

describe('a request to Anthropic begins with a registered prefix', () => {
  const part = (words: string, more: object = {}) => ({ type: 'text', text: words, ...more })
  it.each<[string, object]>([
    ['with another question', { messages: [{ role: 'user', content: 'Where?' }] }],
    ['with a marker moved behind it', { messages: [{ role: 'user', content: [part('Who?', marker)] }] }],
    ['with no marker any more', { system: text }],
    [
      'with later turns, each marked',
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: [part('b', marker)] },
          { role: 'user', content: [part('c', marker)] },
        ],
      },
    ],
    ['with thinking disabled', { thinking: { type: 'disabled' } }],
    ['with a free choice of tools', { tool_choice: { type: 'auto', disable_parallel_tool_use: false } }],
    ['with effort at its default', { output_config: { effort: 'high' } }],
    ['with empty output settings', { output_config: {} }],
    ['with nulls', { thinking: null, tool_choice: null, metadata: null, mcp_servers: null, speed: null }],
    ['with nulls in a block', { system: [part(text, { cache_control: null, citations: null })] }],
    ['with a tool that says it is not deferred', { tools: [{ ...tool, defer_loading: false, cache_control: null }] }],
    ['with a tool that spells its kind out', { tools: [{ type: 'custom', ...tool }] }],
    ['with adaptive thinking', { thinking: { type: 'adaptive' } }],
    ['with a thinking budget', { thinking: { type: 'enabled', budget_tokens: 4_000 } }],
    ['with low effort', { output_config: { effort: 'low' } }],
    ['with an output format', { output_config: { format: { type: 'json_schema', schema: {} } } }],
    ['with a forced tool', { tool_choice: { type: 'tool', name: 'look' } }],
    ['with no tool allowed', { tool_choice: { type: 'none' } }],
    ['in a container', { container: 'container_01abc' }],
    ['on another service tier', { service_tier: 'standard_only' }],
    ['with sampling', { temperature: 0.2, top_p: 0.9, top_k: 3, stop_sequences: ['x'] }],
    ['with other models to fall back to', { fallbacks: [{ model: 'claude-sonnet-5' }], billing_policy: null }],
    ['with deferred tools around', { tools: [deferred('a'), tool, deferred('b')] }],
  ])('%s', (_, more) => {
    expect(begins('anthropic', claude(), claude(more))).toBe(true)
  })

  it.each<[string, object, string?]>([
    ['with another tool', { tools: [{ ...tool, description: 'Looks again.' }] }],
    ['with a tool of another kind', { tools: [{ type: 'bash_20250124', ...tool }] }],
    ['with a tool in front', { tools: [{ ...tool, name: 'first' }, tool] }],
    ['with another system prompt', { system: [{ type: 'text', text: `${text}!`, ...marker }] }],
    ['at another speed', { speed: 'fast' }],
    ['with skills in its container', { container: { id: 'c', skills: [{ skill_id: 'xlsx' }] } }],
    ['with a parameter that nobody knows', { not_known_to_us: 1 }],
    ['without thinking, where settings come first', { thinking: { type: 'disabled' } }, 'claude-opus-5'],
    ['with low effort, where settings come first', { output_config: { effort: 'low' } }, 'claude-opus-5'],
  ])('not %s', (_, more, model) => {
    expect(begins('anthropic', claude({}, model), claude(more, model))).toBe(false)
  })

  it('that ends in its messages only with the same settings in front of them', () => {
    const turns = [
      { role: 'user', content: [part('Read this.', marker)] },
      { role: 'assistant', content: 'Done.' },
      { role: 'user', content: 'And?' },
    ]
    const registered = claude({ messages: turns })
    expect(
      begins('anthropic', registered, claude({ messages: [...turns.slice(0, 2), { role: 'user', content: 'x' }] })),
    ).toBe(true)
    for (const more of [
      { thinking: { type: 'adaptive' } },
      { tool_choice: { type: 'any' } },
      { output_config: { effort: 'low' } },
    ])
      expect(begins('anthropic', registered, claude({ messages: turns, ...more }))).toBe(false)
    // A part of one message is no message of its own.
    const joined = [{ role: 'user', content: [part('Read this.'), part('And?')] }]
    expect(begins('anthropic', registered, claude({ messages: joined }))).toBe(true)
    const split = claude({
      messages: [{ role: 'user', content: [part('Read'), part(' this.', marker)] }, turns[1], turns[2]],
    })
    expect(begins('anthropic', split, registered)).toBe(false)
  })

  it('whose MCP server got another token', () => {
    const servers = (authorization_token: string) => ({
      mcp_servers: [{ type: 'url', url: 'https://mcp.example.com/sse', name: 'mill', authorization_token }],
    })
    expect(begins('anthropic', claude(servers('one')), claude(servers('two')))).toBe(true)
    const elsewhere = { mcp_servers: [{ ...servers('one').mcp_servers[0], url: 'https://other.example.com/sse' }] }
    expect(begins('anthropic', claude(servers('one')), claude(elsewhere))).toBe(false)
  })
})

describe('a request to another provider begins with a registered prefix', () => {
  const mcp = (authorization: string) => ({
    tools: [
      {
        type: 'mcp',
        server_label: 'mill',
        server_url: 'https://m.example',
        authorization,
        headers: { 'X-Key': authorization },
      },
    ],
  })
  it.each<[string, string, unknown, unknown, string?]>([
    [
      'chat: defaults',
      'openai-chat',
      chat(),
      chat({ parallel_tool_calls: true, tool_choice: 'auto', response_format: { type: 'text' } }),
    ],
    ['chat: nulls', 'openai-chat', chat(), chat({ tools: null, verbosity: null, reasoning_effort: null })],
    ['chat: no tools', 'openai-chat', chat(), chat({ tools: [] })],
    [
      'chat: one block for a text',
      'openai-chat',
      chat(),
      chat({ messages: [{ role: 'developer', content: [{ type: 'text', text }] }] }),
    ],
    [
      'chat: nulls in a message',
      'openai-chat',
      chat(),
      chat({ messages: [{ role: 'developer', content: text, name: null, refusal: null }] }),
    ],
    [
      'responses: items that name their type',
      'openai',
      responses({ input: [{ role: 'developer', content: text }] }),
      responses({
        input: [
          {
            type: 'message',
            id: 'msg_1',
            status: 'completed',
            role: 'developer',
            content: [{ type: 'input_text', text }],
          },
        ],
      }),
    ],
    [
      'responses: summaries of reasoning, and truncation',
      'openai',
      responses(),
      responses({ reasoning: { summary: 'auto' }, truncation: 'auto', moderation: { model: 'm' } }),
    ],
    [
      'gemini: a role of the system prompt',
      'gemini',
      gemini(),
      gemini({ systemInstruction: { role: 'system', parts: [{ text }] } }),
      'gemini-3.6-flash',
    ],
    [
      'gemini: thoughts shown, and empty lists',
      'gemini',
      gemini(),
      gemini({
        toolConfig: { functionCallingConfig: { mode: 'AUTO', allowedFunctionNames: [] } },
        generationConfig: { thinkingConfig: { includeThoughts: true }, responseModalities: ['TEXT'] },
        serviceTier: 'standard',
        store: false,
      }),
      'gemini-3.6-flash',
    ],
    [
      'converse: a guardrail, and an output format',
      'bedrock',
      converse(),
      converse({
        guardrailConfig: { guardrailIdentifier: 'g', guardrailVersion: '1' },
        promptVariables: {},
        outputConfig: { textFormat: { type: 'json_schema' } },
      }),
      'anthropic.claude-opus-4-8',
    ],
    ['chat: sampling', 'vllm', chat(), chat({ min_p: 0.1, top_k: 3, repetition_penalty: 1.1, request_id: 'r' })],
    [
      'responses: defaults',
      'openai',
      responses(),
      responses({
        text: { format: { type: 'text' }, verbosity: 'medium' },
        tools: [],
        truncation: 'disabled',
        service_tier: 'auto',
      }),
    ],
    ['responses: a choice of tools', 'openai', responses(), responses({ tool_choice: 'none', reasoning: {} })],
    ['responses: a rotated token', 'openai', responses(mcp('one')), responses(mcp('two'))],
    [
      'gemini: defaults',
      'gemini',
      gemini(),
      gemini({
        tools: [],
        toolConfig: { functionCallingConfig: { mode: 'AUTO' } },
        generationConfig: { responseMimeType: 'text/plain', presencePenalty: 1 },
      }),
      'gemini-3.6-flash',
    ],
    [
      'converse: a choice, and thinking',
      'bedrock',
      converse(),
      converse({
        toolConfig: { ...converse().toolConfig, toolChoice: { any: {} } },
        additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 2_000 } },
        performanceConfig: { latency: 'optimized' },
      }),
      'anthropic.claude-opus-4-8',
    ],
  ])('%s', (_, id, registered, sent, model) => {
    expect(begins(id, registered, sent, model)).toBe(true)
  })

  it.each<[string, string, unknown, unknown, string?]>([
    ['chat: a response format', 'openai-chat', chat(), chat({ response_format: { type: 'json_object' } })],
    ['chat: another effort', 'openai-chat', chat(), chat({ reasoning_effort: 'low' })],
    ['chat: another tier', 'openai-chat', chat(), chat({ service_tier: 'flex' })],
    ['responses: explicit mode', 'openai', responses(), responses({ prompt_cache_options: { mode: 'explicit' } })],
    ['responses: one call at a time', 'openai', responses(), responses({ parallel_tool_calls: false })],
    ['responses: another effort', 'openai', responses(), responses({ reasoning: { effort: 'low', summary: 'auto' } })],
    [
      'chat: the name of a speaker',
      'openai-chat',
      chat(),
      chat({ messages: [{ role: 'developer', name: 'ada', content: text }] }),
    ],
    [
      'gemini: a budget for thinking',
      'gemini',
      gemini(),
      gemini({ generationConfig: { thinkingConfig: { thinkingBudget: 0, includeThoughts: true } } }),
      'gemini-3.6-flash',
    ],
    [
      'gemini: a forced call',
      'gemini',
      gemini(),
      gemini({ toolConfig: { functionCallingConfig: { mode: 'ANY' } } }),
      'gemini-3.6-flash',
    ],
    [
      'converse: no thinking, where it comes first',
      'bedrock',
      converse(),
      converse({ additionalModelRequestFields: { thinking: { type: 'disabled' } } }),
      'anthropic.claude-opus-5',
    ],
  ])('not %s', (_, id, registered, sent, model) => {
    expect(begins(id, registered, sent, model)).toBe(false)
  })
})

describe('deferred tools', () => {
  const { prepare, probe } = provider('anthropic')
  const long = (name: string) => ({ ...tool, name, description: text })
  const body = {
    model: 'claude-opus-4-8',
    max_tokens: 9,
    messages: [],
    tools: [long('archive'), long('brook'), deferred('corn')],
  }

  it('are never the place of a marker, nor the end of the prefix', () => {
    const prefix = prepare(body)
    expect(prefix.breakpoint.path).toBe('tools[1]')
    const { tools } = probe(body).json as { tools: object[] }
    expect(tools.map((one) => 'cache_control' in one)).toEqual([false, true, false])
    expect(prefix.advice.map(({ at }) => at)).toEqual(['tools[1]'])
  })

  it('are not counted, and their order and number change nothing', () => {
    const many = (tools: object[]) =>
      prepare({ model: 'claude-opus-4-8', max_tokens: 9, messages: [], system: 'Short prompt.', tools })
    const search = { type: 'tool_search_tool_regex_20251119', name: 'tool_search_tool_regex' }
    const one = many([search, { ...long('a'), defer_loading: true }, { ...long('b'), defer_loading: true }])
    expect(one.estimatedTokens).toBeLessThan(60)
    const other = many([{ ...long('b'), defer_loading: true }, search, { ...long('a'), defer_loading: true }])
    expect(other.canonical).toBe(one.canonical)
    expect(many([search]).canonical).toBe(one.canonical)
    expect(one.text).toContain('"name":"b"')
  })
})

it('hashes texts of any length as if they stood in one piece', () => {
  const atOnce = (texts: readonly string[]): string =>
    createHash('sha256')
      .update(texts.map((text) => `${text.length};${text}`).join(''))
      .digest('base64url')
      .slice(0, 22)
  for (const character of ['a', 'é', '漢', '😀', '\ud800'])
    for (const bytes of [0, 1, 32_640, 32_690, 32_700, 32_704, 32_766, 32_768, 32_800, 65_536, 100_000]) {
      const text = character.repeat(Math.floor(bytes / Buffer.byteLength(character)))
      for (const texts of [[text], ['', text], [text, text, 'b'], ['x', text, text]])
        expect([character, bytes, shortHash(...texts)]).toEqual([character, bytes, atOnce(texts)])
    }
})

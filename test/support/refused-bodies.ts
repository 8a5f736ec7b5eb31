/** Bodies with one mistake each that a provider answers with an error, and what is said of it. */
export interface RefusedBody {
  title: string
  provider: string
  request: Record<string, unknown>
  /** Path in the body. */
  path: string
  cause: string
  /** What the message says beside the path. */
  says: string
  /** False: registration takes the body, and tells of it. */
  refused?: false
}

const LONG = 'You answer questions about the mill, its wheels and its ponds. '.repeat(300)
const marker = { type: 'ephemeral' }
const text = (said: string, control?: unknown) => ({
  type: 'text',
  text: said,
  ...(control === undefined ? {} : { cache_control: control }),
})

function claude(change: Record<string, unknown>, model = 'claude-opus-4-8'): Record<string, unknown> {
  return { model, max_tokens: 100, system: [text(LONG, marker)], messages: [], ...change }
}
const gpt = (change: Record<string, unknown>, model = 'gpt-5.6-sol') => ({
  model,
  input: [{ role: 'developer', content: [{ type: 'input_text', text: LONG }] }],
  ...change,
})
const breakpoint = (value: unknown) => ({
  input: [
    {
      role: 'developer',
      content: [{ type: 'input_text', text: LONG, prompt_cache_breakpoint: value }],
    },
  ],
})
const converse = (change: Record<string, unknown>) => ({
  modelId: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
  system: [{ text: LONG }, { cachePoint: { type: 'default' } }],
  messages: [],
  ...change,
})
const routed = (content: unknown[]) => ({
  model: 'anthropic/claude-opus-4.8',
  messages: [
    { role: 'system', content },
    { role: 'user', content: 'Who?' },
  ],
})
const shots = [
  { role: 'user', content: [text('Who built it?')] },
  {
    role: 'assistant',
    content: [{ type: 'thinking', thinking: 'Hm.', signature: 's', cache_control: marker }, text('A miller.', marker)],
  },
  { role: 'user', content: 'When?' },
]
const deferred = { name: 'b', input_schema: {}, defer_loading: true, cache_control: marker }

export const REFUSED_BODIES: readonly RefusedBody[] = [
  {
    title: 'no tool that is loaded at once',
    provider: 'anthropic',
    request: claude({ tools: [{ name: 'b', input_schema: {}, defer_loading: true }] }),
    path: 'tools',
    cause: 'all_tools_deferred',
    says: 'one tool at least must not be deferred',
  },
  {
    title: 'the profile of a user, which is a header',
    provider: 'anthropic',
    request: claude({ user_profile_id: 'uprof_1' }),
    path: 'user_profile_id',
    cause: 'sdk_member',
    says: 'anthropic-user-profile-id',
  },
  {
    title: "a marker of Anthropic's kind",
    provider: 'openai',
    request: gpt({
      input: [{ role: 'developer', content: [{ type: 'input_text', text: LONG, cache_control: marker }] }],
    }),
    path: 'input[0].content[0].cache_control',
    cause: 'marker_type',
    says: "a marker of Anthropic's API",
    refused: false,
  },
  {
    title: 'a marker with its type in capitals',
    provider: 'anthropic',
    request: claude({ system: [text(LONG, { type: 'Ephemeral' })] }),
    path: 'system[0].cache_control.type',
    cause: 'marker_type',
    says: 'must be "ephemeral"',
  },
  {
    title: 'a marker that is a string',
    provider: 'anthropic',
    request: claude({ system: [text(LONG, 'ephemeral')] }),
    path: 'system[0].cache_control',
    cause: 'marker_type',
    says: 'must be an object',
  },
  {
    title: 'a marker at the top without a type',
    provider: 'anthropic',
    request: claude({ cache_control: { ttl: '1h' } }),
    path: 'cache_control.type',
    cause: 'marker_type',
    says: 'must be "ephemeral"',
  },
  {
    title: 'a lifetime in seconds',
    provider: 'anthropic',
    request: claude({ system: [text(LONG, { ...marker, ttl: 3600 })] }),
    path: 'system[0].cache_control.ttl',
    cause: 'marker_ttl',
    says: 'must be "5m" or "1h"',
  },
  {
    title: 'a lifetime of ten minutes',
    provider: 'anthropic',
    request: claude({ system: [text(LONG, { ...marker, ttl: '10m' })] }),
    path: 'system[0].cache_control.ttl',
    cause: 'marker_ttl',
    says: 'must be "5m" or "1h"',
  },
  {
    title: 'a lifetime of another provider',
    provider: 'anthropic',
    request: claude({ tools: [{ name: 'a', input_schema: {}, cache_control: { ...marker, ttl: '24h' } }] }),
    path: 'tools[0].cache_control.ttl',
    cause: 'marker_ttl',
    says: 'must be "5m" or "1h"',
  },
  {
    title: 'a marker on an empty system block',
    provider: 'anthropic',
    request: claude({ system: [text(LONG), text('', marker)] }),
    path: 'system[1].cache_control',
    cause: 'marker_on_empty_text',
    says: 'empty text cannot carry a marker',
  },
  {
    title: 'a marker on an empty block of an earlier turn',
    provider: 'anthropic',
    request: claude({
      messages: [
        { role: 'user', content: [text('Who?'), text(' \n', marker)] },
        { role: 'assistant', content: 'A miller.' },
        { role: 'user', content: 'When?' },
      ],
    }),
    path: 'messages[0].content[1].cache_control',
    cause: 'marker_on_empty_text',
    says: 'empty text cannot carry a marker',
  },
  {
    title: 'an empty block that nobody marked',
    provider: 'anthropic',
    request: claude({ system: [text(LONG), text('')] }),
    path: 'system[1]',
    cause: 'empty_text',
    says: 'a text without any content',
  },
  {
    title: 'a marker on thinking in front of the end',
    provider: 'anthropic',
    request: claude({ messages: shots }),
    path: 'messages[1].content[0].cache_control',
    cause: 'marker_on_thinking',
    says: 'a thinking block cannot carry a marker',
  },
  {
    title: 'a marker on a deferred tool',
    provider: 'anthropic',
    request: claude({ tools: [{ name: 'a', input_schema: {} }, deferred] }),
    path: 'tools[1].cache_control',
    cause: 'marker_on_deferred_tool',
    says: 'a deferred tool cannot carry a marker',
  },
  {
    title: 'five markers',
    provider: 'anthropic',
    request: claude({ system: ['a', 'b', 'c', 'd', 'e'].map((name) => text(`${name} ${LONG}`, marker)) }),
    path: 'system[4].cache_control',
    cause: 'too_many_breakpoints',
    says: 'is marker 5 of 5, and a request may carry 4',
  },
  {
    title: 'a message of the role tool',
    provider: 'anthropic',
    request: claude({
      messages: [
        { role: 'tool', content: [text('42', marker)] },
        { role: 'assistant', content: 'Yes.' },
        { role: 'user', content: 'When?' },
      ],
    }),
    path: 'messages[0].role',
    cause: 'unknown_role',
    says: 'must be "user" or "assistant"',
  },
  ...['betas', 'extra_headers', 'extra_body', 'timeout'].map((name) => ({
    title: `the SDK's member ${name}`,
    provider: 'anthropic',
    request: claude({ [name]: name === 'betas' ? ['context-management-2025-06-27'] : {} }),
    path: name,
    cause: 'sdk_member',
    says: "is a member of an SDK's call",
  })),
  {
    title: 'a budget for thinking where a model takes none',
    provider: 'anthropic',
    request: claude({ thinking: { type: 'enabled', budget_tokens: 4000 } }),
    path: 'thinking.type',
    cause: 'thinking_not_taken',
    says: 'this model takes no budget for thinking',
  },
  {
    title: 'a budget for thinking that is too small',
    provider: 'anthropic',
    request: claude({ thinking: { type: 'enabled', budget_tokens: 100 } }, 'claude-sonnet-4-5'),
    path: 'thinking.budget_tokens',
    cause: 'thinking_budget',
    says: 'must be a whole number from 1024',
  },
  {
    title: 'a temperature where a model takes none',
    provider: 'anthropic',
    request: claude({ temperature: 0.2 }),
    path: 'temperature',
    cause: 'sampling_not_taken',
    says: 'takes no sampling parameter',
    refused: false,
  },
  {
    title: 'a marker of a wrong type behind the end of the prefix',
    provider: 'anthropic',
    request: claude({ messages: [{ role: 'user', content: [text('Who?', { type: 'Ephemeral' })] }] }),
    path: 'messages[0].content[0].cache_control.type',
    cause: 'marker_type',
    says: 'must be "ephemeral"',
    refused: false,
  },
  {
    title: 'a breakpoint that is true',
    provider: 'openai',
    request: gpt(breakpoint(true)),
    path: 'input[0].content[0].prompt_cache_breakpoint',
    cause: 'marker_type',
    says: 'must have the mode "explicit"',
  },
  {
    title: 'a lifetime of options that is a number',
    provider: 'openai',
    request: gpt({ prompt_cache_options: { ttl: 1800 } }),
    path: 'prompt_cache_options.ttl',
    cause: 'marker_ttl',
    says: 'must be "30m" or "12h"',
  },
  {
    title: 'cache options on an older model',
    provider: 'openai',
    request: gpt({ prompt_cache_options: { ttl: '30m' } }, 'gpt-5'),
    path: 'prompt_cache_options',
    cause: 'options_not_taken',
    says: 'takes no cache options',
  },
  {
    title: 'the old retention beside cache options',
    provider: 'openai',
    request: gpt({ prompt_cache_options: { mode: 'implicit' }, prompt_cache_retention: '24h' }),
    path: 'prompt_cache_retention',
    cause: 'retention_not_taken',
    says: 'stands beside prompt_cache_options',
    refused: false,
  },
  {
    title: 'a member of the SDK that OpenAI does not know',
    provider: 'openai',
    request: gpt({ extra_body: {} }),
    path: 'extra_body',
    cause: 'sdk_member',
    says: "is a member of an SDK's call",
  },
  {
    title: 'a member of the SDK that a compatible server ignores',
    provider: 'groq',
    request: {
      model: 'openai/gpt-oss-20b',
      messages: [
        { role: 'system', content: LONG },
        { role: 'user', content: 'Who?' },
      ],
      extra_headers: {},
    },
    path: 'extra_headers',
    cause: 'sdk_member',
    says: "is a member of an SDK's call",
    refused: false,
  },
  {
    title: 'a marker of a wrong lifetime that a router passes on',
    provider: 'openrouter',
    request: routed([text(LONG, { ...marker, ttl: 300 })]),
    path: 'messages[0].content[0].cache_control.ttl',
    cause: 'marker_ttl',
    says: 'must be "5m" or "1h"',
  },
  {
    title: 'a marker on an empty text that a router passes on',
    provider: 'openrouter',
    request: routed([text(LONG), text('', marker)]),
    path: 'messages[0].content[1].cache_control',
    cause: 'marker_on_empty_text',
    says: 'empty text cannot carry a marker',
  },
  {
    title: "the config of Gemini's SDK",
    provider: 'gemini',
    request: {
      model: 'gemini-3.8-flash',
      systemInstruction: { parts: [{ text: LONG }] },
      contents: [],
      config: { temperature: 0 },
    },
    path: 'config',
    cause: 'sdk_member',
    says: "is a member of an SDK's call",
  },
  {
    title: 'a cache point of another type',
    provider: 'bedrock',
    request: converse({ system: [{ text: LONG }, { cachePoint: { type: 'ephemeral' } }] }),
    path: 'system[1].cachePoint.type',
    cause: 'marker_type',
    says: 'must be "default"',
  },
  {
    title: 'a cache point with a lifetime in seconds',
    provider: 'bedrock',
    request: converse({ system: [{ text: LONG }, { cachePoint: { type: 'default', ttl: 300 } }] }),
    path: 'system[1].cachePoint.ttl',
    cause: 'marker_ttl',
    says: 'must be "5m" or "1h"',
  },
  {
    title: 'an empty text in Converse',
    provider: 'bedrock',
    request: converse({ system: [{ text: LONG }, { text: '' }, { cachePoint: { type: 'default' } }] }),
    path: 'system[1]',
    cause: 'empty_text',
    says: 'a text without any content',
  },
]

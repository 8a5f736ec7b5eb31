import { SENTENCE } from './normalise.ts'

/** Prompts of the script: long enough to be cached, and each content of its own by its tag. */

export const prompt = (tag: string, times = 60): string => `Edition ${tag}. ${SENTENCE.repeat(times)}`

export const OFF = { keep_warm: { plan: 'off' } }

const marker = { cache_control: { type: 'ephemeral' } }

export function anthropic(tag: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: 'claude-opus-5',
    max_tokens: 512,
    system: [{ type: 'text', text: prompt(tag), ...marker }],
    messages: [{ role: 'user', content: 'Which tent for two?' }],
    ...more,
  }
}

export function warmOf(tag: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { provider: 'anthropic', request: anthropic(tag), ...OFF, ...more }
}

const tool = (name: string, parameters: string) => ({
  name,
  description: `Does ${name}.`,
  [parameters]: { type: 'object', properties: { item: { type: 'string' } } },
})

/** A native body of each wire format. */
export const NATIVE: readonly { name: string; body: Record<string, unknown> }[] = [
  {
    name: 'anthropic',
    body: {
      provider: 'anthropic',
      request: { ...anthropic('native'), tools: [tool('find', 'input_schema')], metadata: { user_id: 'u1' } },
    },
  },
  {
    name: 'openai',
    body: {
      provider: 'openai',
      request: {
        model: 'gpt-5.6-sol',
        instructions: prompt('responses'),
        input: [{ role: 'user', content: 'Which tent for two?' }],
        tools: [{ type: 'function', strict: false, ...tool('find', 'parameters') }],
      },
    },
  },
  {
    name: 'openai-automatic',
    body: {
      provider: 'openai',
      request: { model: 'gpt-5', input: [{ role: 'developer', content: prompt('automatic') }] },
    },
  },
  {
    name: 'openai-chat',
    body: {
      provider: 'openai-chat',
      request: {
        model: 'gpt-5.6-sol',
        messages: [
          { role: 'developer', content: prompt('chat') },
          { role: 'user', content: 'Which tent for two?' },
        ],
        tools: [{ type: 'function', function: tool('find', 'parameters') }],
      },
    },
  },
  {
    name: 'openai-by-shape',
    body: {
      provider: 'openai',
      request: { model: 'gpt-5.6-sol', messages: [{ role: 'developer', content: prompt('chat by shape') }] },
    },
  },
  {
    name: 'gemini',
    body: {
      provider: 'gemini',
      model: 'gemini-3.8-flash',
      request: {
        systemInstruction: { parts: [{ text: prompt('gemini', 250) }] },
        tools: [{ functionDeclarations: [tool('find', 'parameters')] }],
        contents: [{ role: 'user', parts: [{ text: 'Which tent for two?' }] }],
      },
    },
  },
  {
    name: 'vertex',
    body: {
      provider: 'vertex',
      model: 'gemini-2.5-flash',
      request: { systemInstruction: { parts: [{ text: prompt('vertex', 250) }] } },
    },
  },
  {
    name: 'bedrock',
    body: {
      provider: 'bedrock',
      model: 'anthropic.claude-opus-5',
      credential: 'aws',
      request: {
        system: [{ text: prompt('converse') }, { cachePoint: { type: 'default' } }],
        messages: [{ role: 'user', content: [{ text: 'Which tent for two?' }] }],
        inferenceConfig: { maxTokens: 100 },
      },
    },
  },
]

/** The neutral form for one provider. */
export function neutral(provider: string, model: string): Record<string, unknown> {
  return {
    provider,
    model,
    system: prompt(`neutral of ${provider}`),
    tools: [
      { name: 'find', description: 'Finds a tent.', parameters: { type: 'object', properties: {} } },
      { name: 'buy' },
    ],
    messages: [
      { role: 'user', content: 'Which tent for two?' },
      { role: 'assistant', content: 'The small one.' },
    ],
    ...OFF,
  }
}

/** Usage as Anthropic writes it: a real request that read, and one that wrote. */
export const READ = {
  input_tokens: 9,
  cache_read_input_tokens: 1_320,
  cache_creation_input_tokens: 0,
  output_tokens: 3,
}
export const WROTE = {
  input_tokens: 9,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 1_320,
  output_tokens: 3,
}

/** Agents that share tools and the first block of their system prompt. */
export function crew(tag: string, count: number, more: Record<string, unknown> = {}): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => ({
    provider: 'anthropic',
    name: `${tag} ${index}`,
    ...OFF,
    request: {
      model: 'claude-opus-5',
      max_tokens: 100,
      tools: [{ name: 'search', input_schema: { type: 'object' } }],
      system: [
        { type: 'text', text: prompt(`crew ${tag}`, 80) },
        { type: 'text', text: `You are agent ${index}. Do your own part well.` },
      ],
      messages: [{ role: 'user', content: 'Begin.' }],
    },
    ...more,
  }))
}

/** A conversation without a wire format, as agents hold them. */
export interface Conversation {
  model: string
  system: string[]
  tools: Tool[]
  turns: Turn[]
  /** Indices of system blocks with a marker. */
  marks: number[]
  /** Index of the turn with a marker; null: none. */
  markedTurn: number | null
  /** Members of the body beside the prompt. */
  extra: Record<string, unknown>
  cacheKey: string | null
}

export interface Tool {
  name: string
  description: string
  schema: Record<string, unknown>
}

export type Turn =
  | { role: 'user' | 'assistant'; text: string; image?: string; thinking?: string }
  | { role: 'calls'; calls: { id: string; name: string; input: Record<string, unknown> }[] }
  | { role: 'results'; results: { id: string; name: string; text: string }[] }

export type Format = 'anthropic' | 'openai' | 'openai-chat' | 'gemini' | 'bedrock'
export const FORMATS: readonly Format[] = ['anthropic', 'openai', 'openai-chat', 'gemini', 'bedrock']

const MODELS: Readonly<Record<Format, [string, string]>> = {
  anthropic: ['claude-opus-5', 'claude-haiku-4-5'],
  openai: ['gpt-5.6-sol', 'gpt-5-mini'],
  'openai-chat': ['gpt-5.6-sol', 'gpt-5-mini'],
  gemini: ['gemini-3.5-pro', 'gemini-2.5-flash'],
  bedrock: ['anthropic.claude-opus-4-6-v1:0', 'anthropic.claude-haiku-4-5-20251001-v1:0'],
}

export function otherModel(format: Format): string {
  return MODELS[format][1]
}

const TOPICS = [
  'tents',
  'stoves',
  'ropes',
  'boots',
  'lamps',
  'maps',
  'sleeping mats',
  'water filters',
  'harnesses',
  'gloves',
]

/** A long text that a person could have written: rules of a shop, each another one. */
export function rules(count: number, from = 0): string {
  return Array.from({ length: count }, (_, index) => {
    const topic = TOPICS[(index + from) % TOPICS.length] ?? ''
    return `Rule ${index + from + 1}: when a customer asks about ${topic}, name the weight, the price and the season, and offer the repair service for ${topic} before a new purchase.`
  }).join('\n')
}

export function conversation(format: Format): Conversation {
  return {
    model: MODELS[format][0],
    system: [
      `You are the assistant of a shop for mountain gear. Answer in the language of the customer.\n\n# Rules\n${rules(160)}`,
      `# Style\nBe short. Use metric units. Say when you do not know.\n${rules(30, 200)}`,
    ],
    tools: ['find_product', 'get_price', 'list_orders', 'open_ticket', 'check_stock', 'ship_order'].map((name) => ({
      name,
      description: `Use ${name.replace('_', ' ')} when the customer asks for it. It answers with one JSON object.`,
      schema: {
        type: 'object',
        properties: {
          query: { type: 'string', description: `What to ${name.replace('_', ' ')}` },
          limit: { type: 'integer' },
        },
        required: ['query'],
      },
    })),
    turns: [
      { role: 'user', text: `Which tent do you have for two people in the winter? ${rules(8, 300)}` },
      {
        role: 'calls',
        calls: [
          { id: 'call_a1', name: 'find_product', input: { query: 'winter tent', limit: 5 } },
          { id: 'call_b2', name: 'check_stock', input: { query: 'winter tent', limit: 2 } },
        ],
      },
      {
        role: 'results',
        results: [
          {
            id: 'call_a1',
            name: 'find_product',
            text: `{"products":["Gneis 2","Firn 3"],"note":"${rules(10, 330).replaceAll('\n', ' ')}"}`,
          },
          { id: 'call_b2', name: 'check_stock', text: '{"Gneis 2":4,"Firn 3":0}' },
        ],
      },
      { role: 'assistant', text: `The Gneis 2 weighs 2.9 kg and is in stock. ${rules(12, 400)}` },
      { role: 'user', text: 'And what does it cost with the footprint?' },
    ],
    marks: [1],
    markedTurn: 4,
    extra: {},
    cacheKey: null,
  }
}

/** The next turn of the same conversation. */
export function next(before: Conversation, question = 'Can you send it to Innsbruck by Friday?'): Conversation {
  const after = structuredClone(before)
  after.turns.push({ role: 'assistant', text: 'With the footprint it is 489 euros.' }, { role: 'user', text: question })
  if (after.markedTurn !== null) after.markedTurn = after.turns.length - 1
  return after
}

/** The body in a wire format. */
export function render(format: Format, one: Conversation): string {
  return JSON.stringify(RENDER[format](one))
}

const MARK = { type: 'ephemeral' }

const RENDER: Readonly<Record<Format, (one: Conversation) => Record<string, unknown>>> = {
  anthropic: (one) => ({
    model: one.model,
    max_tokens: 1024,
    tools: one.tools.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
    system: one.system.map((text, at) => ({
      type: 'text',
      text,
      ...(one.marks.includes(at) ? { cache_control: MARK } : {}),
    })),
    messages: one.turns.map((turn, at) => {
      const content = anthropicContent(turn)
      const last = content.at(-1)
      if (at === one.markedTurn && last !== undefined) last['cache_control'] = MARK
      return { role: turn.role === 'assistant' || turn.role === 'calls' ? 'assistant' : 'user', content }
    }),
    ...one.extra,
  }),
  bedrock: (one) => ({
    modelId: one.model,
    system: one.system.flatMap((text, at) => [
      { text },
      ...(one.marks.includes(at) ? [{ cachePoint: { type: 'default' } }] : []),
    ]),
    toolConfig: {
      tools: one.tools.map(({ name, description, schema }) => ({
        toolSpec: { name, description, inputSchema: { json: schema } },
      })),
    },
    messages: one.turns.map((turn, at) => ({
      role: turn.role === 'assistant' || turn.role === 'calls' ? 'assistant' : 'user',
      content: [...bedrockContent(turn), ...(at === one.markedTurn ? [{ cachePoint: { type: 'default' } }] : [])],
    })),
    inferenceConfig: { maxTokens: 1024 },
    ...one.extra,
  }),
  openai: (one) => ({
    model: one.model,
    instructions: one.system.join('\n\n'),
    tools: one.tools.map(({ name, description, schema }) => ({
      type: 'function',
      name,
      description,
      parameters: schema,
    })),
    input: one.turns.flatMap((turn) => responsesItems(turn)),
    ...(one.cacheKey === null ? {} : { prompt_cache_key: one.cacheKey }),
    ...one.extra,
  }),
  'openai-chat': (one) => ({
    model: one.model,
    tools: one.tools.map(({ name, description, schema }) => ({
      type: 'function',
      function: { name, description, parameters: schema },
    })),
    messages: [
      ...one.system.map((content) => ({ role: 'system', content })),
      ...one.turns.flatMap((turn) => chatItems(turn)),
    ],
    ...(one.cacheKey === null ? {} : { prompt_cache_key: one.cacheKey }),
    ...one.extra,
  }),
  gemini: (one) => ({
    model: one.model,
    systemInstruction: { parts: one.system.map((text) => ({ text })) },
    tools: [
      {
        functionDeclarations: one.tools.map(({ name, description, schema }) => ({
          name,
          description,
          parameters: schema,
        })),
      },
    ],
    contents: one.turns.map((turn) => ({
      role: turn.role === 'assistant' || turn.role === 'calls' ? 'model' : 'user',
      parts: geminiParts(turn),
    })),
    ...one.extra,
  }),
}

function anthropicContent(turn: Turn): Record<string, unknown>[] {
  if (turn.role === 'calls') return turn.calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input }))
  if (turn.role === 'results')
    return turn.results.map(({ id, text }) => ({ type: 'tool_result', tool_use_id: id, content: text }))
  return [
    ...(turn.thinking === undefined ? [] : [{ type: 'thinking', thinking: turn.thinking, signature: 'c2lnbmF0dXJl' }]),
    ...(turn.image === undefined
      ? []
      : [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: turn.image } }]),
    { type: 'text', text: turn.text },
  ]
}

function bedrockContent(turn: Turn): Record<string, unknown>[] {
  if (turn.role === 'calls')
    return turn.calls.map(({ id, name, input }) => ({ toolUse: { toolUseId: id, name, input } }))
  if (turn.role === 'results')
    return turn.results.map(({ id, text }) => ({ toolResult: { toolUseId: id, content: [{ text }] } }))
  return [
    ...(turn.thinking === undefined
      ? []
      : [{ reasoningContent: { reasoningText: { text: turn.thinking, signature: 'c2ln' } } }]),
    ...(turn.image === undefined ? [] : [{ image: { format: 'png', source: { bytes: turn.image } } }]),
    { text: turn.text },
  ]
}

function responsesItems(turn: Turn): Record<string, unknown>[] {
  if (turn.role === 'calls') {
    return turn.calls.map(({ id, name, input }) => ({
      type: 'function_call',
      call_id: id,
      name,
      arguments: JSON.stringify(input),
    }))
  }
  if (turn.role === 'results')
    return turn.results.map(({ id, text }) => ({ type: 'function_call_output', call_id: id, output: text }))
  const type = turn.role === 'assistant' ? 'output_text' : 'input_text'
  return [
    ...(turn.thinking === undefined
      ? []
      : [{ type: 'reasoning', summary: [{ type: 'summary_text', text: turn.thinking }], encrypted_content: 'ZW5j' }]),
    {
      role: turn.role,
      content: [
        ...(turn.image === undefined
          ? []
          : [{ type: 'input_image', image_url: `data:image/png;base64,${turn.image}` }]),
        { type, text: turn.text },
      ],
    },
  ]
}

function chatItems(turn: Turn): Record<string, unknown>[] {
  if (turn.role === 'calls') {
    const calls = turn.calls.map(({ id, name, input }) => ({
      id,
      type: 'function',
      function: { name, arguments: JSON.stringify(input) },
    }))
    return [{ role: 'assistant', content: null, tool_calls: calls }]
  }
  if (turn.role === 'results')
    return turn.results.map(({ id, text }) => ({ role: 'tool', tool_call_id: id, content: text }))
  if (turn.image !== undefined) {
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${turn.image}` } }
    return [{ role: turn.role, content: [image, { type: 'text', text: turn.text }] }]
  }
  return [
    {
      role: turn.role,
      content: turn.text,
      ...(turn.thinking === undefined ? {} : { reasoning_content: turn.thinking }),
    },
  ]
}

function geminiParts(turn: Turn): Record<string, unknown>[] {
  if (turn.role === 'calls') return turn.calls.map(({ name, input }) => ({ functionCall: { name, args: input } }))
  if (turn.role === 'results')
    return turn.results.map(({ name, text }) => ({ functionResponse: { name, response: { output: text } } }))
  return [
    ...(turn.thinking === undefined ? [] : [{ text: turn.thinking, thought: true }]),
    ...(turn.image === undefined ? [] : [{ inlineData: { mimeType: 'image/png', data: turn.image } }]),
    { text: turn.text },
  ]
}

/** The prefixes of the storm: each with a mark of its own at the beginning, so that no two share an entry, on five wire formats. */

export interface StormPrefix {
  /** What its body begins with; found in every call for it. */
  mark: string
  wire: Wire
  /** Body of `POST /warm`. */
  registration: Record<string, unknown>
  /** Bytes of the provider's body: no tokenizer counts more tokens. */
  bytes: number
}

export const WIRES = ['anthropic', 'responses', 'chat', 'gemini', 'bedrock'] as const

export type Wire = (typeof WIRES)[number]

/** Provider in the product, model, and the provider's name in the lab. */
export const PLACES: Record<Wire, { provider: string; model: string; lab: string }> = {
  anthropic: { provider: 'anthropic', model: 'claude-sonnet-4-5', lab: 'anthropic' },
  responses: { provider: 'openai', model: 'gpt-5.6-terra', lab: 'openai' },
  chat: { provider: 'openai-chat', model: 'gpt-4.1', lab: 'openai' },
  gemini: { provider: 'gemini', model: 'gemini-2.5-flash', lab: 'gemini' },
  bedrock: { provider: 'bedrock', model: 'anthropic.claude-sonnet-4-5-20250929-v1:0', lab: 'bedrock' },
}

export const LAB_PROVIDERS = Object.values(PLACES).map(({ provider }) => provider)

export const SENTENCE = 'The harbour master writes down every boat that leaves, and the tide at which it left. '

function textOf(mark: string): string {
  return `${mark} ${SENTENCE.repeat(120)}`
}

/** In the chat format, and in Gemini's, the end of a prefix is the end of its system part. */
const BODIES: Record<Wire, (text: string, model: string) => Record<string, unknown>> = {
  anthropic: (text, model) => ({
    model,
    max_tokens: 64,
    system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
    messages: [],
  }),
  responses: (text, model) => ({ model, store: false, instructions: text, input: [] }),
  chat: (text, model) => ({ model, messages: [{ role: 'system', content: text }] }),
  gemini: (text) => ({ systemInstruction: { parts: [{ text }] }, contents: [] }),
  bedrock: (text, model) => ({
    modelId: model,
    system: [{ text }, { cachePoint: { type: 'default' } }],
    messages: [],
  }),
}

/** The mark of a prefix, a managed cache, or a bot. */
export const MARK = /storm-(?:prefix-\d{5}|cache-\d{4}|bot-\d{4})/
/** The mark of a message to a bot. */
export const MESSAGE_MARK = /storm-bot-\d{4}-msg-\d{5}/g

/** The wire format of what has a mark is in its number; that of managed caches is one. */
export function wireOf(mark: string): Wire {
  if (mark.startsWith('storm-cache-')) return 'gemini'
  return WIRES[Number(/\d+/.exec(mark)?.[0] ?? 0) % WIRES.length] ?? 'anthropic'
}

/** The n-th prefix. */
export function stormPrefix(n: number): StormPrefix {
  const wire = WIRES[n % WIRES.length] ?? 'anthropic'
  const { provider, model } = PLACES[wire]
  const mark = `storm-prefix-${String(n).padStart(5, '0')}`
  const request = BODIES[wire](textOf(mark), model)
  return {
    mark,
    wire,
    bytes: JSON.stringify(request).length,
    registration: {
      name: mark,
      provider,
      ...(wire === 'gemini' ? { model } : {}),
      request,
      keep_warm: { plan: 'always' },
    },
  }
}

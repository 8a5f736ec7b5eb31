import type { Wire } from '../card.ts'

/** What holds of a provider that says nothing else: no controls, no key, and nothing to read outside of the answer. */
const PLAIN: Wire = {
  cap: 'max_tokens',
  controls: 'none',
  keyMember: null,
  keyHeader: null,
  compared: [],
  retentions: ['implicit'],
  markers: [],
  markedModels: [],
  uniqueTail: false,
  cachedHeader: null,
  version: '',
  advice: [],
  spentTokens: [],
  spentWords: [],
  keyWords: [],
  busyTokens: [],
}

/** A provider with OpenAI's shape and a cache that finds prefixes by itself. Cards spread it and name what differs. */
export const COMPATIBLE: Wire = PLAIN

/** OpenAI's own Chat Completions. */
export const OPENAI_CHAT: Wire = {
  ...PLAIN,
  cap: 'max_completion_tokens',
  controls: 'openai',
  keyMember: 'prompt_cache_key',
  retentions: ['in_memory', '24h', '30m'],
  markers: ['prompt_cache_breakpoint'],
}

/** OpenAI's own Responses. */
export const OPENAI_RESPONSES: Wire = { ...OPENAI_CHAT, retentions: ['in_memory', '24h', '30m', '12h'] }

export const ANTHROPIC: Wire = { ...PLAIN, retentions: ['5m', '1h'], markers: ['cache_control'] }

/** The Gemini API has its version in the path; Vertex has it in the address. */
export const GEMINI: Wire = { ...PLAIN, version: '/v1beta' }

export const BEDROCK: Wire = { ...PLAIN, retentions: ['5m', '1h'] }

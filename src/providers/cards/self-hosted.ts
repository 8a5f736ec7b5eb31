import { assumed, automatic, CHAT, facts } from './build.ts'
import type { Card } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

const ADMINISTRATORS = "The administrator's, by a Worker variable; https and a public host outside of development."

/** Entries end when their memory is needed, which depends on the load. */
const LRU = assumed('implicit', 10 * MINUTE_MS, 2 * MINUTE_MS, 24 * HOUR_MS)

const VLLM_DOCS = 'https://docs.vllm.ai/en/latest/features/automatic_prefix_caching.html'

export const vllm: Card = {
  ...CHAT,
  id: 'vllm',
  aliases: ['hosted_vllm'],
  name: 'vLLM',
  baseUrl: '{VLLM_BASE_URL}',
  secret: 'VLLM_API_KEY',
  wire: { keyMember: 'cache_salt' },
  models: [automatic(['*'], { retention: LRU, blockTokens: 16 }, VLLM_DOCS)],
  facts: facts(VLLM_DOCS, {
    mechanism: 'Automatic prefix cache, on by default, of hashed blocks.',
    granularity: 'Blocks of 16 tokens by default.',
    clock: 'None: the least recently used goes first.',
    affinity:
      'cache_salt in the body keeps tenants apart: probes send the same. A load balancer in front needs affinity of its own.',
    writes: 'Not reported; nothing is charged.',
    usage:
      'prompt_tokens_details.cached_tokens only where the server runs with --enable-prompt-tokens-details; without it the answer is unknown, not a miss.',
    limits: ADMINISTRATORS,
    errors: 'OpenAI shape, at the top in older releases; max_tokens 0 is refused.',
  }),
  source: VLLM_DOCS,
}

const SGLANG_DOCS = 'https://docs.sglang.ai/advanced_features/server_arguments.html'

export const sglang: Card = {
  ...vllm,
  id: 'sglang',
  aliases: [],
  name: 'SGLang',
  baseUrl: '{SGLANG_BASE_URL}',
  secret: 'SGLANG_API_KEY',
  wire: {},
  models: [automatic(['*'], { retention: LRU }, SGLANG_DOCS)],
  facts: facts(SGLANG_DOCS, {
    mechanism: 'Radix cache, on by default.',
    granularity: 'One token, or a page where pages are set.',
    clock: 'None: the least recently used goes first.',
    affinity: 'None to set; a load balancer in front needs affinity of its own.',
    writes: 'Not reported; nothing is charged.',
    usage:
      'prompt_tokens_details.cached_tokens only where the server runs with --enable-cache-report; without it the answer is unknown.',
    limits: ADMINISTRATORS,
    errors: '{object: "error", message, type, code} at the top.',
  }),
  source: SGLANG_DOCS,
}

const LLAMA_DOCS = 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md'

export const llamaCpp: Card = {
  ...vllm,
  id: 'llama-cpp',
  aliases: [],
  name: 'llama.cpp server',
  baseUrl: '{LLAMA_CPP_BASE_URL}',
  secret: 'LLAMA_CPP_API_KEY',
  // `id_slot` and `cache_prompt` are compared and sent as they are.
  wire: {},
  models: [automatic(['*'], { retention: LRU, blockTokens: 1 }, LLAMA_DOCS)],
  facts: facts(LLAMA_DOCS, {
    mechanism: 'Reuse of what a slot holds, and of prompts kept in memory.',
    granularity: 'One token.',
    clock: 'None: until another prompt takes the slot or the memory.',
    affinity: 'id_slot in the body pins a slot; probes send the same.',
    writes: 'Not reported; nothing is charged.',
    usage: 'timings.cache_n beside usage, where the usage has no cached count.',
    limits: ADMINISTRATORS,
    errors: '{error: {code, message, type}}: unavailable_error while a model loads.',
  }),
  source: LLAMA_DOCS,
}

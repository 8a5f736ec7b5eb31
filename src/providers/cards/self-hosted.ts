import { assumed, automatic, CHAT, facts } from './build.ts'
import type { Card } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

const ADMINISTRATORS = "The administrator's, by a Worker variable; https and a public host outside of development."

/** Entries end when their memory or their slot is needed, which depends on the load: no page states a time. */
const LRU = assumed('implicit', 10 * MINUTE_MS, 2 * MINUTE_MS, 24 * HOUR_MS)

/** Nobody bills the tokens of an engine of one's own. An administrator who wants to count its hours gives a price (`PATCH /providers/{id}`). */
const FREE = [{ input: 0, read: 0, output: 0, source: "the administrator's own engine: no tokens are billed" }]

/**
 * Time for one answer. Assumed: on small machines the first reading of a long prompt takes minutes, and calls wait for one another.
 * An engine ends a call whose caller has hung up, and the work is lost.
 */
const PATIENT = { answerTimeoutMs: 6 * MINUTE_MS }

const VLLM_DOCS = 'https://docs.vllm.ai/en/latest/features/automatic_prefix_caching.html'

export const vllm: Card = {
  ...CHAT,
  ...PATIENT,
  id: 'vllm',
  aliases: ['hosted_vllm'],
  name: 'vLLM',
  baseUrl: '{VLLM_BASE_URL}',
  secret: 'VLLM_API_KEY',
  labPath: '/vllm/v1',
  wire: { keyMember: 'cache_salt', lacks: ['thinking'] },
  models: [automatic(['*'], { retention: LRU, blockTokens: 16, rates: FREE, untilDisplaced: true }, VLLM_DOCS)],
  facts: facts(VLLM_DOCS, {
    mechanism: 'Automatic prefix cache, on by default, of hashed blocks.',
    granularity: 'Blocks of 16 tokens by default.',
    clock: 'None: the least recently used goes first.',
    affinity:
      'cache_salt in the body keeps tenants apart: probes send the same. A load balancer in front needs affinity of its own.',
    writes: 'Not reported; nothing is charged.',
    price: 'None: 0 unless the administrator gives one.',
    usage: {
      says: 'prompt_tokens_details.cached_tokens only where the server runs with --enable-prompt-tokens-details, and only in answers that read something: null is unknown, not a miss.',
      source: 'https://github.com/vllm-project/vllm (entrypoints/openai, chat completion serving)',
      checked: '2026-11-30',
    },
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
  labPath: '/sglang/v1',
  wire: { lacks: ['thinking'] },
  models: [automatic(['*'], { retention: LRU, rates: FREE, untilDisplaced: true }, SGLANG_DOCS)],
  facts: facts(SGLANG_DOCS, {
    mechanism: 'Radix cache, on by default.',
    granularity: 'One token, or a page where pages are set.',
    clock: 'None: the least recently used goes first.',
    affinity: 'None to set; a load balancer in front needs affinity of its own.',
    writes: 'Not reported; nothing is charged.',
    price: 'None: 0 unless the administrator gives one.',
    usage: {
      says: 'prompt_tokens_details.cached_tokens only where the server runs with --enable-cache-report, and in older releases only in answers that read something: null is unknown.',
      source: 'https://github.com/sgl-project/sglang/pull/28801',
      checked: '2026-11-30',
    },
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
  labPath: '/llama-cpp/v1',
  // `id_slot` and `cache_prompt` are compared and sent as they are.
  wire: { lacks: ['thinking'] },
  models: [automatic(['*'], { retention: LRU, blockTokens: 1, rates: FREE, untilDisplaced: true }, LLAMA_DOCS)],
  facts: facts(LLAMA_DOCS, {
    mechanism: 'Reuse of what a slot holds, and of prompts kept in memory.',
    granularity: 'One token.',
    clock: 'None: until another prompt takes the slot or the memory.',
    affinity: 'id_slot in the body pins a slot; probes send the same.',
    writes: 'Not reported; nothing is charged.',
    price: 'None: 0 unless the administrator gives one.',
    usage: {
      says: 'prompt_tokens includes prompt_tokens_details.cached_tokens, which timings.cache_n repeats. A prompt that is new reads what the chat template puts in front of all.',
      source: 'measured at llama-server 0.7.0 (Debian)',
      checked: '2026-11-30',
    },
    limits: ADMINISTRATORS,
    errors: {
      says: '{error: {code, message, type}}: unavailable_error while a model loads; exceed_context_size_error, a 400 with n_prompt_tokens and n_ctx, for a prompt longer than its slot.',
      source: 'measured at llama-server 0.7.0 (Debian)',
      checked: '2026-11-30',
    },
  }),
  source: LLAMA_DOCS,
}

const OLLAMA_DOCS = 'https://docs.ollama.com/faq'

/** A model that nobody asked for is unloaded after five minutes (`OLLAMA_KEEP_ALIVE`), and what it held is gone; before that, as above. */
const WHILE_LOADED = assumed('implicit', 5 * MINUTE_MS, 2 * MINUTE_MS, 24 * HOUR_MS)

export const ollama: Card = {
  ...vllm,
  id: 'ollama',
  aliases: [],
  name: 'Ollama',
  baseUrl: '{OLLAMA_BASE_URL}',
  secret: 'OLLAMA_API_KEY',
  // Its list of fields has neither `top_k`, `thinking` nor `parallel_tool_calls`, and marks `tool_choice` as missing. Source:
  // ollama/ollama, docs/api/openai-compatibility.mdx, and its issue 17921 (0.32.15 ignores `tool_choice`), checked 2026-11-30.
  wire: { lacks: ['top_k', 'thinking', 'tool_choice', 'parallel_tool_calls'] },
  models: [automatic(['*'], { retention: WHILE_LOADED, rates: FREE, untilDisplaced: true }, OLLAMA_DOCS)],
  facts: facts(OLLAMA_DOCS, {
    mechanism: 'Reuse of what a slot of the loaded model holds.',
    granularity: 'One token.',
    clock:
      'The model is unloaded five minutes after its last request (OLLAMA_KEEP_ALIVE); until then, when another prompt takes the slot.',
    affinity: 'None to set.',
    writes: 'Not reported; nothing is charged.',
    price: 'None: 0 unless the administrator gives one.',
    usage:
      'prompt_tokens_details.cached_tokens in releases since September 2026; older ones name none, and the answer is then unknown, not a miss.',
    limits: `${ADMINISTRATORS} A prompt beyond the context length (4,096 tokens on small machines) is cut, and then begins otherwise. Any key will do: it is ignored.`,
    errors: 'OpenAI shape.',
  }),
  source: OLLAMA_DOCS,
  checked: '2026-11-30',
}

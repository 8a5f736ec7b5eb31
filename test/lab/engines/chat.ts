/**
 * Chat Completions as llama.cpp's server, vLLM, SGLang and Ollama speak it. Sources, checked 2026-11-30: ggml-org/llama.cpp
 * tools/server/README.md; docs.vllm.ai serving/openai_compatible_server; docs.sglang.ai basic_usage/openai_api_completions;
 * docs.ollama.com/openai. The figures that it was compared with stand in README.md.
 */
import { bearerOf, isRefusedKey } from '../account.ts'
import { hashOf } from '../blocks.ts'
import { sse, textParts } from '../dialect.ts'
import type { Answer, Call, Dialect, Frame, Opened, World } from '../dialect.ts'
import { arrayAt, isObject, member, numberAt, parseJson, stringAt } from '../json.ts'
import type { JsonNode, JsonObject } from '../json.ts'
import { answerOllama, OLLAMA_CHAT } from './ollama.ts'
import type { Ask, EngineName, EngineSettings } from './engines.ts'
import { rendered } from './template.ts'
import { maxTokensOf, serve, truncated } from './serve.ts'
import type { Done } from './serve.ts'
import { engineRefusal, refuseEngine } from './wire.ts'

const CHAT = 'v1/chat/completions'

export function engineDialect(engine: EngineName): Dialect {
  return {
    provider: engine,
    open: (call) => open(engine, call),
    answer: (call, opened, world) =>
      call.path === OLLAMA_CHAT ? answerOllama(call, opened, world) : answerChat(engine, call, opened, world),
    refuse: (kind, options) => refuseEngine(engine, kind, options),
    streamError: () => sse({ error: { code: 500, message: 'The model stopped.', type: 'server_error' } }),
  }
}

/** Engines share their cache with whoever may ask: the account is the engine. */
function open(engine: EngineName, call: Call): Opened {
  if (isRefusedKey(bearerOf(call.headers))) throw engineRefusal(engine, 'unauthorized', 'Invalid API Key')
  const known = call.method === 'POST' && (call.path === CHAT || (engine === 'ollama' && call.path === OLLAMA_CHAT))
  if (!known) throw engineRefusal(engine, 'not_found', 'File Not Found')
  let body: JsonNode
  try {
    body = parseJson(call.bodyText)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw engineRefusal(engine, 'invalid', 'The body is not valid JSON')
  }
  if (!isObject(body)) throw engineRefusal(engine, 'invalid', 'The body must be an object')
  // llama.cpp serves one model, whatever the request calls it.
  const model = stringAt(body, 'model') ?? (engine === 'llama-cpp' ? 'default' : '')
  if (model === '') throw engineRefusal(engine, 'invalid', 'model: Field required')
  return { account: engine, model, body, operation: call.path }
}

function answerChat(engine: EngineName, call: Call, opened: Opened, world: World): Answer {
  const { body, model } = opened
  const settings = world.engines.settings(engine)
  const ask = checked(engine, body, settings)
  const done = serve(engine, model, body, ask, call, world)
  const usage = {
    prompt_tokens: ask.prompt.tokens,
    completion_tokens: done.outputTokens,
    total_tokens: ask.prompt.tokens + done.outputTokens,
    ...detailsOf(engine, done.readTokens, settings),
  }
  const timings = engine === 'llama-cpp' ? { timings: timingsOf(ask.prompt.tokens, done, settings) } : {}
  const head = {
    id: `chatcmpl-${hashOf(`${engine} ${call.seq}`)}`,
    created: Math.floor(call.at / 1000),
    model,
    ...(engine === 'llama-cpp' || engine === 'ollama' ? { system_fingerprint: `fp_${engine}` } : {}),
  }
  const message = {
    role: 'assistant',
    content: done.called.length > 0 ? null : done.text,
    ...(done.called.length > 0 ? { tool_calls: done.called } : {}),
  }
  const answer: Answer = {
    json: {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: done.finish }],
      usage,
      ...timings,
    },
    headers: { 'content-type': 'application/json' },
    begunAt: done.begunAt,
    endsAt: done.begunAt + world.writingMs(done.outputTokens),
    usage,
  }
  if (member(body, 'stream') === true) {
    const wantsUsage = member(member(body, 'stream_options'), 'include_usage') === true
    answer.frames = framesOf(head, done, wantsUsage ? usage : undefined, timings, world)
  }
  return answer
}

/** What each engine refuses of a request. Returns how to serve it. */
function checked(engine: EngineName, body: JsonObject, settings: EngineSettings): Ask {
  // llama.cpp's server takes an empty list.
  const none = engine === 'llama-cpp' ? !body.has('messages') : arrayAt(body, 'messages').length === 0
  if (none) throw engineRefusal(engine, 'invalid', "'messages' is required")
  const max = maxTokensOf(body)
  if (max !== undefined && max < 1 && engine !== 'llama-cpp') {
    throw engineRefusal(engine, 'invalid', `max_tokens must be at least 1, got ${max}.`)
  }
  const salt = member(body, 'cache_salt')
  if (engine === 'vllm' && salt !== undefined && salt !== null && (typeof salt !== 'string' || salt === '')) {
    throw engineRefusal(engine, 'invalid', 'Parameter cache_salt must be a non-empty string if provided.')
  }
  const slot = numberAt(body, 'id_slot')
  const prompt = rendered(body, settings.headTokens)
  const ask: Ask = {
    prompt: engine === 'ollama' ? truncated(body, settings) : prompt,
    ...(engine === 'vllm' && typeof salt === 'string' ? { salt } : {}),
    // A slot that there is not is no slot.
    ...(engine === 'llama-cpp' && slot !== undefined && slot >= 0 && slot < settings.slots ? { slot } : {}),
    ...(engine === 'llama-cpp' && member(body, 'cache_prompt') === false ? { reuse: false } : {}),
  }
  if (ask.prompt.tokens >= settings.contextTokens) throw tooLong(engine, ask.prompt.tokens, settings.contextTokens)
  return ask
}

function tooLong(engine: EngineName, tokens: number, contextTokens: number): Error {
  if (engine === 'llama-cpp') {
    const message = `request (${tokens} tokens) exceeds the available context size (${contextTokens} tokens), try increasing it`
    return engineRefusal(engine, 'too_long', message, { n_prompt_tokens: tokens, n_ctx: contextTokens })
  }
  return engineRefusal(
    engine,
    'too_long',
    `This model's maximum context length is ${contextTokens} tokens. However, your request has ${tokens} input tokens. Please reduce the length of the input messages.`,
  )
}

/**
 * vLLM and SGLang leave the details out of an answer that read nothing, also where they report what is read. Sources:
 * vllm-project/vllm entrypoints/openai/chat_completion/serving.py; sgl-project/sglang#28801; checked 2026-11-30.
 */
function detailsOf(engine: EngineName, readTokens: number, { reportsCached }: EngineSettings): object {
  if (engine === 'vllm' || engine === 'sglang') {
    return { prompt_tokens_details: reportsCached && readTokens > 0 ? { cached_tokens: readTokens } : null }
  }
  return reportsCached ? { prompt_tokens_details: { cached_tokens: readTokens } } : {}
}

function timingsOf(tokens: number, { readTokens, outputTokens }: Done, { readingMs }: EngineSettings): object {
  const fresh = tokens - readTokens
  return {
    cache_n: readTokens,
    prompt_n: fresh,
    prompt_ms: fresh * readingMs,
    prompt_per_token_ms: readingMs,
    prompt_per_second: 1000 / readingMs,
    predicted_n: outputTokens,
    predicted_ms: outputTokens * 10,
    predicted_per_token_ms: 10,
    predicted_per_second: 100,
  }
}

function framesOf(head: object, done: Done, usage: object | undefined, timings: object, world: World): Frame[] {
  const frames: Frame[] = []
  const send = (choices: object[], more: object, afterMs: number): void => {
    frames.push({ text: sse({ ...head, object: 'chat.completion.chunk', choices, ...more }), afterMs })
  }
  const choice = (delta: object, finish: string | null): object[] => [{ index: 0, delta, finish_reason: finish }]
  send(choice({ role: 'assistant', content: null }, null), {}, 0)
  done.called.forEach((one, index) => send(choice({ tool_calls: [{ index, ...one }] }, null), {}, 0))
  const parts = textParts(done.text)
  parts.forEach((content, i) => send(choice({ content }, null), {}, world.writingMs(i + 1)))
  const endMs = world.writingMs(parts.length)
  // The timings come with the last chunk that has choices, or with the usage.
  send(choice({}, done.finish), usage === undefined ? timings : {}, endMs)
  if (usage !== undefined) send([], { usage, ...timings }, endMs)
  frames.push({ text: 'data: [DONE]\n\n', afterMs: endMs })
  return frames
}

import { isObject, member, numberAt } from '../json.ts'
import type { Answer, Call, Opened, World } from '../dialect.ts'
import type { Ask } from './engines.ts'
import { serve, truncated } from './serve.ts'

export const OLLAMA_CHAT = 'api/chat'

/**
 * Ollama's own chat: `prompt_eval_count` includes what was read, `prompt_eval_cached_count` says how much that was. It streams
 * lines of JSON unless `stream` is false. `options.num_predict` is the output cap, `options.num_ctx` the context.
 * Source: docs.ollama.com/api; ollama/ollama api/types.go; checked 2026-11-30.
 */
export function answerOllama(call: Call, { body, model }: Opened, world: World): Answer {
  const settings = world.engines.settings('ollama')
  const options = member(body, 'options')
  const contextTokens = (isObject(options) ? numberAt(options, 'num_ctx') : undefined) ?? settings.contextTokens
  const ask: Ask = { prompt: truncated(body, { ...settings, contextTokens }) }
  const budget = isObject(options) ? numberAt(options, 'num_predict') : undefined
  const done = serve('ollama', model, body, ask, call, world, budget === undefined || budget < 0 ? Infinity : budget)
  const fresh = ask.prompt.tokens - done.readTokens
  const calls = done.called.map(({ function: { name, arguments: given } }) => ({
    function: { name, arguments: JSON.parse(given) as unknown },
  }))
  const usage = {
    prompt_eval_count: ask.prompt.tokens,
    ...(settings.reportsCached ? { prompt_eval_cached_count: done.readTokens } : {}),
    eval_count: done.outputTokens,
  }
  const json = {
    model,
    created_at: new Date(call.at).toISOString(),
    message: { role: 'assistant', content: done.text, ...(calls.length > 0 ? { tool_calls: calls } : {}) },
    done: true,
    done_reason: done.finish === 'length' ? 'length' : 'stop',
    ...usage,
    prompt_eval_duration: Math.round(fresh * settings.readingMs * 1e6),
    eval_duration: done.outputTokens * 10_000_000,
  }
  const answer: Answer = {
    json,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    begunAt: done.begunAt,
    endsAt: done.begunAt + world.writingMs(done.outputTokens),
    usage,
  }
  if (member(body, 'stream') !== false) {
    const { model: name, created_at } = json
    const first = { model: name, created_at, message: json.message, done: false }
    const last = { ...json, message: { role: 'assistant', content: '' } }
    answer.frames = [first, last].map((line) => ({ text: `${JSON.stringify(line)}\n`, afterMs: 0 }))
    answer.streamType = 'application/x-ndjson'
  }
  return answer
}

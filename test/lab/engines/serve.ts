import { hashOf } from '../blocks.ts'
import { tokensOf } from '../counting.ts'
import { answerText, cutTo } from '../dialect.ts'
import type { Call, World } from '../dialect.ts'
import { arrayAt, member, numberAt, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'
import { scripted, textOfLength } from '../script.ts'
import type { Ask, EngineName, EngineSettings } from './engines.ts'
import { rendered } from './template.ts'
import type { RenderedPrompt } from './template.ts'

/** Ollama drops the oldest messages behind the system prompt until the rest fits. Source: ollama/ollama server/prompt.go; checked 2026-11-30. */
export function truncated(body: JsonObject, { headTokens, contextTokens }: EngineSettings): RenderedPrompt {
  let messages = arrayAt(body, 'messages')
  for (;;) {
    const prompt = rendered(body, headTokens, messages)
    const next = messages.findIndex((message) => stringAt(message, 'role') !== 'system')
    if (prompt.tokens < contextTokens || next === -1 || next === messages.length - 1) return prompt
    messages = messages.filter((_, index) => index !== next)
  }
}

export function maxTokensOf(body: JsonObject): number | undefined {
  return numberAt(body, 'max_completion_tokens') ?? numberAt(body, 'max_tokens') ?? numberAt(body, 'n_predict')
}

type Called = { id: string; type: 'function'; function: { name: string; arguments: string } }

export type Done = {
  text: string
  called: Called[]
  finish: 'stop' | 'length' | 'tool_calls'
  outputTokens: number
  readTokens: number
  begunAt: number
}

/** Writes the answer, and leaves prompt and answer in the cache. */
export function serve(
  engine: EngineName,
  model: string,
  body: JsonObject,
  ask: Ask,
  call: Call,
  world: World,
  budget = maxTokensOf(body) ?? Infinity,
): Done {
  const { question, answers } = asked(body)
  const tools = arrayAt(body, 'tools').map((tool) => stringAt(member(tool, 'function'), 'name') ?? '')
  const { calls, words } = scripted(question, answers, tools, stringAt(body, 'tool_choice') === 'none')
  const called = calls.map(({ name, arguments: given }, n): Called => ({
    id: `call_lab_${call.seq}${n === 0 ? '' : `_${n}`}`,
    type: 'function',
    function: { name, arguments: given },
  }))
  const hash = hashOf(ask.prompt.text)
  const full = words === undefined ? answerText(hash) : textOfLength(words, answerText(hash))
  const text = called.length > 0 ? '' : budget === Infinity ? full : cutTo(full, budget)
  const written = text + called.map((one) => JSON.stringify(one.function)).join('')
  const kept = { ...ask, left: ask.prompt.text + written }
  const readTokens = world.faults.noWrite
    ? world.engines.readable(engine, model, ask, call.at)
    : world.engines.serve(engine, model, kept, call.at).readTokens
  const { readingMs } = world.engines.settings(engine)
  return {
    text,
    called,
    finish: called.length > 0 ? 'tool_calls' : text === full ? 'stop' : 'length',
    outputTokens: tokensOf(written),
    readTokens,
    begunAt: call.at + world.readingMs((ask.prompt.tokens - readTokens) * readingMs),
  }
}

function asked(body: JsonObject): { question: string; answers: number } {
  const messages = arrayAt(body, 'messages')
  const at = messages.findLastIndex((message) => stringAt(message, 'role') === 'user')
  const content = member(messages[at], 'content')
  const parts = Array.isArray(content) ? content.map((part) => stringAt(part, 'text') ?? '') : [content]
  const answers = messages.slice(at + 1).filter((message) => Array.isArray(member(message, 'tool_calls'))).length
  return { question: parts.map((part) => (typeof part === 'string' ? part : '')).join('\n'), answers }
}

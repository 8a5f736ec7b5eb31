/**
 * OpenAI's Chat Completions API. Sources, checked 2026-11-21: OpenAI docs api/reference/resources/chat; guides/prompt-caching;
 * npm openai 7.55.0, resources/chat/completions/completions.d.ts.
 */
import { tokensOf } from './counting.ts'
import { answerText, cutTo, sse, textParts } from './dialect.ts'
import type { Answer, Call, Frame, Opened, World } from './dialect.ts'
import { arrayAt, compact, member, numberAt, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { OpenAIModel } from './models.ts'
import { cacheAsk, cachePrompt, partsOf, roleOf } from './openai-prompt.ts'
import type { Cached, PromptItem } from './openai-prompt.ts'
import { checkForeignMarkers, openaiHeaders, openaiRefusal } from './openai-wire.ts'
import { scripted, textOfLength } from './script.ts'

/** Members of `ChatCompletionCreateParamsBase` in openai 7.55.0. */
const MEMBERS = new Set(
  (
    'messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens ' +
    'metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options ' +
    'prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream ' +
    'stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options'
  ).split(' '),
)
const REASONING_TOKENS = 24

export function answerChat(call: Call, opened: Opened, model: OpenAIModel, world: World): Answer {
  const { body } = opened
  checkChat(call, body, model)
  const ask = cacheAsk(call, body, model, 'chat')
  const prompt = {
    api: 'chat' as const,
    tools: [...arrayAt(body, 'tools'), ...arrayAt(body, 'functions')].map((tool) => compact(tool)),
    breakers: breakersOf(body, model),
    items: arrayAt(body, 'messages').map(itemOf),
  }
  const cached = cachePrompt(call, opened, prompt, ask, model, world)
  const budget = numberAt(body, 'max_completion_tokens') ?? numberAt(body, 'max_tokens') ?? Infinity
  const effort = effortOf(body, model)
  const reasons = model.reasoning && effort !== 'none' && effort !== 'minimal'
  const reasoning = reasons ? Math.min(REASONING_TOKENS, budget) : 0
  const tools = arrayAt(body, 'tools').map((tool) => stringAt(member(tool, 'function'), 'name') ?? '')
  const { question, answers } = asked(body)
  const { calls, words } = scripted(question, answers, tools, stringAt(body, 'tool_choice') === 'none')
  const full = words === undefined ? answerText(cached.hash) : textOfLength(words, answerText(cached.hash))
  const text = calls.length > 0 ? '' : budget === Infinity ? full : cutTo(full, budget - reasoning)
  const called = calls.map(({ name, arguments: given }, n) => ({
    id: `call_lab_${call.seq}${n === 0 ? '' : `_${n}`}`,
    type: 'function',
    function: { name, arguments: given },
  }))
  const outputTokens = tokensOf(text) + calls.reduce((sum, one) => sum + tokensOf(one.arguments), 0) + reasoning
  const usage = usageOf(cached, model, outputTokens, reasoning)
  const head = {
    id: `chatcmpl-lab-${String(call.seq).padStart(8, '0')}`,
    created: Math.floor(call.at / 1000),
    model: opened.model,
    service_tier: ask.tier,
    system_fingerprint: 'fp_lab',
  }
  const finish = calls.length > 0 ? 'tool_calls' : text === full ? 'stop' : 'length'
  const said = { role: 'assistant', content: calls.length > 0 ? null : text, refusal: null, annotations: [] }
  const message = calls.length > 0 ? { ...said, tool_calls: called } : said
  const answer: Answer = {
    json: {
      ...head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
      usage,
    },
    headers: openaiHeaders(call),
    begunAt: cached.begunAt,
    endsAt: cached.begunAt + world.writingMs(outputTokens),
    usage,
  }
  if (member(body, 'stream') === true) {
    const wantsUsage = member(member(body, 'stream_options'), 'include_usage') === true
    answer.frames = streamOf(head, text, called, finish, wantsUsage ? usage : undefined, world)
  }
  return answer
}

function checkChat(call: Call, body: JsonObject, model: OpenAIModel): void {
  for (const name of body.keys()) {
    if (MEMBERS.has(name) || model.permissive) continue
    throw openaiRefusal(call, 400, `Unknown parameter: '${name}'.`, { param: name, code: 'unknown_parameter' })
  }
  if (arrayAt(body, 'messages').length === 0) {
    const missing = !body.has('messages')
    throw openaiRefusal(
      call,
      400,
      missing
        ? "Missing required parameter: 'messages'."
        : "Invalid 'messages': empty array. Expected an array with minimum length 1.",
      { param: 'messages', code: missing ? 'missing_required_parameter' : 'empty_array' },
    )
  }
  checkForeignMarkers(call, body, 'messages')
  checkToolMessages(call, body)
  if (model.reasoning && body.has('max_tokens')) {
    throw openaiRefusal(
      call,
      400,
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      { param: 'max_tokens', code: 'unsupported_parameter' },
    )
  }
  for (const name of ['max_completion_tokens', 'max_tokens']) {
    const max = numberAt(body, name)
    if (max === undefined || max >= 1) continue
    throw openaiRefusal(
      call,
      400,
      `Invalid '${name}': integer below minimum value. Expected a value >= 1, but got ${max} instead.`,
      { param: name, code: 'integer_below_min_value' },
    )
  }
  for (const name of ['temperature', 'top_p', 'logprobs', 'top_logprobs']) {
    if (!model.refusesSampling || !body.has(name) || effortOf(body, model) === 'none') continue
    throw openaiRefusal(call, 400, `Unsupported parameter: '${name}' is not supported with this model.`, {
      param: name,
      code: 'unsupported_parameter',
    })
  }
}

/** The latest message of the user that does not follow a tool's, and how many messages with tool calls came since. */
function asked(body: JsonObject): { question: string; answers: number } {
  const messages = arrayAt(body, 'messages')
  const at = messages.findLastIndex(
    (message, i) => stringAt(message, 'role') === 'user' && stringAt(messages[i - 1], 'role') !== 'tool',
  )
  const question = partsOf(member(messages[at], 'content')).map((part) => part.text)
  const answers = messages.slice(at + 1).filter((message) => Array.isArray(member(message, 'tool_calls'))).length
  return { question: question.join('\n'), answers }
}

/** Each call is answered by the tool messages right behind it. Source: OpenAI docs, guides/function-calling; checked 2026-11-21. */
function checkToolMessages(call: Call, body: JsonObject): void {
  let open: string[] = []
  const refuse = (message: string): Error => openaiRefusal(call, 400, message, { param: 'messages' })
  for (const message of [...arrayAt(body, 'messages'), new Map()]) {
    const id = stringAt(message, 'tool_call_id')
    if (stringAt(message, 'role') === 'tool') {
      if (id === undefined || !open.includes(id)) {
        throw refuse("messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
      }
      open = open.filter((other) => other !== id)
      continue
    }
    if (open.length > 0) {
      throw refuse(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
      )
    }
    open = arrayAt(message, 'tool_calls').map((one) => stringAt(one, 'id') ?? '')
  }
}

function itemOf(message: JsonNode): PromptItem {
  const role = roleOf(stringAt(message, 'role'))
  const parts = partsOf(member(message, 'content'))
  const calls = member(message, 'tool_calls')
  if (calls !== undefined) parts.push({ text: compact(calls), breakpointTtl: undefined })
  const id = stringAt(message, 'tool_call_id')
  if (id !== undefined) parts.unshift({ text: id, breakpointTtl: undefined })
  return { role, parts }
}

function effortOf(body: JsonObject, model: OpenAIModel): string {
  return stringAt(body, 'reasoning_effort') ?? model.effort
}

function breakersOf(body: JsonObject, model: OpenAIModel): string {
  const format = member(body, 'response_format')
  const plain = format === undefined || format === null || stringAt(format, 'type') === 'text'
  return [
    `parallel:${String(member(body, 'parallel_tool_calls') !== false)}`,
    `format:${plain ? 'text' : compact(format)}`,
    `effort:${effortOf(body, model)}`,
    `verbosity:${stringAt(body, 'verbosity') ?? 'medium'}`,
  ].join(' ')
}

function usageOf(cached: Cached, model: OpenAIModel, outputTokens: number, reasoning: number): object {
  return {
    prompt_tokens: cached.totalTokens,
    completion_tokens: outputTokens,
    total_tokens: cached.totalTokens + outputTokens,
    prompt_tokens_details: {
      cached_tokens: cached.cachedTokens,
      audio_tokens: 0,
      ...(model.regime === 'breakpoints' ? { cache_write_tokens: cached.writeTokens } : {}),
    },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

function choice(delta: object, finishReason: string | null): object[] {
  return [{ index: 0, delta, logprobs: null, finish_reason: finishReason }]
}

/** Chunks; usage comes last, without choices, and only when it was asked for. Source: OpenAI docs, chat streaming; checked 2026-11-21. */
function streamOf(
  head: object,
  text: string,
  called: readonly { function: { arguments: string } }[],
  finish: string,
  usage: object | undefined,
  world: World,
): Frame[] {
  const frames: Frame[] = []
  const send = (choices: object[], last: object | null, afterMs: number): void => {
    const chunk = { ...head, object: 'chat.completion.chunk', choices, ...(usage === undefined ? {} : { usage: last }) }
    frames.push({ text: sse(chunk), afterMs })
  }
  send(choice({ role: 'assistant', content: '', refusal: null }, null), null, 0)
  let endMs = 0
  called.forEach((one, index) => {
    const first = { index, ...one, function: { ...one.function, arguments: '' } }
    send(choice({ tool_calls: [first] }, null), null, 0)
    for (const part of textParts(one.function.arguments)) {
      send(choice({ tool_calls: [{ index, function: { arguments: part } }] }, null), null, 0)
    }
  })
  textParts(text).forEach((content, i) => {
    endMs = world.writingMs(i + 1)
    send(choice({ content }, null), null, endMs)
  })
  send(choice({}, finish), null, endMs)
  if (usage !== undefined) send([], usage, endMs)
  frames.push({ text: 'data: [DONE]\n\n', afterMs: endMs })
  return frames
}

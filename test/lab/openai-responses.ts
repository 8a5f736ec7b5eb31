/**
 * OpenAI's Responses API. Sources, checked 2026-11-21: OpenAI docs api/reference/resources/responses and its streaming events;
 * guides/prompt-caching; npm openai 7.55.0, resources/responses/responses.d.ts.
 */
import { tokensOf } from './counting.ts'
import { openaiDiagnostics } from './diagnostics.ts'
import { sse, textParts } from './dialect.ts'
import type { Answer, Call, Frame, Opened, World } from './dialect.ts'
import { arrayAt, compact, member, numberAt, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import type { OpenAIModel } from './models.ts'
import { cacheAsk, cachePrompt, partsOf, roleOf } from './openai-prompt.ts'
import type { Cached, PromptItem } from './openai-prompt.ts'
import { checkForeignMarkers, openaiHeaders, openaiRefusal } from './openai-wire.ts'
import { effortOf, write } from './openai-responses-reply.ts'
import type { Reply } from './openai-responses-reply.ts'

/** Members of `ResponseCreateParamsBase` in openai 7.55.0. */
const MEMBERS = new Set(
  (
    'access_programs background context_management conversation image include input instructions max_output_tokens ' +
    'max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key ' +
    'prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options ' +
    'temperature text tool_choice tools top_logprobs top_p truncation user generate'
  ).split(' '),
)

export function answerResponses(call: Call, opened: Opened, model: OpenAIModel, world: World): Answer {
  const { body } = opened
  checkResponses(call, body, model)
  const ask = cacheAsk(call, body, model, 'responses')
  const items = inputItems(body)
  const prewarm = isPrewarm(call, body, items)
  const prompt = {
    api: 'responses' as const,
    tools: arrayAt(body, 'tools').map((tool) => compact(tool)),
    breakers: breakersOf(body, model),
    items,
  }
  const cached = cachePrompt(call, opened, prompt, ask, model, world)
  const reply = prewarm ? { text: '', reasoning: 0, whole: true, calls: [] } : write(body, model, cached.hash)
  const called = reply.calls.reduce((sum, one) => sum + tokensOf(one.arguments), 0)
  const outputTokens = tokensOf(reply.text) + called + reply.reasoning
  const usage = usageOf(cached, model, outputTokens, reply.reasoning)
  const id = `resp_lab_${String(call.seq).padStart(8, '0')}`
  const told = openaiDiagnostics(call, body, opened.account, {
    id,
    isWhole: reply.whole,
    cached: cached.cachedTokens,
    total: cached.totalTokens,
    prints: world.prints,
  })
  const output = prewarm ? [] : outputOf(call, reply)
  const response = {
    id,
    object: 'response',
    created_at: Math.floor(call.at / 1000),
    status: reply.whole ? 'completed' : 'incomplete',
    background: false,
    completed_at: Math.floor((cached.begunAt + world.writingMs(outputTokens)) / 1000),
    error: null,
    incomplete_details: reply.whole ? null : { reason: 'max_output_tokens' },
    instructions: member(body, 'instructions') ?? null,
    max_output_tokens: numberAt(body, 'max_output_tokens') ?? null,
    model: opened.model,
    output,
    parallel_tool_calls: member(body, 'parallel_tool_calls') !== false,
    previous_response_id: null,
    prompt_cache_key: ask.key === '' ? null : ask.key,
    ...(model.regime === 'breakpoints' ? { prompt_cache_options: { mode: ask.mode, ttl: ask.ttl } } : {}),
    ...(told === undefined ? {} : { prompt_cache_diagnostics: told }),
    prompt_cache_retention: ask.retention ?? null,
    reasoning: { effort: effortOf(body, model), summary: null },
    service_tier: ask.tier,
    store: member(body, 'store') !== false,
    temperature: numberAt(body, 'temperature') ?? 1,
    text: { format: { type: 'text' }, verbosity: stringAt(member(body, 'text'), 'verbosity') ?? 'medium' },
    tool_choice: 'auto',
    tools: [],
    top_p: numberAt(body, 'top_p') ?? 1,
    truncation: 'disabled',
    usage,
    metadata: {},
  }
  const answer: Answer = {
    json: response,
    headers: openaiHeaders(call),
    begunAt: cached.begunAt,
    endsAt: cached.begunAt + world.writingMs(outputTokens),
    usage,
  }
  if (member(body, 'stream') === true) answer.frames = streamOf(response, reply.text, world)
  return answer
}

function checkResponses(call: Call, body: JsonObject, model: OpenAIModel): void {
  if (!model.permissive) {
    for (const name of body.keys()) {
      if (MEMBERS.has(name)) continue
      throw openaiRefusal(call, 400, `Unknown parameter: '${name}'.`, { param: name, code: 'unknown_parameter' })
    }
  }
  checkForeignMarkers(call, body, 'input')
  const max = numberAt(body, 'max_output_tokens')
  // Source: OpenAI docs, api/reference/resources/responses, max_output_tokens; checked 2026-11-21.
  if (max !== undefined && max < 16) {
    throw openaiRefusal(
      call,
      400,
      `Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got ${max} instead.`,
      { param: 'max_output_tokens', code: 'integer_below_min_value' },
    )
  }
  for (const name of ['temperature', 'top_p', 'top_logprobs']) {
    if (!model.refusesSampling || !body.has(name) || effortOf(body, model) === 'none') continue
    throw openaiRefusal(call, 400, `Unsupported parameter: '${name}' is not supported with this model.`, {
      param: name,
      code: 'unsupported_parameter',
    })
  }
  if (typeof member(body, 'previous_response_id') === 'string') {
    throw openaiRefusal(call, 400, 'Previous response not found.', {
      param: 'previous_response_id',
      code: 'previous_response_not_found',
    })
  }
  // Source: OpenAI docs, guides/function-calling; checked 2026-11-21.
  const ids = (type: string): string[] =>
    arrayAt(body, 'input').flatMap((item) => (stringAt(item, 'type') === type ? [stringAt(item, 'call_id') ?? ''] : []))
  const [calls, outputs] = [ids('function_call'), ids('function_call_output')]
  const unanswered = calls.find((id) => !outputs.includes(id))
  const stray = outputs.find((id) => !calls.includes(id))
  if (unanswered === undefined && stray === undefined) return
  const what =
    unanswered === undefined
      ? `No tool call found for function call output with call_id ${stray ?? ''}.`
      : `No tool output found for function call ${unanswered}.`
  throw openaiRefusal(call, 400, what, { param: 'input' })
}

/** The instructions are rendered as the first developer message. */
export function inputItems(body: JsonObject): PromptItem[] {
  const items: PromptItem[] = []
  const instructions = stringAt(body, 'instructions')
  if (instructions !== undefined)
    items.push({ role: 'developer', parts: [{ text: instructions, breakpointTtl: undefined }] })
  const input = member(body, 'input')
  if (typeof input === 'string') items.push({ role: 'user', parts: [{ text: input, breakpointTtl: undefined }] })
  for (const item of arrayAt(body, 'input')) items.push(itemOf(item))
  return items
}

function itemOf(item: JsonNode): PromptItem {
  const type = stringAt(item, 'type') ?? 'message'
  if (type === 'message') return { role: roleOf(stringAt(item, 'role')), parts: partsOf(member(item, 'content')) }
  if (!type.endsWith('_output')) return { role: 'other', parts: [{ text: compact(item), breakpointTtl: undefined }] }
  // The output of a tool may be a list of content blocks with breakpoints of their own.
  const output = member(item, 'output')
  const head = { text: `${type} ${stringAt(item, 'call_id') ?? ''}`, breakpointTtl: undefined }
  const parts = Array.isArray(output) ? partsOf(output) : [{ text: compact(output ?? null), breakpointTtl: undefined }]
  return { role: 'tool', parts: [head, ...parts] }
}

/** A request that only fills the cache holds nothing but instructions and developer messages. Source: guides/prompt-caching; checked 2026-11-21. */
function isPrewarm(call: Call, body: JsonObject, items: readonly PromptItem[]): boolean {
  const prewarm = member(member(body, 'prompt_cache_options'), 'prewarm') === true
  if (prewarm && items.some((item) => item.role !== 'developer')) {
    throw openaiRefusal(
      call,
      400,
      "Invalid 'input': 'prompt_cache_options.prewarm' takes only developer and system messages.",
      {
        param: 'input',
        code: 'invalid_value',
      },
    )
  }
  const empty = items.length === 0 || (!prewarm && !body.has('input') && !body.has('prompt'))
  if (empty) {
    throw openaiRefusal(call, 400, "Missing required parameter: 'input'.", {
      param: 'input',
      code: 'missing_required_parameter',
    })
  }
  return prewarm
}

/** What breaks the prefix besides its text. tool_choice does not. Source: guides/prompt-caching; checked 2026-11-21. */
function breakersOf(body: JsonObject, model: OpenAIModel): string {
  const text = member(body, 'text')
  const format = member(text, 'format')
  const plain = format === undefined || format === null || stringAt(format, 'type') === 'text'
  return [
    `parallel:${String(member(body, 'parallel_tool_calls') !== false)}`,
    `format:${plain ? 'text' : compact(format)}`,
    `effort:${effortOf(body, model)}`,
    `verbosity:${stringAt(text, 'verbosity') ?? 'medium'}`,
    `compaction:${compact(member(body, 'context_management') ?? null)}`,
  ].join(' ')
}

function usageOf(cached: Cached, model: OpenAIModel, outputTokens: number, reasoning: number): object {
  const written = {
    cache_write_tokens: cached.writeTokens,
    cache_write_tokens_details: {
      ttl_30m_tokens: cached.writeTokens - cached.write12hTokens,
      ttl_12h_tokens: cached.write12hTokens,
    },
  }
  return {
    input_tokens: cached.totalTokens,
    input_tokens_details: {
      cached_tokens: cached.cachedTokens,
      // Earlier models have no write fee and report no writes.
      ...(model.regime === 'breakpoints' ? written : {}),
    },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: cached.totalTokens + outputTokens,
  }
}

type TextPart = { type: 'output_text'; text: string; annotations: []; logprobs: [] }
type OutputItem =
  | { id: string; type: 'function_call'; status: string; call_id: string; name: string; arguments: string }
  | { id: string; type: 'reasoning'; summary: [] }
  | { id: string; type: 'message'; status: string; role: 'assistant'; content: TextPart[] }

function outputOf(call: Call, reply: Reply): OutputItem[] {
  const items: OutputItem[] = []
  if (reply.reasoning > 0) items.push({ id: `rs_lab_${call.seq}`, type: 'reasoning', summary: [] })
  reply.calls.forEach((one, n) => {
    const id = `${call.seq}${n === 0 ? '' : `_${n}`}`
    items.push({ id: `fc_lab_${id}`, type: 'function_call', status: 'completed', call_id: `call_lab_${id}`, ...one })
  })
  if (reply.text !== '') {
    items.push({
      id: `msg_lab_${call.seq}`,
      type: 'message',
      status: reply.whole ? 'completed' : 'incomplete',
      role: 'assistant',
      content: [{ type: 'output_text', text: reply.text, annotations: [], logprobs: [] }],
    })
  }
  return items
}

type Streamed = { status: string; output: OutputItem[]; usage: unknown; prompt_cache_diagnostics?: object }

/** The event sequence of a streamed response. Source: OpenAI docs, responses streaming events; checked 2026-11-21. */
function streamOf(response: Streamed, text: string, world: World): Frame[] {
  const frames: Frame[] = []
  const send = (type: string, fields: object, afterMs: number): void => {
    frames.push({ text: sse({ type, ...fields, sequence_number: frames.length }, type), afterMs })
  }
  // Diagnostics are told with the whole response.
  const { prompt_cache_diagnostics: _, ...rest } = response
  const begun = { ...rest, status: 'in_progress', output: [], usage: null }
  send('response.created', { response: begun }, 0)
  send('response.in_progress', { response: begun }, 0)
  let endMs = 0
  response.output.forEach((item, index) => {
    const place = { output_index: index }
    if (item.type === 'function_call') {
      const at = { item_id: item.id, ...place }
      send('response.output_item.added', { ...place, item: { ...item, status: 'in_progress', arguments: '' } }, 0)
      for (const delta of textParts(item.arguments)) send('response.function_call_arguments.delta', { ...at, delta }, 0)
      send('response.function_call_arguments.done', { ...at, name: item.name, arguments: item.arguments }, 0)
      send('response.output_item.done', { ...place, item }, 0)
      return
    }
    if (item.type !== 'message') {
      send('response.output_item.added', { ...place, item }, 0)
      send('response.output_item.done', { ...place, item }, 0)
      return
    }
    const at = { item_id: item.id, ...place, content_index: 0 }
    const part = item.content[0]
    send('response.output_item.added', { ...place, item: { ...item, status: 'in_progress', content: [] } }, 0)
    send('response.content_part.added', { ...at, part: { ...part, text: '' } }, 0)
    textParts(text).forEach((delta, i) => {
      endMs = world.writingMs(i + 1)
      send('response.output_text.delta', { ...at, delta, logprobs: [] }, endMs)
    })
    send('response.output_text.done', { ...at, text, logprobs: [] }, endMs)
    send('response.content_part.done', { ...at, part }, endMs)
    send('response.output_item.done', { ...place, item }, endMs)
  })
  send(response.status === 'completed' ? 'response.completed' : 'response.incomplete', { response }, endMs)
  return frames
}

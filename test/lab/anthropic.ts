/**
 * Anthropic's Messages API. Sources, checked 2026-11-21: Anthropic docs build-with-claude/prompt-caching, api/errors,
 * api/rate-limits, api/streaming; npm @anthropic-ai/sdk 1.11.0, resources/messages/messages.d.ts.
 */
import { accountOf, bearerOf, isRefusedKey } from './account.ts'
import { anthropicPrompt } from './anthropic-prompt.ts'
import { checkAnthropic } from './anthropic-rules.ts'
import { checkCount, countAnthropic } from './anthropic-count.ts'
import { tokensOf } from './counting.ts'
import { anthropicDiagnostics } from './diagnostics.ts'
import { answerText, cutTo, sse, textParts } from './dialect.ts'
import type { Answer, Call, Dialect, Frame, Opened, Refusal, RefusalKind, World } from './dialect.ts'
import { arrayAt, isObject, member, numberAt, parseJson, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import { anthropicModel } from './models.ts'
import { scripted, textOfLength } from './script.ts'
import { anthropicRefusal, COUNT_TOKENS_ONLY, isoSeconds, requestId } from './anthropic-wire.ts'
import { HOUR_MS } from './time.ts'

export const anthropic: Dialect = {
  provider: 'anthropic',

  open(call: Call): Opened {
    const key = call.headers.get('x-api-key') ?? bearerOf(call.headers)
    if (key === '') throw anthropicRefusal(call, 401, 'authentication_error', 'x-api-key header is required')
    if (isRefusedKey(key)) throw anthropicRefusal(call, 401, 'authentication_error', 'invalid x-api-key')
    const known = call.path === 'v1/messages' || call.path === COUNT_TOKENS_ONLY
    if (!known) throw anthropicRefusal(call, 404, 'not_found_error', 'Not found')
    if (call.method !== 'POST') throw anthropicRefusal(call, 405, 'invalid_request_error', 'Method Not Allowed')
    if (!call.headers.has('anthropic-version')) {
      throw anthropicRefusal(call, 400, 'invalid_request_error', 'anthropic-version: header is required')
    }
    let body: JsonNode
    try {
      body = parseJson(call.bodyText)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      throw anthropicRefusal(call, 400, 'invalid_request_error', 'The request body is not valid JSON')
    }
    if (!isObject(body))
      throw anthropicRefusal(call, 400, 'invalid_request_error', 'Input should be a valid dictionary')
    const model = stringAt(body, 'model')
    if (model === undefined) throw anthropicRefusal(call, 400, 'invalid_request_error', 'model: Field required')
    if (anthropicModel(model) === undefined) throw anthropicRefusal(call, 404, 'not_found_error', `model: ${model}`)
    return { account: accountOf(key), model, body, operation: call.path }
  },

  answer(call: Call, { account, model: modelId, body }: Opened, world: World): Answer {
    const model = anthropicModel(modelId)
    if (model === undefined) throw anthropicRefusal(call, 404, 'not_found_error', `model: ${modelId}`)
    const isCount = call.path === COUNT_TOKENS_ONLY
    const reason = isCount ? checkCount(body, model) : checkAnthropic(body, model)
    if (reason !== undefined) throw anthropicRefusal(call, 400, 'invalid_request_error', reason)
    if (isCount) return countAnthropic(call, body, model, requestId(call))

    const prompt = anthropicPrompt(body, model)
    const points = world.faults.downgrade
      ? prompt.points.map((point) => ({ ...point, ttlMs: Math.min(point.ttlMs, 300_000) }))
      : prompt.points
    const result = world.cache.request({
      now: call.at,
      begunAt: (read) => call.at + world.firstTokenMs(read, prompt.totalTokens),
      partition: `anthropic/${model.id}/${account}/`,
      points,
      minTokens: model.minTokens,
      write: !world.faults.noWrite,
    })

    const maxTokens = numberAt(body, 'max_tokens') ?? 0
    const content = maxTokens === 0 ? [] : written(call, body, prompt.hash, maxTokens)
    const calls = content.some(({ type }) => type === 'tool_use')
    const outputTokens = content.reduce(
      (sum, block) => sum + tokensOf(block.type === 'text' ? block.text : JSON.stringify(block.input)),
      0,
    )
    const whole = content.every((block) => block.type === 'tool_use' || block.whole)
    const asHour = world.faults.hidden ? (prompt.points.findLast((point) => point.mark)?.ttlMs ?? 0) === HOUR_MS : false
    const written1h = asHour ? result.writeTokens : (result.writeByTtl[HOUR_MS] ?? 0)
    const usage = {
      input_tokens: prompt.totalTokens - result.readTokens - result.writeTokens,
      cache_creation_input_tokens: result.writeTokens,
      cache_read_input_tokens: result.readTokens,
      cache_creation: {
        ephemeral_5m_input_tokens: result.writeTokens - written1h,
        ephemeral_1h_input_tokens: written1h,
      },
      output_tokens: outputTokens,
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: 'standard',
      inference_geo: 'not_available',
      speed: stringAt(body, 'speed') ?? 'standard',
    }
    const id = `msg_lab_${String(call.seq).padStart(8, '0')}`
    const message = {
      id,
      type: 'message',
      role: 'assistant',
      model: modelId,
      content: content.map(shown),
      container: null,
      diagnostics: anthropicDiagnostics(call, body, account, { id, tokens: prompt.totalTokens, prints: world.prints }),
      stop_reason: maxTokens === 0 || !whole ? 'max_tokens' : calls ? 'tool_use' : 'end_turn',
      stop_sequence: null,
      stop_details: null,
      usage,
    }
    const answer: Answer = {
      json: message,
      headers: { 'content-type': 'application/json', ...limitHeaders(call), 'request-id': requestId(call) },
      begunAt: result.begunAt,
      endsAt: result.begunAt + world.writingMs(outputTokens),
      usage,
    }
    if (member(body, 'stream') === true) answer.frames = streamOf(message, content, world)
    return answer
  },

  refuse(kind: RefusalKind, options, call: Call): Refusal {
    const seconds = String(Math.ceil(options.retryAfterMs / 1000))
    switch (kind) {
      case 'rate_limited':
        return anthropicRefusal(
          call,
          429,
          'rate_limit_error',
          'This request would exceed the rate limit for your organization of input tokens per minute.',
          {
            ...limitHeaders(call, 0, options.retryAfterMs),
            'retry-after': seconds,
            'retry-after-ms': String(Math.ceil(options.retryAfterMs)),
            'x-should-retry': 'true',
          },
        )
      case 'insufficient_quota':
        return anthropicRefusal(
          call,
          400,
          'invalid_request_error',
          'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
          { 'x-should-retry': 'false' },
        )
      case 'overloaded':
        return anthropicRefusal(call, options.status ?? 529, 'overloaded_error', 'Overloaded', {
          'x-should-retry': 'true',
        })
      case 'server_error':
        return anthropicRefusal(call, options.status ?? 500, 'api_error', 'Internal server error', {
          'x-should-retry': 'true',
        })
      case 'geo_refusal':
        return anthropicRefusal(call, 403, 'forbidden', 'Request not allowed', { 'x-should-retry': 'false' })
    }
  },

  streamError(call: Call): string {
    return sse(
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: requestId(call) },
      'error',
    )
  },
}

type Written =
  | { type: 'text'; text: string; whole: boolean }
  | { type: 'tool_use'; id: string; name: string; input: unknown }

/** A forced tool is used; otherwise what the user's script says, or a short text. */
function written(call: Call, body: JsonObject, hash: string, maxTokens: number): Written[] {
  const tools = arrayAt(body, 'tools').map((tool) => stringAt(tool, 'name') ?? '')
  const choice = member(body, 'tool_choice')
  const type = stringAt(choice, 'type')
  const forced = type === 'tool' ? stringAt(choice, 'name') : type === 'any' ? tools[0] : undefined
  const use = (name: string, given: string, n: number): Written => {
    return {
      type: 'tool_use',
      id: `toolu_lab_${call.seq}${n === 0 ? '' : `_${n}`}`,
      name,
      input: JSON.parse(given) as unknown,
    }
  }
  if (forced !== undefined) return [use(forced, '{}', 0)]
  const { question, answers } = asked(body)
  const { calls, words } = scripted(question, answers, tools, type === 'none')
  if (calls.length > 0) return calls.map(({ name, arguments: given }, n) => use(name, given, n))
  const full = words === undefined ? answerText(hash) : textOfLength(words, answerText(hash))
  const text = cutTo(full, maxTokens)
  return [{ type: 'text', text, whole: text === full }]
}

/** The latest message of the user that brings no results, and how many answers with tool calls came since. */
function asked(body: JsonObject): { question: string; answers: number } {
  const messages = arrayAt(body, 'messages').map((message) => {
    const content = member(message, 'content')
    const blocks = Array.isArray(content) ? content : []
    const text = typeof content === 'string' ? content : blocks.map((block) => stringAt(block, 'text') ?? '').join('\n')
    return { role: stringAt(message, 'role'), text, types: blocks.map((block) => stringAt(block, 'type')) }
  })
  const at = messages.findLastIndex(({ role, types }) => role === 'user' && !types.includes('tool_result'))
  const answers = messages.slice(at + 1).filter(({ types }) => types.includes('tool_use')).length
  return { question: messages[at]?.text ?? '', answers }
}

function shown(block: Written): object {
  return block.type === 'text' ? { type: 'text', text: block.text, citations: null } : block
}

/** Token counts are rounded to thousands, reset times are RFC 3339. Source: Anthropic docs, api/rate-limits; checked 2026-11-21. */
function limitHeaders(call: Call, remaining = 1, resetMs = 1000): Record<string, string> {
  const reset = isoSeconds(call.at + resetMs)
  const headers: Record<string, string> = {}
  for (const [name, limit] of [
    ['requests', 4000],
    ['tokens', 2_400_000],
    ['input-tokens', 2_000_000],
    ['output-tokens', 400_000],
  ] as const) {
    headers[`anthropic-ratelimit-${name}-limit`] = String(limit)
    headers[`anthropic-ratelimit-${name}-remaining`] = String(
      remaining === 0 ? 0 : limit - (name === 'requests' ? 1 : 1000),
    )
    headers[`anthropic-ratelimit-${name}-reset`] = reset
  }
  return headers
}

type Message = { stop_reason: string; stop_sequence: null; usage: { output_tokens: number } }

/** The event sequence of a streamed message. Source: Anthropic docs, api/streaming; checked 2026-11-21. */
function streamOf(message: Message, content: readonly Written[], world: World): Frame[] {
  const { usage } = message
  const frames: Frame[] = []
  const send = (event: { type: string }, afterMs: number): void => {
    frames.push({ text: sse(event, event.type), afterMs })
  }
  const start = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } }
  send({ type: 'message_start', message: start } as { type: string }, 0)
  let deltas = 0
  content.forEach((block, index) => {
    const opened = block.type === 'text' ? { type: 'text', text: '', citations: null } : { ...block, input: {} }
    send({ type: 'content_block_start', index, content_block: opened } as { type: string }, world.writingMs(deltas))
    if (index === 0) send({ type: 'ping' }, 0)
    const parts =
      block.type === 'text'
        ? textParts(block.text).map((part) => ({ type: 'text_delta', text: part }))
        : textParts(JSON.stringify(block.input)).map((part) => ({ type: 'input_json_delta', partial_json: part }))
    for (const delta of parts) {
      deltas += 1
      send({ type: 'content_block_delta', index, delta } as { type: string }, world.writingMs(deltas))
    }
    send({ type: 'content_block_stop', index } as { type: string }, world.writingMs(deltas))
  })
  const endMs = world.writingMs(usage.output_tokens)
  const delta = { stop_reason: message.stop_reason, stop_sequence: null, stop_details: null, container: null }
  send({ type: 'message_delta', delta, usage } as { type: string }, endMs)
  send({ type: 'message_stop' }, endMs)
  return frames
}

/**
 * Amazon Bedrock's Converse with an API key. Sources, checked 2026-11-30: AWS docs, bedrock/latest/userguide (prompt-caching,
 * api-keys, conversation-inference); npm @aws-sdk/client-bedrock-runtime 3.1162.0.
 */
import { accountOf, bearerOf, isRefusedKey } from './account.ts'
import { tokensOf } from './counting.ts'
import { countBedrock, countedConverse } from './bedrock-count.ts'
import { bedrockModel } from './bedrock-models.ts'
import { bedrockPrompt } from './bedrock-prompt.ts'
import { checkBedrock } from './bedrock-rules.ts'
import { answerText, cutTo, Refusal } from './dialect.ts'
import type { Answer, Call, Dialect, Opened, RefusalKind, World } from './dialect.ts'
import { arrayAt, isObject, member, numberAt, parseJson, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import { scripted, textOfLength } from './script.ts'
import { HOUR_MS } from './time.ts'

/** Its name stands in a header, and the body has the message alone. */
function refusal(status: number, name: string, message: string): Refusal {
  return new Refusal(
    status,
    { message },
    { 'x-amzn-errortype': `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
  )
}

export const bedrock: Dialect = {
  provider: 'bedrock',

  open(call: Call): Opened {
    const key = bearerOf(call.headers)
    if (key === '' || isRefusedKey(key)) {
      throw refusal(403, 'AccessDeniedException', 'Authentication failed: Please make sure your API Key is valid.')
    }
    const [, encoded = '', operation = ''] = /^model\/([^/]+)\/([\w-]+)$/.exec(call.path) ?? []
    if (call.method !== 'POST' || (operation !== 'converse' && operation !== 'count-tokens'))
      throw refusal(404, 'UnknownOperationException', 'Unknown operation.')
    const model = decodeURIComponent(encoded)
    let body: JsonNode
    try {
      body = parseJson(call.bodyText)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      throw refusal(400, 'SerializationException', 'The request body is not valid JSON.')
    }
    if (!isObject(body)) throw refusal(400, 'SerializationException', 'Expected a structure.')
    if (bedrockModel(model) === undefined) {
      throw refusal(400, 'ValidationException', 'The provided model identifier is invalid.')
    }
    const read = operation === 'count-tokens' ? countedConverse(body, model, refusal) : body
    return { account: accountOf(key), model, body: read, operation }
  },

  answer(call: Call, { account, model: id, body, operation }: Opened, world: World): Answer {
    if (operation === 'count-tokens') return countBedrock(call, id, body, refusal)
    const model = bedrockModel(id)
    if (model === undefined) throw refusal(400, 'ValidationException', 'The provided model identifier is invalid.')
    const reason = checkBedrock(body, model)
    if (reason !== undefined) throw refusal(400, 'ValidationException', reason)
    const prompt = bedrockPrompt(body, model)
    const points = world.faults.downgrade
      ? prompt.points.map((point) => ({ ...point, ttlMs: Math.min(point.ttlMs, 300_000) }))
      : prompt.points
    const result = world.cache.request({
      now: call.at,
      begunAt: (read) => call.at + world.firstTokenMs(read, prompt.totalTokens),
      partition: `bedrock/${model.id}/${account}/`,
      points,
      minTokens: model.minTokens,
      write: !world.faults.noWrite,
    })
    const said = write(call, body, prompt.hash)
    const inputTokens = prompt.totalTokens - result.readTokens - result.writeTokens
    const usage = {
      inputTokens,
      outputTokens: said.tokens,
      totalTokens: prompt.totalTokens + said.tokens,
      cacheReadInputTokens: result.readTokens,
      cacheWriteInputTokens: result.writeTokens,
      ...detailsOf(result.writeByTtl, result.writeTokens, world.faults.hidden),
    }
    const endsAt = result.begunAt + world.writingMs(said.tokens)
    return {
      json: {
        metrics: { latencyMs: endsAt - call.at },
        output: { message: { role: 'assistant', content: said.content } },
        stopReason: said.stopReason,
        usage,
      },
      headers: { 'content-type': 'application/json', 'x-amzn-requestid': `lab-${call.seq}` },
      begunAt: result.begunAt,
      endsAt,
      usage,
    }
  },

  /** No wait is promised. */
  refuse(kind: RefusalKind, { status }): Refusal {
    switch (kind) {
      case 'rate_limited':
        return refusal(429, 'ThrottlingException', 'Too many requests, please wait before trying again.')
      case 'insufficient_quota':
        return refusal(400, 'ServiceQuotaExceededException', 'Your account has no quota left.')
      case 'overloaded':
        return refusal(status ?? 503, 'ServiceUnavailableException', 'Bedrock is unable to process your request.')
      case 'server_error':
        return refusal(status ?? 500, 'InternalServerException', 'The system encountered an unexpected error.')
      case 'geo_refusal':
        return refusal(403, 'AccessDeniedException', 'Access to this model is not available from this location.')
    }
  },

  streamError: () => '', // its streams are binary, and the lab has none
}

/** Source: npm @aws-sdk/client-bedrock-runtime 3.1162.0, `CacheDetail`; checked 2026-11-21. */
function detailsOf(byTtl: Record<number, number>, written: number, hidden: boolean): object {
  if (written === 0) return {}
  const hour = hidden ? written : (byTtl[HOUR_MS] ?? 0)
  const details = [
    { ttl: '1h', inputTokens: hour },
    { ttl: '5m', inputTokens: written - hour },
  ]
  return { cacheDetails: details.filter(({ inputTokens }) => inputTokens > 0) }
}

function write(call: Call, body: JsonObject, hash: string): { content: object[]; tokens: number; stopReason: string } {
  const tools = arrayAt(member(body, 'toolConfig'), 'tools').flatMap(
    (tool) => stringAt(member(tool, 'toolSpec'), 'name') ?? [],
  )
  const { question, answers } = asked(body)
  const { calls, words } = scripted(question, answers, tools, false)
  if (calls.length > 0) {
    const content = calls.map(({ name, arguments: given }, n) => ({
      toolUse: { toolUseId: `tooluse_lab_${call.seq}_${n}`, name, input: JSON.parse(given) as unknown },
    }))
    return { content, tokens: calls.reduce((sum, one) => sum + tokensOf(one.arguments), 0), stopReason: 'tool_use' }
  }
  const max = numberAt(member(body, 'inferenceConfig'), 'maxTokens')
  const full = words === undefined ? answerText(hash) : textOfLength(words, answerText(hash))
  const text = max === undefined ? full : cutTo(full, max)
  return { content: [{ text }], tokens: tokensOf(text), stopReason: text === full ? 'end_turn' : 'max_tokens' }
}

/** The latest message of the user that brings no results, and how many answers with tool calls came since. */
function asked(body: JsonObject): { question: string; answers: number } {
  const messages = arrayAt(body, 'messages').map((message) => ({
    role: stringAt(message, 'role'),
    content: arrayAt(message, 'content').filter(isObject),
  }))
  const at = messages.findLastIndex(
    ({ role, content }) => role === 'user' && !content.some((one) => one.has('toolResult')),
  )
  const answers = messages.slice(at + 1).filter(({ content }) => content.some((one) => one.has('toolUse'))).length
  return { question: (messages[at]?.content ?? []).map((one) => stringAt(one, 'text') ?? '').join('\n'), answers }
}

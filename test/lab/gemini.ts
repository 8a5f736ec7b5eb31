/**
 * The Gemini API. Sources, checked 2026-11-21: Gemini API docs (generate-content, caching, troubleshooting); npm @google/genai
 * 3.1.0, dist/genai.d.ts. `/v1` and `/v1beta` are served alike.
 */
import { accountOf, bearerOf, isRefusedKey } from './account.ts'
import { stepsOf } from './blocks.ts'
import { tokensOf } from './counting.ts'
import { countedBody, countGemini } from './gemini-count.ts'
import { answerText, cutTo, textParts } from './dialect.ts'
import type { Answer, Call, Dialect, Frame, Opened, World } from './dialect.ts'
import { answerCaches, functionNames, geminiParts, handleOf, renderGemini } from './gemini-caches.ts'
import { asMessage, checkMembers, checkMessages, errorInfo, field, geminiRefusal, refuseGemini } from './gemini-wire.ts'
import { arrayAt, isObject, numberAt, parseJson, stringAt } from './json.ts'
import type { JsonNode, JsonObject } from './json.ts'
import { geminiModel } from './models.ts'
import type { GeminiModel } from './models.ts'
import { scripted, textOfLength } from './script.ts'
import type { Scripted } from './script.ts'
import { HOUR_MS } from './time.ts'

const MEMBERS = new Set(
  'contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels model store serviceTier'.split(
    ' ',
  ),
)

/** Assumed: lifetime, renewal by reads, and steps of the implicit cache are not documented. */
const IMPLICIT_TTL_MS = HOUR_MS
const IMPLICIT_STEP = 256
const THOUGHT_TOKENS = 24

export const gemini: Dialect = {
  provider: 'gemini',

  open(call: Call): Opened {
    const key = call.headers.get('x-goog-api-key') ?? call.query.get('key') ?? bearerOf(call.headers)
    // Gemini says 403 to callers without a key and 400 to bad keys. Source: Gemini API docs, troubleshooting; checked 2026-11-21.
    if (key === '') {
      throw geminiRefusal(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
      )
    }
    if (isRefusedKey(key)) {
      throw geminiRefusal(400, 'API key not valid. Please pass a valid API key.', [errorInfo('API_KEY_INVALID')])
    }
    const path = /^(v1|v1beta)\/(.+)$/.exec(call.path)?.[2]
    if (path === undefined) throw geminiRefusal(404, 'Requested entity was not found.')
    const body = geminiBody(call)
    const account = accountOf(key)
    if (path.startsWith('cachedContents')) {
      return { account, model: (stringAt(body, 'model') ?? '').replace(/^models\//, ''), body, operation: path }
    }
    const [, model, method] = /^models\/([^/:]+):(\w+)$/.exec(path) ?? []
    if (model === undefined || method === undefined) throw geminiRefusal(404, 'Requested entity was not found.')
    if (geminiModel(model) === undefined || !GENERATING.has(method)) {
      throw geminiRefusal(
        404,
        `models/${model} is not found for API version v1beta, or is not supported for ${method}.`,
      )
    }
    const read = method === 'countTokens' ? countedBody('gemini', body, model) : body
    return { account, model, body: read, operation: method }
  },

  answer(call: Call, opened: Opened, world: World): Answer {
    if (opened.operation.startsWith('cachedContents')) return answerCaches(call, opened, opened.operation, world)
    const model = geminiModel(opened.model)
    if (model === undefined) throw geminiRefusal(404, `models/${opened.model} is not found.`)
    if (opened.operation === 'countTokens') return countGemini(call, opened.body)
    return generate(call, opened, model, world)
  },

  refuse: refuseGemini,

  streamError(): string {
    const error = { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' }
    return `data: ${JSON.stringify({ error })}\r\n\r\n`
  },
}

export const GENERATING = new Set(['generateContent', 'streamGenerateContent', 'countTokens'])

export function geminiBody(call: Call): JsonObject {
  if (call.bodyText === '' && (call.method === 'GET' || call.method === 'DELETE')) return new Map()
  let body: JsonNode
  try {
    body = parseJson(call.bodyText)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw geminiRefusal(400, `Invalid JSON payload received. ${error.message}`)
  }
  if (!isObject(body)) throw geminiRefusal(400, 'Invalid JSON payload received. Root element must be a message.')
  return body
}

type Read = { tools?: string[]; cachedTokens: number; totalTokens: number; begunAt: number }

function generate(call: Call, opened: Opened, model: GeminiModel, world: World): Answer {
  if (!model.permissive) checkMembers(opened.body, MEMBERS)
  checkMessages(opened.body)
  const body = asMessage(opened.body)
  if (arrayAt(body, 'contents').length === 0)
    throw geminiRefusal(400, '* GenerateContentRequest.contents: contents is not specified')
  const config = field(body, 'generationConfig')
  const maxField = field(config, 'maxOutputTokens')
  const budget =
    isObject(config) && maxField !== undefined
      ? (numberAt(config, 'maxOutputTokens') ?? numberAt(config, 'max_output_tokens') ?? Infinity)
      : Infinity
  if (budget < 1)
    throw geminiRefusal(400, '* GenerateContentRequest.generation_config.max_output_tokens: must be positive')
  const own = renderGemini(body)
  const read = isHandleRequest(body)
    ? readHandle(call, opened, model, own.tokens, world)
    : readImplicit(call, opened, model, own.tokens, world)
  const thinking = field(config, 'thinkingConfig')
  const thinks = isObject(thinking) && numberAt(thinking, 'thinkingBudget') === 0 ? 0 : THOUGHT_TOKENS
  const thoughts = Math.min(thinks, budget)
  const { calls, words } = script(body, read.tools ?? functionNames(body))
  const full = words === undefined ? answerText(own.hash) : textOfLength(words, answerText(own.hash))
  const text = calls.length > 0 ? '' : budget === Infinity ? full : cutTo(full, budget - thoughts)
  const called = calls.map(({ name, arguments: given }, n) => ({
    functionCall: { name, args: JSON.parse(given) as unknown },
    // Only the first of parallel calls is signed. Source: Gemini API docs, thought-signatures; checked 2026-11-21.
    ...(n === 0 ? { thoughtSignature: `sig_lab_${call.seq}` } : {}),
  }))
  const outputTokens = tokensOf(text) + calls.reduce((sum, one) => sum + tokensOf(one.arguments), 0)
  const head = { modelVersion: opened.model, responseId: `lab${String(call.seq).padStart(8, '0')}` }
  const usageMetadata = usageOf(read, outputTokens, thoughts)
  const finishReason = calls.length > 0 || text === full ? 'STOP' : 'MAX_TOKENS'
  const json = { candidates: [candidate(text, finishReason, called)], usageMetadata, ...head }
  const answer: Answer = {
    json,
    headers: { 'content-type': 'application/json; charset=UTF-8', 'server-timing': 'gfet4t7; dur=1' },
    begunAt: read.begunAt,
    endsAt: read.begunAt + world.writingMs(outputTokens + thoughts),
    usage: usageMetadata,
  }
  if (opened.operation === 'streamGenerateContent') {
    const chunks = called.length > 0 ? [json] : streamOf(text, finishReason, head, read, thoughts)
    const asEvents = call.query.get('alt') === 'sse'
    answer.frames = chunks.map((chunk, i): Frame => {
      const afterMs = world.writingMs(i + 1)
      const line = JSON.stringify(chunk)
      if (asEvents) return { text: `data: ${line}\r\n\r\n`, afterMs }
      return { text: `${i === 0 ? '[' : ',\r\n'}${line}${i === chunks.length - 1 ? ']' : ''}`, afterMs }
    })
    if (!asEvents) answer.streamType = 'application/json; charset=UTF-8'
  }
  return answer
}

/** What the user's script says of this answer. A function's response must stand right behind its call. */
function script(body: JsonObject, tools: readonly string[]): Scripted {
  const contents = arrayAt(body, 'contents').map((content) => ({
    role: stringAt(content, 'role'),
    parts: arrayAt(content, 'parts'),
  }))
  const of = (index: number, name: string): JsonNode[] =>
    (contents[index]?.parts ?? []).flatMap((part) => field(part, name) ?? [])
  for (const index of contents.keys()) {
    const calls = of(index, 'functionCall')
    if (calls.length > 0 && calls.length !== of(index + 1, 'functionResponse').length) {
      throw geminiRefusal(
        400,
        'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.',
      )
    }
    const signed = (contents[index]?.parts ?? []).find((part) => field(part, 'functionCall') !== undefined)
    // Source: Gemini API docs, thought-signatures: the current turn's calls go back signed; checked 2026-11-21.
    if (signed !== undefined && field(signed, 'thoughtSignature') === undefined) {
      throw geminiRefusal(400, `Function call is missing a thought_signature in functionCall parts.`)
    }
  }
  const at = contents.findLastIndex(({ role }, i) => {
    return role === 'user' && of(i, 'functionResponse').length === 0 && of(i - 1, 'functionResponse').length === 0
  })
  const question = (contents[at]?.parts ?? []).map((part) => stringAt(part, 'text') ?? '').join('\n')
  const answers = [...contents.keys()].filter((i) => i > at && of(i, 'functionCall').length > 0).length
  const config = field(field(body, 'toolConfig'), 'functionCallingConfig')
  return scripted(question, answers, tools, stringAt(config, 'mode') === 'NONE')
}

function isHandleRequest(body: JsonObject): boolean {
  return typeof field(body, 'cachedContent') === 'string'
}

/** Reads do not extend a handle's life. Source: Gemini API docs, caching; checked 2026-11-21. */
function readHandle(call: Call, { account, body }: Opened, model: GeminiModel, ownTokens: number, world: World): Read {
  const name = field(body, 'cachedContent')
  const handle = handleOf(typeof name === 'string' ? name : '', account, call.at, world)
  const fixed = ['systemInstruction', 'tools', 'toolConfig'].some((member) => field(body, member) !== undefined)
  if (fixed) {
    throw geminiRefusal(
      400,
      'CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.\n\n' +
        'Proposed fix: move those values to CachedContent from GenerateContent request.',
    )
  }
  if (handle.model !== model.id) {
    throw geminiRefusal(
      400,
      `Model used by GenerateContent request (models/${model.id}) and CachedContent (models/${handle.model}) has to be the same.`,
    )
  }
  const totalTokens = handle.tokens + ownTokens
  const begunAt = call.at + world.firstTokenMs(handle.tokens, totalTokens)
  return { tools: handle.tools ?? [], cachedTokens: handle.tokens, totalTokens, begunAt }
}

function readImplicit(
  call: Call,
  { account, body }: Opened,
  model: GeminiModel,
  ownTokens: number,
  world: World,
): Read {
  const ttlMs = IMPLICIT_TTL_MS
  const points = stepsOf(geminiParts(body), 'gemini', IMPLICIT_STEP, model.implicitMinTokens)
    .filter(([tokens]) => tokens <= ownTokens)
    .map(([tokens, hash]) => ({ hash, tokens, ttlMs, mark: true }))
  const result = world.cache.request({
    now: call.at,
    begunAt: (read) => call.at + world.firstTokenMs(read, ownTokens),
    partition: `${call.provider}/${model.id}/${account}/`,
    points,
    minTokens: model.implicitMinTokens,
    write: !world.faults.noWrite,
  })
  return { cachedTokens: result.readTokens, totalTokens: ownTokens, begunAt: result.begunAt }
}

function candidate(text: string, finishReason: string | undefined, called: readonly object[] = []): object {
  const said = [...(text === '' ? [] : [{ text }]), ...called]
  const parts = said.length === 0 ? {} : { parts: said }
  return { content: { ...parts, role: 'model' }, ...(finishReason === undefined ? {} : { finishReason }), index: 0 }
}

function inText(tokenCount: number): object[] {
  return [{ modality: 'TEXT', tokenCount }]
}

/** Counts of zero are left out, as proto3 JSON does. */
function usageOf(read: Read, outputTokens: number, thoughts: number): object {
  const cached = { cachedContentTokenCount: read.cachedTokens, cacheTokensDetails: inText(read.cachedTokens) }
  return {
    promptTokenCount: read.totalTokens,
    ...(read.cachedTokens > 0 ? cached : {}),
    ...(outputTokens > 0 ? { candidatesTokenCount: outputTokens } : {}),
    totalTokenCount: read.totalTokens + outputTokens + thoughts,
    promptTokensDetails: inText(read.totalTokens),
    ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
  }
}

function streamOf(text: string, finishReason: string, head: object, read: Read, thoughts: number): object[] {
  const parts = textParts(text)
  if (parts.length === 0) parts.push('')
  return parts.map((part, i) => {
    const last = i === parts.length - 1
    const soFar = tokensOf(parts.slice(0, i + 1).join(''))
    const usageMetadata = usageOf(read, soFar, thoughts)
    return { candidates: [candidate(part, last ? finishReason : undefined)], usageMetadata, ...head }
  })
}

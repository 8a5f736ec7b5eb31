/**
 * Google's counts of Gemini's tokens. Sources, checked 2026-12-01: ai.google.dev/api/tokens (the Gemini API: `contents`, or the whole request in
 * `generateContentRequest`, whose `model` is required); the REST reference of Vertex AI, v1, projects.locations.publishers.models.countTokens
 * (the members of a request themselves).
 */
import { freeCount } from './counting.ts'
import type { Answer, Call } from './dialect.ts'
import { renderGemini } from './gemini-caches.ts'
import { checkMembers, field, geminiRefusal } from './gemini-wire.ts'
import { arrayAt, isObject, stringAt } from './json.ts'
import type { JsonObject } from './json.ts'

const OF_GEMINI = new Set(['contents', 'generateContentRequest'])
const OF_VERTEX = new Set(['model', 'instances', 'contents', 'systemInstruction', 'tools', 'generationConfig'])
const OF_REQUEST = new Set(
  'model contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels store serviceTier'.split(
    ' ',
  ),
)

/** What is counted: the body of a request. */
export function countedBody(provider: string, body: JsonObject, model: string): JsonObject {
  if (provider === 'vertex') {
    checkMembers(body, OF_VERTEX)
    return body
  }
  checkMembers(body, OF_GEMINI)
  const request = field(body, 'generateContentRequest')
  if (request === undefined) return body
  if (!isObject(request)) throw geminiRefusal(400, 'Invalid value at "generate_content_request".')
  checkMembers(request, OF_REQUEST)
  if (stringAt(request, 'model') !== `models/${model}`)
    throw geminiRefusal(400, '* CountTokensRequest.generate_content_request.model: unexpected model name format')
  return request
}

/** Counts the prompt of a body that `countedBody` took. It reads and writes no cache. */
export function countGemini(call: Call, body: JsonObject): Answer {
  if (arrayAt(body, 'contents').length === 0 && field(body, 'instances') === undefined)
    throw geminiRefusal(400, '* CountTokensRequest.contents: contents is not specified')
  const totalTokens = freeCount(renderGemini(body).tokens)
  const headers = { 'content-type': 'application/json; charset=UTF-8' }
  const json = {
    totalTokens,
    ...(call.provider === 'vertex' ? { totalBillableCharacters: totalTokens * 4 } : {}),
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: totalTokens }],
  }
  return { json, headers, begunAt: call.at, endsAt: call.at, usage: null }
}

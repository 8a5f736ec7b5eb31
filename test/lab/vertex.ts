/**
 * Vertex AI's Gemini: the Gemini API's bodies below a project and a location, with an access token. Sources, checked 2026-11-21:
 * docs.cloud.google.com/gemini-enterprise-agent-platform (context-cache, models/inference).
 */
import { anthropic } from './anthropic.ts'
import { isCountedByVertex } from './anthropic-count.ts'
import { COUNT_TOKENS_ONLY } from './anthropic-wire.ts'
import { bearerOf, isRefusedKey } from './account.ts'
import { hashOf } from './blocks.ts'
import { Refusal } from './dialect.ts'
import type { Answer, Call, Dialect, Opened, World } from './dialect.ts'
import { gemini, GENERATING, geminiBody } from './gemini.ts'
import { answerCaches } from './gemini-caches.ts'
import { countedBody } from './gemini-count.ts'
import { geminiRefusal, refuseGemini } from './gemini-wire.ts'
import { isLiving } from './google-token.ts'
import { stringAt } from './json.ts'
import { anthropicModel, geminiModel } from './models.ts'

export const vertex: Dialect = {
  ...gemini,
  provider: 'vertex',

  open(call: Call): Opened {
    const token = bearerOf(call.headers)
    if (token === '' || isRefusedKey(token) || !isLiving(token, call.at)) {
      throw geminiRefusal(
        401,
        'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
      )
    }
    const { place, rest } = placed(call.path)
    if (place !== null && /^cachedContents(\/[^/]+)?$/.test(rest)) {
      const body = geminiBody(call)
      const named = stringAt(body, 'model')
      const start = `${place}/publishers/google/models/`
      if (named !== undefined && !named.startsWith(start)) {
        throw geminiRefusal(400, `The model has to be named as ${start}MODEL.`)
      }
      const model = named?.slice(start.length) ?? ''
      if (named !== undefined) body.set('model', `models/${model}`)
      return { account: accountAt(place), model, body, operation: rest }
    }
    const counted = place === null ? null : openCount(call, rest, place)
    const claude = place === null ? null : (counted ?? openClaude(call, rest))
    if (claude !== null) return { account: accountAt(place ?? ''), ...claude }
    const [, model, method] = /^publishers\/google\/models\/([^/:]+):(\w+)$/.exec(rest) ?? []
    if (place === null || model === undefined || method === undefined || !GENERATING.has(method)) {
      throw geminiRefusal(404, 'Requested entity was not found.')
    }
    if (geminiModel(model) === undefined) {
      throw geminiRefusal(404, `Publisher Model \`${place}/publishers/google/models/${model}\` was not found.`)
    }
    const body = geminiBody(call)
    const read = method === 'countTokens' ? countedBody('vertex', body, model) : body
    return { account: accountAt(place), model, body: read, operation: method }
  },

  /** A handle that is gone is a 404 here, not the Gemini API's 403. Source: public issue threads, checked 2026-11-21. */
  answer(call: Call, opened: Opened, world: World): Answer {
    if (opened.operation === 'count-tokens')
      return anthropic.answer({ ...call, path: COUNT_TOKENS_ONLY }, opened, world)
    if (opened.operation.endsWith('awPredict')) return anthropic.answer({ ...call, path: 'v1/messages' }, opened, world)
    try {
      if (!opened.operation.startsWith('cachedContents')) return gemini.answer(call, opened, world)
      const answer = answerCaches(call, opened, opened.operation, world)
      return { ...answer, json: inPlace(answer.json, placed(call.path).place ?? '') }
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 403) throw error
      const id = opened.operation.split('/')[1] ?? stringAt(opened.body, 'cachedContent') ?? ''
      throw geminiRefusal(404, `Not found: cached content metadata for ${id.slice(id.lastIndexOf('/') + 1)}.`)
    }
  },

  refuse: refuseGemini,
}

/**
 * Claude: Anthropic's body with the version in it, and the model in the path. Source: platform.claude.com, Claude on Vertex AI,
 * checked 2026-11-30. Assumed: a `model` in the body is refused, as members are that the body does not have.
 */
function openClaude(call: Call, rest: string): Omit<Opened, 'account'> | null {
  const [, named, method] = /^publishers\/anthropic\/models\/([^/:]+):((?:r|streamR)awPredict)$/.exec(rest) ?? []
  if (named === undefined || method === undefined) return null
  const model = known(named)
  if (anthropicModel(model) === undefined) throw geminiRefusal(404, 'Publisher Model was not found.')
  const body = geminiBody(call)
  // Diagnostics are of Anthropic's own API alone.
  const extra = ['model', 'diagnostics'].find((name) => body.has(name))
  if (extra !== undefined) throw geminiRefusal(400, `${extra}: Extra inputs are not permitted`)
  if (stringAt(body, 'anthropic_version') !== 'vertex-2023-10-16') {
    throw geminiRefusal(400, 'anthropic_version: Field required')
  }
  body.delete('anthropic_version')
  return { model, body, operation: method }
}

/**
 * The count of Claude's tokens, whose body names the model and needs no version. Source: docs.cloud.google.com, "Count tokens for Claude models";
 * the client of anthropic-sdk-typescript sends the version. Checked 2026-12-01. Assumed: the words of its refusals.
 */
function openCount(call: Call, rest: string, place: string): Omit<Opened, 'account'> | null {
  if (rest !== 'publishers/anthropic/models/count-tokens:rawPredict') return null
  const body = geminiBody(call)
  const model = known(stringAt(body, 'model') ?? '')
  const version = stringAt(body, 'anthropic_version')
  if (model === '') throw geminiRefusal(400, 'model: Field required')
  if (version !== undefined && version !== 'vertex-2023-10-16') throw geminiRefusal(400, 'anthropic_version: invalid')
  if (anthropicModel(model) === undefined || !isCountedByVertex(model, place.split('/')[3] ?? ''))
    throw geminiRefusal(400, `Token counting is not supported for ${model} in this region.`)
  body.delete('anthropic_version')
  return { model, body, operation: 'count-tokens' }
}

/** A model's name without the date that Vertex writes behind an @. */
function known(named: string): string {
  return decodeURIComponent(named)
    .replace(/@(?=20\d{6}$)/, '-')
    .replace(/@.*$/, '')
}

function placed(path: string): { place: string | null; rest: string } {
  const [, place = null, rest = ''] = /^v1\/(projects\/[^/]+\/locations\/[^/]+)\/(.+)$/.exec(path) ?? []
  return { place, rest }
}

/** Names carry the project's number, whatever the address called it; models their whole resource name. */
function inPlace(json: unknown, place: string): unknown {
  const [, project = '', , location = ''] = place.split('/')
  const number = parseInt(hashOf(project).slice(0, 10), 16)
  const one = (handle: { name?: string; model?: string }): object =>
    handle.name === undefined
      ? handle
      : {
          ...handle,
          name: `projects/${number}/locations/${location}/${handle.name}`,
          model: `${place}/publishers/google/${handle.model}`,
        }
  const { cachedContents } = json as { cachedContents?: object[] }
  return cachedContents === undefined
    ? one(json as object)
    : { ...(json as object), cachedContents: cachedContents.map(one) }
}

/** Caches belong to the project and the location, whoever asks. */
function accountAt(place: string): string {
  return hashOf(`vertex\u0000${place}`).slice(0, 12)
}

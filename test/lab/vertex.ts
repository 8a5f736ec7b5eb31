/**
 * Vertex AI's Gemini: the Gemini API's bodies below a project and a location, with an access token. Sources, checked 2026-11-21:
 * docs.cloud.google.com/gemini-enterprise-agent-platform (context-cache, models/inference).
 */
import { bearerOf, isRefusedKey } from './account.ts'
import { hashOf } from './blocks.ts'
import type { Call, Dialect, Opened } from './dialect.ts'
import { gemini, GENERATING, geminiBody } from './gemini.ts'
import { geminiRefusal, refuseGemini } from './gemini-wire.ts'
import { isLiving } from './google-token.ts'
import { geminiModel } from './models.ts'

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
    const [, place, rest] = /^v1\/(projects\/[^/]+\/locations\/[^/]+)\/(.+)$/.exec(call.path) ?? []
    const [, model, method] = /^publishers\/google\/models\/([^/:]+):(\w+)$/.exec(rest ?? '') ?? []
    if (place === undefined || model === undefined || method === undefined || !GENERATING.has(method)) {
      throw geminiRefusal(404, 'Requested entity was not found.')
    }
    if (geminiModel(model) === undefined) {
      throw geminiRefusal(404, `Publisher Model \`${place}/publishers/google/models/${model}\` was not found.`)
    }
    return { account: accountAt(place), model, body: geminiBody(call), operation: method }
  },

  refuse: refuseGemini,
}

/** Caches belong to the project and the location, whoever asks. */
function accountAt(place: string): string {
  return hashOf(`vertex\u0000${place}`).slice(0, 12)
}

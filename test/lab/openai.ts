/** OpenAI's API: keys, models, and the way to Responses and Chat Completions. Source: OpenAI docs, api/reference; checked 2026-11-21. */
import { accountOf, bearerOf, isRefusedKey } from './account.ts'
import { sse } from './dialect.ts'
import type { Answer, Call, Dialect, Opened, World } from './dialect.ts'
import { isObject, parseJson, stringAt } from './json.ts'
import type { JsonNode } from './json.ts'
import { openaiModel } from './models.ts'
import { answerChat } from './openai-chat.ts'
import { countInput, INPUT_TOKENS } from './openai-count.ts'
import { answerResponses } from './openai-responses.ts'
import { openaiHeaders, openaiRefusal, refuseOpenai } from './openai-wire.ts'

const LISTED = [
  'gpt-6.1-sol',
  'gpt-6.1-terra',
  'gpt-6-astra',
  'gpt-6-sol',
  'gpt-6-luna',
  'gpt-5.6-sol',
  'gpt-5.5',
  'gpt-4o',
]

const POSTED = new Set(['POST v1/responses', `POST ${INPUT_TOKENS}`, 'POST v1/chat/completions'])

export const openai: Dialect = {
  provider: 'openai',

  open(call: Call): Opened {
    const key = bearerOf(call.headers)
    if (key === '') {
      throw openaiRefusal(
        call,
        401,
        "You didn't provide an API key. You need to provide it in an Authorization header.",
      )
    }
    if (isRefusedKey(key)) {
      // The real message repeats a part of the key; the lab does not.
      throw openaiRefusal(call, 401, 'Incorrect API key provided.', { code: 'invalid_api_key' })
    }
    const account = accountOf(key)
    const operation = `${call.method} ${call.path}`
    if (operation === 'GET v1/models') return { account, model: '', body: new Map(), operation }
    if (!POSTED.has(operation)) {
      throw openaiRefusal(call, 404, `Invalid URL (${call.method} /${call.path})`)
    }
    let body: JsonNode
    try {
      body = parseJson(call.bodyText)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      throw openaiRefusal(
        call,
        400,
        'We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.',
      )
    }
    if (!isObject(body)) throw openaiRefusal(call, 400, 'The JSON body of your request must be an object.')
    const model = stringAt(body, 'model')
    if (model === undefined) {
      throw openaiRefusal(call, 400, "Missing required parameter: 'model'.", {
        param: 'model',
        code: 'missing_required_parameter',
      })
    }
    if (openaiModel(model) === undefined) throw unknownModel(call, model)
    return { account, model, body, operation }
  },

  answer(call: Call, opened: Opened, world: World): Answer {
    if (call.method === 'GET') return models(call)
    const model = openaiModel(opened.model)
    if (model === undefined) throw unknownModel(call, opened.model)
    if (call.path === INPUT_TOKENS) return countInput(call, opened, model)
    if (call.path === 'v1/responses') return answerResponses(call, opened, model, world)
    return answerChat(call, opened, model, world)
  },

  refuse: refuseOpenai,

  streamError(call: Call): string {
    const failure = { type: 'server_error', code: 'server_error', message: 'The server had an error.', param: null }
    if (call.path === 'v1/responses') return sse({ ...failure, type: 'error', sequence_number: 99 }, 'error')
    return sse({ error: failure })
  },
}

function unknownModel(call: Call, model: string): Error {
  if (call.path === 'v1/responses') {
    return openaiRefusal(call, 400, `The requested model '${model}' does not exist.`, {
      param: 'model',
      code: 'model_not_found',
    })
  }
  return openaiRefusal(call, 404, `The model \`${model}\` does not exist or you do not have access to it.`, {
    code: 'model_not_found',
  })
}

function models(call: Call): Answer {
  const data = LISTED.map((id) => ({ id, object: 'model', created: 1_780_000_000, owned_by: 'openai' }))
  return {
    json: { object: 'list', data },
    headers: openaiHeaders(call),
    begunAt: call.at,
    endsAt: call.at,
    usage: null,
  }
}

import { beforeAll, describe, expect, it } from 'vitest'
import { ADMIN, anthropicBody, call, longText, newAccount, useLab } from '../support.ts'

/**
 * What newcomers write in their first hour, what they are told, and the request that they write then. The sentence alone must do: the mended
 * request is sent, and accepted.
 */

useLab()

const TEXT = longText().replaceAll(/[0-9a-f-]{36}/g, 'tents')
const REQUEST = anthropicBody(TEXT)
const CHAT = {
  model: 'gpt-5.6-sol',
  messages: [
    { role: 'system', content: TEXT },
    { role: 'user', content: 'Which?' },
  ],
}
const RESPONSES = {
  model: 'gpt-5.6-sol',
  input: [
    { role: 'developer', content: TEXT },
    { role: 'user', content: 'Which?' },
  ],
}
const GEMINI = {
  systemInstruction: { parts: [{ text: TEXT }] },
  contents: [{ role: 'user', parts: [{ text: 'Which?' }] }],
}
const WARM = { provider: 'anthropic', request: REQUEST, keep_warm: { plan: 'off' } }
const window = (more: object) => ({
  ...WARM,
  keep_warm: {
    plan: 'always',
    windows: [{ days: 'mon-fri', from: '06:00', to: '23:00', time_zone: 'Europe/Berlin', ...more }],
  },
})
const MODEL = { provider: 'anthropic', model: 'claude-opus-4-8', keep_warm: { plan: 'off' } }

interface Sent {
  method?: string
  path?: string
  body?: unknown
  key?: string | null
  headers?: Record<string, string>
}

interface Mistake {
  name: string
  given: Sent
  /** Status and the whole sentence, or its end where a list stands before it. */
  told: [status: number, message: string | RegExp]
  mended: Sent
}

let key = ''
beforeAll(async () => {
  ;({ key } = await newAccount())
})

const warm = (body: unknown): Sent => ({ body })

const MISTAKES: readonly Mistake[] = [
  {
    name: "a body of Anthropic's at the top",
    given: warm(REQUEST),
    told: [
      400,
      'system: must be a string. If this is a body of anthropic, put it under "request", beside "provider": "anthropic".',
    ],
    mended: warm({ provider: 'anthropic', request: REQUEST }),
  },
  {
    name: "a body of OpenAI's Chat Completions at the top",
    given: warm(CHAT),
    told: [
      400,
      'messages[0].role: must be "user" or "assistant". If this is a body of openai-chat, put it under "request", beside "provider": "openai-chat".',
    ],
    mended: warm({ provider: 'openai-chat', request: CHAT }),
  },
  {
    name: "a body of OpenAI's Responses at the top",
    given: warm(RESPONSES),
    told: [
      400,
      'input: is not a field of this request. If this is a body of openai, put it under "request", beside "provider": "openai".',
    ],
    mended: warm({ provider: 'openai', request: RESPONSES }),
  },
  {
    name: "a body of Gemini's at the top, with its model",
    given: warm({ model: 'gemini-2.5-flash', ...GEMINI }),
    told: [
      400,
      /is not a field of this request\. If this is a body of gemini, put it under "request", beside "provider": "gemini"\.$/,
    ],
    mended: warm({ provider: 'gemini', model: 'gemini-2.5-flash', request: GEMINI }),
  },
  {
    name: 'no provider',
    given: warm({ request: REQUEST }),
    told: [400, 'provider: is missing.'],
    mended: warm(WARM),
  },
  {
    name: 'a misspelt provider',
    given: warm({ ...WARM, provider: 'antropic' }),
    told: [400, /^provider: must be one of .*\. Did you mean "anthropic"\?$/],
    mended: warm(WARM),
  },
  {
    name: 'a provider by the name of its models',
    given: warm({ ...WARM, provider: 'claude' }),
    told: [400, /^provider: must be one of .*\. Did you mean "anthropic"\?$/],
    mended: warm(WARM),
  },
  {
    name: 'a provider by the name of its company',
    given: warm({ provider: 'google', model: 'gemini-2.5-flash', request: GEMINI }),
    told: [400, /^provider: must be one of .*\. Did you mean "gemini"\?$/],
    mended: warm({ provider: 'gemini', model: 'gemini-2.5-flash', request: GEMINI }),
  },
  {
    name: 'a body for another provider',
    given: warm({ provider: 'anthropic', model: 'claude-opus-4-8', request: GEMINI }),
    told: [400, / The body looks like one of gemini\.$/],
    mended: warm({ provider: 'gemini', model: 'gemini-2.5-flash', request: GEMINI }),
  },
  {
    name: 'a model in the spelling of a router',
    given: warm({ ...WARM, request: { ...REQUEST, model: 'anthropic/claude-opus-4-8' } }),
    told: [400, 'request.model: is written "claude-opus-4-8" at anthropic.'],
    mended: warm({ ...WARM, request: { ...REQUEST, model: 'claude-opus-4-8' } }),
  },
  {
    name: 'a model with a dot',
    given: warm({ ...MODEL, model: 'claude-opus-4.8', system: TEXT }),
    told: [400, 'model: is written "claude-opus-4-8" at anthropic.'],
    mended: warm({ ...MODEL, system: TEXT }),
  },
  {
    name: 'a misspelt model',
    given: warm({ ...WARM, request: { ...REQUEST, model: 'claude-opsu-4-8' } }),
    told: [
      502,
      /^The provider does not know the model, or this key may not use it\. The model was claude-opsu-4-8\. Did you mean "claude-opus-4-8"\?/,
    ],
    mended: warm({ ...WARM, request: { ...REQUEST, model: 'claude-opus-4-8' } }),
  },
  {
    name: 'a plan in capitals',
    given: warm({ ...WARM, keep_warm: { plan: 'Always' } }),
    told: [400, 'keep_warm.plan: must be "auto", "always", "off" or {"probes": N}. Did you mean "always"?'],
    mended: warm({ ...WARM, keep_warm: { plan: 'always' } }),
  },
  {
    name: 'a misspelt plan',
    given: warm({ ...WARM, keep_warm: { plan: 'alwyas' } }),
    told: [400, 'keep_warm.plan: must be "auto", "always", "off" or {"probes": N}. Did you mean "always"?'],
    mended: warm({ ...WARM, keep_warm: { plan: 'always' } }),
  },
  {
    name: 'true in place of a plan',
    given: warm({ ...WARM, keep_warm: true }),
    told: [400, 'keep_warm: must be an object.'],
    mended: warm({ ...WARM, keep_warm: {} }),
  },
  {
    name: 'names in camel case',
    given: warm({ ...WARM, keepWarm: { plan: 'always' } }),
    told: [400, 'keepWarm: is not a field of this request. Did you mean "keep_warm"?'],
    mended: warm(WARM),
  },
  {
    name: 'a budget at the top',
    given: warm({ ...WARM, budget_usd: 5 }),
    told: [400, 'budget_usd: is not a field of this request. Did you mean "keep_warm.budget_usd_per_day"?'],
    mended: warm({ ...WARM, keep_warm: { plan: 'off', budget_usd_per_day: 5 } }),
  },
  {
    name: 'a budget with another name',
    given: warm({ ...WARM, keep_warm: { budget_usd_day: 5 } }),
    told: [400, 'keep_warm.budget_usd_day: is not a field of this request. Did you mean "budget_usd_per_day"?'],
    mended: warm({ ...WARM, keep_warm: { plan: 'off', budget_usd_per_day: 5 } }),
  },
  {
    name: 'a budget with its sign',
    given: warm({ ...WARM, keep_warm: { budget_usd_per_day: '$5' } }),
    told: [400, 'keep_warm.budget_usd_per_day: must be a number of US dollars.'],
    mended: warm({ ...WARM, keep_warm: { plan: 'off', budget_usd_per_day: 5 } }),
  },
  {
    name: 'a lifetime at the top',
    given: warm({ ...WARM, ttl: '1h' }),
    told: [400, 'ttl: is not a field of this request. Did you mean "cache.retention"?'],
    mended: warm({ ...WARM, cache: { retention: '1h' } }),
  },
  {
    name: 'a lifetime by its name at the provider',
    given: warm({ ...WARM, cache: { ttl: '1h' } }),
    told: [400, 'cache.ttl: is not a field of this request. Did you mean "retention"?'],
    mended: warm({ ...WARM, cache: { retention: '1h' } }),
  },
  {
    name: 'a time zone that there is not',
    given: warm(window({ time_zone: 'Europe/Berln' })),
    told: [400, 'keep_warm.windows[0].time_zone: must be an IANA time zone such as "Europe/Berlin".'],
    mended: warm(window({})),
  },
  {
    name: 'a time of day in words',
    given: warm(window({ from: '6am' })),
    told: [400, 'keep_warm.windows[0].from: must be a time of day such as "06:00".'],
    mended: warm(window({})),
  },
  {
    name: 'days in words',
    given: warm(window({ days: 'monday-friday' })),
    told: [400, 'keep_warm.windows[0].days: must be days such as "mon-fri", "mon,wed" or "daily".'],
    mended: warm(window({})),
  },
  {
    name: 'a body as a string',
    given: warm({ ...WARM, request: JSON.stringify(REQUEST) }),
    told: [400, 'request must be a JSON object.'],
    mended: warm(WARM),
  },
  {
    name: 'a prompt that is too short for the provider',
    given: warm({ ...WARM, request: { ...REQUEST, system: 'Hi.' } }),
    told: [422, /^The prefix has about \d+ tokens, and \d+ at most; the minimum of this model is \d+\.$/],
    mended: warm(WARM),
  },
  {
    name: 'tools of the neutral form with the member of a provider',
    given: warm({ ...MODEL, system: TEXT, tools: [{ name: 'look', input_schema: { type: 'object' } }] }),
    told: [400, 'tools[0].input_schema: is not a field of this request. Did you mean "parameters"?'],
    mended: warm({ ...MODEL, system: TEXT, tools: [{ name: 'look', parameters: { type: 'object' } }] }),
  },
  {
    name: 'a system prompt under another name',
    given: warm({ ...MODEL, prompt: TEXT }),
    told: [400, 'prompt: is not a field of this request. Did you mean "system"?'],
    mended: warm({ ...MODEL, system: TEXT }),
  },
  {
    name: 'a credential that was not stored',
    given: warm({ ...WARM, credential: 'prod' }),
    told: [400, 'credential: this account has no credential of that name.'],
    mended: warm(WARM),
  },
  {
    name: 'no key',
    given: { body: WARM, key: null },
    told: [401, 'An Authorization header is missing: "Bearer <key>".'],
    mended: warm(WARM),
  },
  {
    name: "the administrator's key for the work of an account",
    given: { body: WARM, key: ADMIN },
    told: [
      403,
      "This route needs an account's key. The administrator's key serves other routes, such as /accounts and /kill-switch.",
    ],
    mended: warm(WARM),
  },
  {
    name: 'a form in place of JSON',
    given: { body: WARM, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    told: [400, 'content-type: must be application/json.'],
    mended: warm(WARM),
  },
  {
    name: 'the wrong method',
    given: { method: 'PUT', body: WARM },
    told: [405, 'This path does not support this method; it supports POST.'],
    mended: warm(WARM),
  },
  {
    name: 'a misspelt path',
    given: { path: '/warms', body: WARM },
    told: [404, 'This route does not exist. Did you mean /warm? GET /openapi.json has all.'],
    mended: warm(WARM),
  },
  {
    name: 'one observation that is not in a list',
    given: { path: '/observations', body: { provider: 'anthropic', request: REQUEST } },
    told: [400, 'The body: must be an array of observations.'],
    mended: {
      path: '/observations',
      body: [
        {
          provider: 'anthropic',
          request: REQUEST,
          usage: { input_tokens: 3, cache_read_input_tokens: 0, cache_creation_input_tokens: 0, output_tokens: 1 },
          started_at: new Date().toISOString(),
        },
      ],
    },
  },
  {
    name: 'a misspelt parameter of a list',
    given: { method: 'GET', path: '/prefixes?provder=anthropic' },
    told: [400, 'provder: is not a field of this request. Did you mean "provider"?'],
    mended: { method: 'GET', path: '/prefixes?provider=anthropic' },
  },
  {
    name: 'a state that is none',
    given: { method: 'GET', path: '/prefixes?state=worm' },
    told: [400, 'state: must be one of "warm", "expiring", "cold", "uncacheable", "unknown". Did you mean "warm"?'],
    mended: { method: 'GET', path: '/prefixes?state=warm' },
  },
]

async function send({ method = 'POST', path = '/warm', body, key: own = key, headers = {} }: Sent) {
  return call(method, path, body, { key: own, headers })
}

describe('what newcomers write in their first hour', () => {
  it('is at least thirty mistakes', () => {
    expect(MISTAKES.length).toBeGreaterThanOrEqual(30)
  })

  it.each(MISTAKES.map((one) => ({ ...one })))('$name', async ({ given, told, mended }) => {
    const refused = await send(given)
    const message = (refused.json['error'] as { message: string } | undefined)?.message
    const [status, wanted] = told
    expect([refused.status, message]).toEqual([
      status,
      typeof wanted === 'string' ? wanted : expect.stringMatching(wanted),
    ])
    const accepted = await send(mended)
    expect([accepted.status, accepted.text]).toEqual([200, expect.any(String)])
  })
})

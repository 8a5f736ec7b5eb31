import { env, exports } from 'cloudflare:workers'
import { afterEach, beforeEach, vi } from 'vitest'
import type { Environment } from '../../src/runtime/env.ts'
import { createLab } from '../lab/index.ts'
import type { Lab } from '../lab/index.ts'

/** The Worker as a caller meets it, with the lab in this process standing for every provider. */

export const ACCOUNT = 'pilotlight-dev'
export const ADMIN = 'pilotlight-admin'
export const bindings = env as unknown as Environment

export interface Answer {
  status: number
  headers: Headers
  text: string
  json: Record<string, unknown>
}

export interface CallOptions {
  key?: string | null
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** A string is sent as it is, anything else as JSON. */
export async function call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
  const { key = ACCOUNT, headers = {}, signal } = options
  const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream
  const request = new Request(`http://pilotlight.test${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  const answer = await exports.default.fetch(request)
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.includes('json') === true
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}

export const get = (path: string, options?: CallOptions): Promise<Answer> => call('GET', path, undefined, options)
export const post = (path: string, body?: unknown, options?: CallOptions): Promise<Answer> =>
  call('POST', path, body, options)

/** A lab that is new for each test of a file. */
export function useLab(): { readonly lab: Lab } {
  let lab: Lab | null = null
  beforeEach(() => {
    const fresh = createLab({
      now: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      latency: 'off',
    })
    lab = fresh
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => fresh.fetch(new Request(input, init)))
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
  return {
    get lab() {
      if (lab === null) throw new Error('the lab exists inside of tests only')
      return lab
    },
  }
}

/** Calls that the lab received. */
export function received(lab: Lab) {
  return lab.transcript.list()
}

const TEXT = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains. '

let counter = 0

/** A system prompt of some thousand tokens that no other test has. */
export function longText(repeat = 150): string {
  counter += 1
  return `Edition ${counter} of ${crypto.randomUUID()}. ${TEXT.repeat(repeat)}`
}

/** An Anthropic body with a marker at the end of its system prompt. */
export function anthropicBody(text = longText()): Record<string, unknown> {
  return {
    model: 'claude-opus-5',
    max_tokens: 512,
    system: [{ type: 'text', text, cache_control: { type: 'ephemeral' } }],
    messages: [{ role: 'user', content: 'Which tent for two?' }],
  }
}

export function warmOf(
  request: unknown = anthropicBody(),
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return { provider: 'anthropic', request, keep_warm: { plan: 'off' }, ...more }
}

/** A new account with a key of its own. */
export async function newAccount(
  id = `acct-${crypto.randomUUID().slice(0, 8)}`,
): Promise<{ id: string; key: string; keyId: string }> {
  await post('/accounts', { id, allowed_secrets: [] }, { key: ADMIN })
  const { json } = await post(`/accounts/${id}/keys`, {}, { key: ADMIN })
  return { id, key: json['key'] as string, keyId: json['id'] as string }
}

/** A value inside of an answer, by its path. */
export function pick(answer: Answer, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown> | null | undefined)?.[key],
    answer.json,
  )
}

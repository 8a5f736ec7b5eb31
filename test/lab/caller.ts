import { createLab } from './index.ts'
import type { EngineName, Lab, LabOptions } from './index.ts'

/** When the clock of a test's lab stands: 2026-11-21T09:00:00Z. */
export const START_AT = Date.UTC(2026, 10, 21, 9)

export type Json = Record<string, unknown>
export type Reply = { status: number; json: Json; text: string; headers: Headers }

/** A lab whose clock stands still until the test moves it, and short ways to call it. */
export type Caller = {
  lab: Lab
  send: (method: string, path: string, body: unknown, headers?: Record<string, string>) => Promise<Reply>
  anthropic: (body: Json, key?: string) => Promise<Reply>
  responses: (body: Json, key?: string) => Promise<Reply>
  chat: (body: Json, key?: string) => Promise<Reply>
  gemini: (path: string, body?: Json, options?: { method?: string; key?: string }) => Promise<Reply>
  converse: (model: string, body: Json, key?: string) => Promise<Reply>
  engine: (name: EngineName, body: Json, key?: string) => Promise<Reply>
  fault: (body: Json) => Promise<Reply>
  advance: (ms: number) => void
}

export function caller(options: Partial<LabOptions> = {}): Caller {
  const lab = createLab({
    now: () => 0,
    sleep: () => Promise.reject(new Error('a clock that stands still needs no real pause')),
    clock: { realAnchorAt: 0, virtualAnchorAt: START_AT, rate: 0 },
    latency: 'off',
    ...options,
  })
  const send: Caller['send'] = async (method, path, body, headers = {}) => {
    const payload = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
    const response = await lab.fetch(new Request(`http://lab.test${path}`, { method, headers, ...payload }))
    const text = await response.text()
    const isJson = /^[[{]/.test(text) && !(response.headers.get('content-type') ?? '').includes('ndjson')
    const json: Json = isJson ? JSON.parse(text) : {}
    return { status: response.status, text, json, headers: response.headers }
  }
  const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })
  return {
    lab,
    send,
    anthropic: (body, key = 'key-a') =>
      send('POST', '/anthropic/v1/messages', body, { 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
    responses: (body, key = 'key-a') => send('POST', '/openai/v1/responses', body, bearer(key)),
    chat: (body, key = 'key-a') => send('POST', '/openai/v1/chat/completions', body, bearer(key)),
    gemini: (path, body, { method = 'POST', key = 'key-a' } = {}) =>
      send(method, `/gemini/${path}`, body, { 'x-goog-api-key': key }),
    converse: (model, body, key = 'key-a') =>
      send('POST', `/bedrock/model/${encodeURIComponent(model)}/converse`, body, bearer(key)),
    engine: (name, body, key = 'key-a') => send('POST', `/${name}/v1/chat/completions`, body, bearer(key)),
    fault: (body) => send('POST', '/_lab/faults', body),
    advance: (ms) => lab.clock.change({ advanceMs: ms }),
  }
}

/** A text of exactly so many tokens in the lab's count. */
export function tokens(count: number, seed = 'word'): string {
  return `${seed} `.repeat(Math.ceil((count * 4) / (seed.length + 1))).slice(0, count * 4)
}

/** What stands at a path of names and indexes, like `usage.input_tokens` or `choices.0.message`; `undefined` when there is nothing. */
export function at(json: unknown, path: string): unknown {
  let value = json
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, name)
  }
  return value
}

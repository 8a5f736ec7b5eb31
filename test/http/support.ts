import { env, exports } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import type { Environment } from '../../src/runtime/env.ts'
import { createLab } from '../lab/index.ts'
import type { Lab } from '../lab/index.ts'

/** The Worker as callers see it. The lab, in this process, is every provider. */

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

/** The providers of one test. */
export interface World {
  readonly lab: Lab
  /** Holds the answers of all providers from now on, until `release`, or the end of the test. */
  hold(): { release: () => void }
}

/** Time between two checks of a condition. */
const CHECK_MS = 5

/** A lab that is new for each test of a file. */
export function useLab(): World {
  let lab: Lab | null = null
  const gate = { isHeld: false }
  beforeEach(() => {
    const fresh = createLab({
      now: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      latency: 'off',
    })
    lab = fresh
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const answer = await fresh.fetch(new Request(input, init))
      // A loop, because a promise that another request settles would not wake this one.
      while (gate.isHeld) await new Promise((resolve) => setTimeout(resolve, CHECK_MS))
      return answer
    })
  })
  afterEach(() => {
    gate.isHeld = false
    vi.restoreAllMocks()
  })
  return {
    get lab() {
      if (lab === null) throw new Error('the lab exists inside of tests only')
      return lab
    },
    hold() {
      gate.isHeld = true
      return { release: () => void (gate.isHeld = false) }
    },
  }
}

/** Waits until every account was told of the last change of the kill switch, or of facts. */
export async function everyoneTold(): Promise<void> {
  const directory = bindings.DIRECTORY.getByName('directory')
  await vi.waitUntil(async () => (await directory.rollOut()).pending === 0, 30_000)
}

/** The answer to a change of the deployment, once every account was told of it. */
export async function told(change: Promise<Answer>): Promise<Answer> {
  const answer = await change
  await everyoneTold()
  return answer
}

/** Calls that a provider bills: all but those that count tokens. */
export function billed(lab: Lab) {
  return received(lab).filter(({ path }) => !/count[_-]?tokens|input_tokens/i.test(path))
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

/** Warms a body as `warmOf` makes it. */
export function warm(request?: unknown, more?: Record<string, unknown>, options?: CallOptions): Promise<Answer> {
  return post('/warm', warmOf(request, more), options)
}

/** The id of a prefix that was warmed so. */
export async function warmedId(
  request?: unknown,
  more?: Record<string, unknown>,
  options?: CallOptions,
): Promise<string> {
  const answer = await warm(request, more, options)
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
  return pick(answer, 'id') as string
}

/** A job once it has ended. `id` may be that of a crew. */
export async function endOf(id: unknown, options?: CallOptions): Promise<Answer> {
  for (;;) {
    const job = await get(`/jobs/${id}?wait=30s`, options)
    expect(job.status).toBe(200)
    if (pick(job, 'finished_at') !== null) return job
  }
}

/** Everything that a list has, page by page, and how many pages it took. `path` has a query. */
export async function pagesOf(path: string, options?: CallOptions): Promise<{ rows: unknown[]; pages: number }> {
  const rows: unknown[] = []
  let cursor: unknown = null
  let pages = 0
  do {
    const page = await get(cursor === null ? path : `${path}&cursor=${String(cursor)}`, options)
    rows.push(...(pick(page, 'data') as unknown[]))
    cursor = pick(page, 'next_cursor')
    pages += 1
  } while (cursor !== null)
  return { rows, pages }
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

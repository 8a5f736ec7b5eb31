import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { Lab } from '../../lab/index.ts'
import { createLab } from '../../lab/index.ts'
import { hashedBody, Normaliser, shownBody } from './normalise.ts'

export const ADMIN = 'pilotlight-admin'

export interface Answer {
  status: number
  headers: Headers
  text: string
  json: Record<string, unknown>
}

export interface Asked {
  /** The account's key when absent; null: none. */
  key?: string | null
  headers?: Record<string, string>
  /** Writes hashes down in place of what is long. */
  isLong?: boolean
}

/** One request of the script and its status. */
export interface Hit {
  method: string
  path: string
  status: number
  kind: string | null
}

/** How long a provider takes to answer, on the stopped clock. */
const PROVIDER_MS = 250
const STEP_MS = 1_000
const LAB = 'lab.test'

/** Headers of nearly every answer; a recording says where they are otherwise. */
const USUAL: readonly (readonly [name: string, value: string])[] = [
  ['cache-control', 'no-store'],
  ['content-type', 'application/json'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
]

type Server = (request: Request) => Response | Promise<Response>

/**
 * Plays one part of the script against the Worker and writes down what it answers. The clock stands still but for a second before
 * each request and what a provider takes, so instants are the same in each run.
 */
export class Player {
  readonly lab: Lab
  readonly hits: Hit[] = []
  /** Servers beside the lab, by host: endpoints of webhooks, tools, providers that the lab does not speak. */
  readonly servers = new Map<string, Server>()
  readonly account: string
  key = ''
  /** Off where several calls are under way at once: whose time passes first would be chance. */
  providersTakeTime = true
  readonly #rows: string[] = []
  readonly #normaliser = new Normaliser()

  constructor(name: string, startAt: number) {
    this.account = name
    vi.useFakeTimers({ toFake: ['Date'], now: startAt })
    this.lab = createLab({
      now: () => Date.now(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      latency: 'off',
    })
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init)
      const { host } = new URL(request.url)
      const server = this.servers.get(host) ?? (host === LAB ? (given: Request) => this.lab.fetch(given) : undefined)
      if (server === undefined) return new Response('no network in tests', { status: 599 })
      const answer = await server(request)
      if (this.providersTakeTime) this.later(PROVIDER_MS)
      return answer
    })
  }

  /** Makes the account of this part. */
  async open(): Promise<void> {
    const settings = {
      id: this.account,
      allowed_secrets: ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'VERTEX_ACCESS_TOKEN'],
    }
    await this.quiet('POST', '/accounts', settings, { key: ADMIN })
    const made = await this.quiet('POST', `/accounts/${this.account}/keys`, {}, { key: ADMIN })
    this.key = made.json['key'] as string
  }

  later(ms: number): void {
    vi.setSystemTime(Date.now() + ms)
  }

  /** Asks and writes the answer down. A string or bytes are sent as they are, anything else as JSON. */
  async ask(method: string, path: string, body?: unknown, asked: Asked = {}): Promise<Answer> {
    this.later(STEP_MS)
    const answer = await this.quiet(method, path, body, asked)
    this.#write(method, path, body, asked, answer)
    return answer
  }

  get(path: string, asked?: Asked): Promise<Answer> {
    return this.ask('GET', path, undefined, asked)
  }

  post(path: string, body?: unknown, asked?: Asked): Promise<Answer> {
    return this.ask('POST', path, body, asked)
  }

  /** The same with the administrator's key. */
  admin(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask(method, path, body, { key: ADMIN, headers })
  }

  /** Asks without writing anything down: what may be asked any number of times. */
  async quiet(method: string, path: string, body?: unknown, asked: Asked = {}): Promise<Answer> {
    const answer = await this.#fetch(method, path, body, asked)
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true && text !== ''
    const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {}
    return { status: answer.status, headers: answer.headers, text, json }
  }

  /** Asks again and again, without writing it down, until the answer is as wished. */
  async until(path: string, holds: (json: Record<string, unknown>) => boolean): Promise<void> {
    const tries = 3_000
    let last = ''
    for (let n = 0; n < tries; n += 1) {
      const { json, text } = await this.quiet('GET', path)
      if (holds(json)) return
      last = text
      // `vi.waitFor` would move the clock that stands still.
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`${path} never was as it should be: ${last.slice(0, 500)}`)
  }

  /** Opens a stream of server-sent events, which is written down when it is closed. */
  async listen(
    path: string,
    asked: Asked = {},
  ): Promise<{ until(event: string, times?: number): Promise<void>; close(): Promise<void> }> {
    this.later(STEP_MS)
    const headers = { accept: 'text/event-stream', ...asked.headers }
    const answer = await this.#fetch('GET', path, undefined, { ...asked, headers })
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    return {
      until: async (event, times = 1) => {
        while (text.split(`event: ${event}\n`).length <= times || !text.endsWith('\n\n')) {
          const { done, value } = await reader.read()
          if (done) throw new Error(`the stream ended before ${event}: ${text}`)
          text += value
        }
      },
      close: async () => {
        await reader.cancel()
        const { status, headers: given } = answer
        this.#write(
          'GET',
          path,
          undefined,
          { ...asked, headers },
          { status, headers: given, text: joined(text), json: {} },
        )
      },
    }
  }

  /** Opens a WebSocket and writes the answer down. */
  async socket(path: string): Promise<WebSocket> {
    this.later(STEP_MS)
    const asked = { headers: { upgrade: 'websocket' } }
    const answer = await this.#fetch('GET', path, undefined, asked)
    const { status, headers, webSocket } = answer
    if (webSocket === null) throw new Error(`no socket: ${await answer.text()}`)
    webSocket.accept()
    this.#write('GET', path, undefined, asked, { status, headers, text: '', json: {} })
    return webSocket
  }

  /** Writes something down that no answer says, such as what a webhook received. */
  note(title: string, text: string): void {
    this.#rows.push(`## ${title}\n${shownBody(this.#normaliser.text(text))}\n`)
  }

  /** Runs the alarm of a bot, which takes its turns; the machine's clock never gets there. */
  async turns(bot: string): Promise<void> {
    const stub = env.BOT.getByName(`${this.account}/${bot}`)
    for (;;) {
      const at = await runInDurableObject(stub as never, (_: unknown, state) => state.storage.getAlarm())
      if (at === null || at > Date.now()) return
      await runDurableObjectAlarm(stub as never)
    }
  }

  /** Everything that was written down. */
  recording(): string {
    return this.#rows.join('\n')
  }

  async #fetch(
    method: string,
    path: string,
    body: unknown,
    { key = this.key, headers = {} }: Asked,
  ): Promise<Response> {
    const raw = typeof body === 'string' || body instanceof Uint8Array
    const request = new Request(`http://pilotlight.test${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    })
    return exports.default.fetch(request)
  }

  #write(method: string, path: string, body: unknown, asked: Asked, answer: Answer): void {
    const { status, text, headers } = answer
    const error = answer.json['error'] as { kind?: string } | undefined
    this.hits.push({ method, path: path.split('?')[0] ?? '', status, kind: error?.kind ?? null })
    const sent = [
      `## ${this.#rows.length + 1}. ${method} ${path}`,
      ...(asked.key === undefined ? [] : [`   key: ${asked.key === ADMIN ? 'administrator' : asked.key}`]),
      ...Object.entries(asked.headers ?? {}).map(([name, value]) => `   ${name}: ${value}`),
      ...(body === undefined ? [] : [`   ${shortened(sentText(body), this.#normaliser)}`]),
    ]
    const shown = this.#normaliser.text([...sent, '', String(status), ...unusual(headers)].join('\n'))
    const normal = this.#normaliser.text(text)
    this.#rows.push(`${shown}\n\n${asked.isLong === true ? hashedBody(normal) : shownBody(normal)}\n`)
  }
}

function unusual(headers: Headers): string[] {
  const absent = USUAL.filter(([name]) => !headers.has(name)).map(([name]) => `${name}: (none)`)
  const others = [...headers].filter(([name, value]) => !USUAL.some((one) => one[0] === name && one[1] === value))
  return [...absent, ...others.map(([name, value]) => `${name}: ${value}`)].sort()
}

const LONGEST = 2_000
const MANY = 1_000_000

function sentText(body: unknown): string {
  if (body instanceof Uint8Array) return `(${body.length} bytes)`
  return typeof body === 'string' ? body : JSON.stringify(body)
}

function shortened(text: string, normaliser: Normaliser): string {
  const shown = text.length > MANY ? text : normaliser.text(text)
  return shown.length <= LONGEST ? shown : `${shown.slice(0, LONGEST)}… (${text.length} characters)`
}

/** How the pieces of an answer are cut is the network's business: pieces that follow each other become one. */
function joined(events: string): string {
  const rows: string[] = []
  let before: Record<string, unknown> | null = null
  for (const row of events.split('\n\n')) {
    const piece = row.startsWith('event: delta\n')
      ? (JSON.parse(row.slice(row.indexOf('data: ') + 6)) as Record<string, unknown>)
      : null
    if (piece !== null && before !== null && before['turn_id'] === piece['turn_id']) {
      before['text'] = `${String(before['text'])}${String(piece['text'])}`
      rows[rows.length - 1] = `event: delta\ndata: ${JSON.stringify(before)}`
      continue
    }
    before = piece
    rows.push(row)
  }
  return rows.join('\n\n')
}

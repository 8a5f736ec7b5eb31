/**
 * Sends a few "real" requests, as an application would: the prefix's exact body and a user's turn, straight to the provider's address
 * (here the lab's), reported by POST /observations.
 */
import { label, type Api, type Prefix } from './api.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

type Body = Record<string, unknown>

interface Wire {
  path: (model: string) => string
  headers: (key: string) => Record<string, string>
  withTurn: (body: Body, text: string) => Body
  usage: (answer: Body) => Body
  cached: (usage: Body) => number | null
  total: (usage: Body) => number | null
  /** Virtual times from the start to the first request, and between requests. */
  firstMs: number
  everyMs: number
  questions: string[]
}

const wires: Record<string, Wire> = {
  anthropic: {
    path: () => '/anthropic/v1/messages',
    headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
    withTurn: (body, text) => ({
      ...body,
      max_tokens: 256,
      messages: [...list(body['messages']), { role: 'user', content: text }],
    }),
    usage: (answer) => answer['usage'] as Body,
    cached: (usage) => number(usage['cache_read_input_tokens']),
    total: (usage) =>
      sum(
        number(usage['input_tokens']),
        number(usage['cache_read_input_tokens']),
        number(usage['cache_creation_input_tokens']),
      ),
    firstMs: 4 * MINUTE_MS,
    everyMs: 17 * MINUTE_MS, // three probes over this gap cost less than a rewrite, so a saving shows soon
    questions: [
      'Where is order 60311874? My postcode is 7250.',
      'Can I still return a tent that I set up once in the living room?',
    ],
  },
  openai: {
    path: () => '/openai/v1/responses',
    headers: (key) => ({ authorization: `Bearer ${key}` }),
    withTurn: (body, text) => ({
      ...body,
      input: [...list(body['input']), { role: 'user', content: [{ type: 'input_text', text }] }],
    }),
    usage: (answer) => answer['usage'] as Body,
    cached: (usage) => number((usage['input_tokens_details'] as Body | undefined)?.['cached_tokens']),
    total: (usage) => number(usage['input_tokens']),
    firstMs: 9 * MINUTE_MS,
    everyMs: 52 * MINUTE_MS,
    questions: [
      'The zip of my tent runs off the track.',
      'My stove burns yellow since the last trip. Is it dangerous?',
    ],
  },
  gemini: {
    path: (model) => `/gemini/v1beta/models/${model}:generateContent`,
    headers: (key) => ({ 'x-goog-api-key': key }),
    withTurn: (body, text) => ({ ...body, contents: [...list(body['contents']), { role: 'user', parts: [{ text }] }] }),
    usage: (answer) => answer['usageMetadata'] as Body,
    cached: (usage) => number(usage['cachedContentTokenCount']),
    total: (usage) => number(usage['promptTokenCount']),
    firstMs: 14 * MINUTE_MS,
    everyMs: 43 * MINUTE_MS,
    questions: ['Which sleeping mat for minus five degrees?', 'Is the 26,800 mAh power bank allowed on a plane?'],
  },
}

export interface Visit {
  prefixId: string
  name: string
  cachedTokens: number | null
  totalTokens: number | null
}

export interface TrafficOptions {
  api: Api
  labUrl: string
  /** Key that Pilotlight itself uses at the lab, because keys do not share caches. */
  labKey: string
  now: () => number
  /** Called after each reported request. */
  tell: (visit: Visit) => void
}

export class Traffic {
  readonly #options: TrafficOptions
  readonly #nextAt = new Map<string, number>()
  readonly #sent = new Map<string, number>()

  constructor(options: TrafficOptions) {
    this.#options = options
  }

  /** Sends the requests that are due for these prefixes. Throws if the provider or Pilotlight refuses one. */
  async visitDue(prefixes: Prefix[]): Promise<void> {
    for (const prefix of prefixes) {
      const wire = wires[prefix.provider]
      if (wire === undefined) continue
      const now = this.#options.now()
      const dueAt = this.#nextAt.get(prefix.id) ?? now + wire.firstMs
      this.#nextAt.set(prefix.id, dueAt > now ? dueAt : now + wire.everyMs)
      if (dueAt <= now) this.#options.tell(await this.#visit(prefix, wire))
    }
  }

  async #visit(prefix: Prefix, wire: Wire): Promise<Visit> {
    const { api, labUrl, labKey, now } = this.#options
    const body = await api.request(prefix.id)
    const count = this.#sent.get(prefix.id) ?? 0
    this.#sent.set(prefix.id, count + 1)
    const question = wire.questions[count % wire.questions.length] ?? ''

    const startedAt = now()
    const answer = await fetch(labUrl + wire.path(prefix.model), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...wire.headers(labKey) },
      body: JSON.stringify(wire.withTurn(body, question)),
      signal: AbortSignal.timeout(60_000),
    })
    const ttftMs = now() - startedAt
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the provider answered ${answer.status} to a real request: ${text.slice(0, 200)}`)
    const usage = wire.usage(JSON.parse(text) as Body)
    await api.observe({
      prefix_id: prefix.id,
      usage,
      started_at: new Date(startedAt).toISOString(),
      ttft_ms: Math.round(ttftMs),
    })
    return {
      prefixId: prefix.id,
      name: label(prefix),
      cachedTokens: wire.cached(usage),
      totalTokens: wire.total(usage),
    }
  }
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

function sum(...values: (number | null)[]): number | null {
  return values.every((value) => value === null)
    ? null
    : values.reduce<number>((total, value) => total + (value ?? 0), 0)
}

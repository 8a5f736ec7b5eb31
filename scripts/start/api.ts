/** Pilotlight's public API, as far as `npm start` uses it: what any caller could do. */

/** One row of `GET /prefixes`. */
export interface Prefix {
  id: string
  name: string | null
  provider: string
  model: string
  warmth?: { state?: string; warm_until?: string | null; why?: string }
  last_receipt?: Receipt | null
  receipt?: Receipt | null
  probes?: number
  hits?: number
  misses?: number
  cost_usd?: number | null
}

export interface Receipt {
  kind: string
  primitive?: string
  at?: string
}

export interface Warmed {
  id: string
  created: boolean
  receipt?: Receipt | null
  warmth?: Prefix['warmth']
  plan?: { next_probe_at?: string | null; why?: string; cost_usd_per_day?: number | null }
  [other: string]: unknown
}

/** An error answer of the API, as a sentence. */
export class ApiError extends Error {
  readonly status: number
  constructor(status: number, text: string) {
    super(text)
    this.status = status
  }
}

export class Api {
  readonly #base: string
  readonly #key: string

  constructor(base: string, key: string) {
    this.#base = base
    this.#key = key
  }

  async prefixes(): Promise<Prefix[]> {
    return ((await this.#call('GET', '/prefixes?limit=50')) as { data: Prefix[] }).data
  }

  async warm(body: unknown): Promise<Warmed> {
    return (await this.#call('POST', '/warm', body)) as Warmed
  }

  /** The exact body that real requests must begin with, as JSON text. */
  async request(id: string): Promise<Record<string, unknown>> {
    const answer = (await this.#call('GET', `/prefixes/${id}/request`)) as { request?: unknown; body?: unknown }
    const body = answer.request ?? answer.body ?? answer
    return (typeof body === 'string' ? JSON.parse(body) : body) as Record<string, unknown>
  }

  async observe(observation: Record<string, unknown>): Promise<void> {
    await this.#call('POST', '/observations', [observation])
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(this.#base + path, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(90_000),
    })
    const text = await answer.text()
    if (!answer.ok)
      throw new ApiError(answer.status, `${method} ${path} answered ${answer.status}: ${errorMessage(text)}`)
    return JSON.parse(text)
  }
}

function errorMessage(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { kind?: string; message?: string } }
    return error?.message === undefined ? text.slice(0, 300) : `${error.kind ?? 'error'}: ${error.message}`
  } catch {
    return text.slice(0, 300) // no JSON: show what came
  }
}

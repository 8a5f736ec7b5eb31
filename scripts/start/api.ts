/** Pilotlight's public API, as far as `npm start` uses it: what any caller could do. */

/** One row of `GET /prefixes`. */
export interface Prefix {
  id: string
  name: string | null
  provider: string
  model: string
  /** True of an older version, whose name has gone on to a newer body. */
  superseded?: boolean
  warmth?: { state?: string; warm_until?: string | null; why?: string }
  last_receipt?: Receipt | null
  last_hit?: { cached_tokens?: number } | null
  plan?: { stopped?: { reason?: string } | null }
  probes?: number
  hits?: number
  misses?: number
  cost_usd?: number | null
  /** What its keep-alives saved, proved by real hits. */
  saved_usd?: number | null
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
  /** The two prices: of a dry run only; null where no price is known. */
  plan?: { first_write_cost_usd?: number | null; cost_usd_per_day?: number | null }
}

/** What a person calls it. */
export function label({ name, id }: Prefix): string {
  return name ?? id
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

  /** The latest version of each prefix, by name. */
  async prefixes(): Promise<Prefix[]> {
    const { data } = (await this.#call('GET', '/prefixes?limit=50')) as { data: Prefix[] }
    return data
      .filter(({ superseded }) => superseded !== true)
      .toSorted((a, b) => label(a).localeCompare(label(b), 'en'))
  }

  async warm(body: unknown): Promise<Warmed> {
    return (await this.#call('POST', '/warm', body)) as Warmed
  }

  /** The exact body that real requests must begin with, parsed. */
  async request(id: string): Promise<Record<string, unknown>> {
    const { request } = (await this.#call('GET', `/prefixes/${id}/request`)) as { request: Record<string, unknown> }
    return request
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

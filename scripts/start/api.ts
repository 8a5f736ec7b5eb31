/** Client of the part of Pilotlight's public API that `npm start` uses. */

/** One row of `GET /prefixes`. */
export interface Prefix {
  id: string
  name: string | null
  provider: string
  model: string
  /** True for an older version, whose name belongs to a newer body. */
  superseded?: boolean
  warmth?: { state?: string; warm_until?: string | null; why?: string }
  last_receipt?: Receipt | null
  last_hit?: { cached_tokens?: number } | null
  plan?: { stopped?: { reason?: string } | null }
  probes?: number
  hits?: number
  misses?: number
  cost_usd?: number | null
  /** Saving of its keep-alives, proved by real hits. */
  saved_usd?: number | null
}

interface Page {
  data: Prefix[]
  next_cursor: string | null
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
  /** The two prices, only in a dry run; null if unknown. */
  plan?: { first_write_cost_usd?: number | null; cost_usd_per_day?: number | null }
}

/** Display name of a prefix. */
export function label({ name, id }: Prefix): string {
  return name ?? id
}

/** Error answer of the API, with its sentence. */
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

  /** Returns the latest version of each prefix, by name, from every page of the list. */
  async prefixes(): Promise<Prefix[]> {
    const all: Prefix[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const page = (await this.#call('GET', `/prefixes?limit=200${from}`)) as Page
      all.push(...page.data)
      cursor = page.next_cursor
    }
    return all
      .filter(({ superseded }) => superseded !== true)
      .toSorted((a, b) => label(a).localeCompare(label(b), 'en'))
  }

  async warm(body: unknown): Promise<Warmed> {
    return (await this.#call('POST', '/warm', body)) as Warmed
  }

  /** Returns the parsed body with which real requests must begin. */
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
    return text.slice(0, 300) // no JSON: show the text
  }
}

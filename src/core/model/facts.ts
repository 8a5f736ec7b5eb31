/** The smallest request that reads or writes a prefix, by what it asks the model to put out. */
export type Primitive = 'zero_output' | 'prewarm' | 'one_token' | 'floor_tokens' | 'handle'
/** `sliding`: a read renews it. `fixed`: only an update does. `minimum`: at least this long. `best_effort` and `unknown`: no promise. */
export type RetentionKind = 'sliding' | 'fixed' | 'minimum' | 'best_effort' | 'unknown'

/** One retention that a model offers. */
export interface RetentionOffer {
  /** The provider's own name for it (`5m`, `1h`, `30m`, `12h`, `in_memory`, `24h`, `implicit`). */
  name: string
  kind: RetentionKind
  /** How long an entry lives from the start of the request that wrote or last read it. */
  ttlMs: number
  /** True when the provider states no figure and `ttlMs` is our starting guess, to be widened or narrowed by receipts. */
  assumed: boolean
  /** Bounds within which receipts may move an assumed `ttlMs`. Equal to `ttlMs` where the figure is stated. */
  minTtlMs: number
  maxTtlMs: number
}

/** Money per million tokens, in integer nano-dollars. A price that is not known is null, never 0. */
export interface Rates {
  inputNanosPerMTok: number
  cacheReadNanosPerMTok: number
  /** By retention name. A retention that is absent has no known write price. */
  cacheWriteNanosPerMTok: Record<string, number>
  outputNanosPerMTok: number
}

export interface Price extends Rates {
  /** The rates of a whole request whose prompt is longer than `tokens`. */
  over?: Rates & { tokens: number }
  /** The rates in hours of the day (UTC, from Monday to Friday) at which the provider charges more: from, until. */
  peak?: Rates & { hoursUtc: { from: number; until: number }[] }
  /** Day (YYYY-MM-DD, UTC) from which this row holds. Rows are appended, never edited. */
  from: string
  source: string
  checked: string
}

/** What is known of one model, as the decisions need it. Null means unknown. */
export interface ModelFacts {
  /** Smallest prefix that the provider caches; null when unknown. */
  minimumTokens: number | null
  /** Offered retentions, the default first; empty when nothing at all is known. */
  retentions: RetentionOffer[]
  /** Whether answers count written tokens. Decides what "read 0, write 0" may mean. */
  writesReported: boolean
  /** Primitives from the best to the last resort. */
  primitives: Primitive[]
  /** How many probes read nothing before one can read, where an entry is made only once two requests share it; 1 if absent. */
  probesToSeed?: number
  /** The least output that a probe asks this model for, where the wire format's own floor is too low for it. */
  outputFloorTokens?: number
  price: Price | null
}

/** The words of the field, as types. Nothing here knows a provider. */

/** What one answer's usage says, in tokens. `null`: the provider did not report it, which is never the same as 0. */
export interface Usage {
  /** The whole prompt: uncached + cache read + cache write. */
  inputTokens: number | null
  uncachedTokens: number | null
  cacheReadTokens: number | null
  cacheWriteTokens: number | null
  /** Written tokens by the retention they were bought at (`5m`, `1h`, `30m`, `12h`), as far as the provider splits them. */
  cacheWriteByRetention: Record<string, number>
  outputTokens: number | null
  reasoningTokens: number | null
}

/** The smallest request that reads or writes a prefix, by what it asks the model to put out. */
export type Primitive = 'zero_output' | 'prewarm' | 'one_token' | 'floor_tokens' | 'handle'

/**
 * What one answer proved. `written`: the write we meant to pay. `full`, `partial`: read. `cold`: a keep-alive that had to
 * write, a surprise. `uncacheable`: too small, or not cached at all. `unknown`: the provider did not say.
 */
export type ReceiptKind = 'written' | 'full' | 'partial' | 'cold' | 'uncacheable' | 'unknown'

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

/** Where a registered prefix ends inside its body. */
export interface Breakpoint {
  /** Path of the last element inside the prefix, such as `system[1]`, `tools[11]`, `input[0].content[0]`, `systemInstruction`. */
  path: string
  /** UTF-8 byte offset just after that element in the stored body. */
  byte: number
}

/** A remark about a registration that a person should read. */
export interface Advice {
  cause: string
  message: string
  at?: string
  /** A `hint` may well be meant that way; a `warning` is meant by nobody. */
  severity?: 'warning' | 'hint'
  fix?: string
  /** From 1, in the text that `at` points to. */
  line?: number
  column?: number
}

/** A remark of lint. `at` is a JSON pointer. */
export interface Finding extends Advice {
  severity: 'warning' | 'hint'
  fix: string
  at: string
}

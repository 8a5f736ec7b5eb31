/** The smallest request that reads or writes a prefix, named by the output that it asks for. */
export type Primitive = 'zero_output' | 'prewarm' | 'one_token' | 'floor_tokens' | 'handle'
/** `sliding`: a read renews the entry. `fixed`: only an update does. `minimum`: it lives at least this long. `best_effort`, `unknown`: no promise. */
export type RetentionKind = 'sliding' | 'fixed' | 'minimum' | 'best_effort' | 'unknown'

/** One retention that a model offers. */
export interface RetentionOffer {
  /** The provider's own name for it (`5m`, `1h`, `30m`, `12h`, `in_memory`, `24h`, `implicit`). */
  name: string
  kind: RetentionKind
  /** Lifetime of an entry, from the start of the request that wrote or last read it. */
  ttlMs: number
  /** True where the provider states no figure: `ttlMs` is then a first guess, which receipts move. */
  assumed: boolean
  /** Bounds for an assumed `ttlMs`. Equal to `ttlMs` where the provider states the figure. */
  minTtlMs: number
  maxTtlMs: number
}

/** Nano-dollars per million tokens, whole numbers. An unknown price is null, never 0. */
export interface Rates {
  inputNanosPerMTok: number
  cacheReadNanosPerMTok: number
  /** By retention name. The write price of an absent retention is unknown. */
  cacheWriteNanosPerMTok: Record<string, number>
  outputNanosPerMTok: number
}

export interface Price extends Rates {
  /** Rates for all tokens of a request whose prompt is longer than `tokens`. */
  over?: Rates & { tokens: number }
  /** Rates from Monday to Friday in these hours of the UTC day, in which the provider charges more. */
  peak?: Rates & { hoursUtc: { from: number; until: number }[] }
  /** First UTC day (YYYY-MM-DD) of this row. Rows are appended, never edited. */
  from: string
  source: string
  checked: string
}

/** Facts about one model that decisions need. Null: unknown. */
export interface ModelFacts {
  /** Smallest prefix that the provider caches, in tokens; null: unknown. */
  minimumTokens: number | null
  /** Offered retentions, the default first; empty: nothing is known. */
  retentions: RetentionOffer[]
  /** Whether answers report written tokens. It decides what "read 0, write 0" means. */
  writesReported: boolean
  /** Primitives in the order in which they are tried. */
  primitives: Primitive[]
  /** Probes that read nothing before one can read, where a provider makes an entry only for a repeated prefix; absent: 1. */
  probesToSeed?: number
  /** Tokens of one block of the cache: a whole read may end that much before the prefix does. Absent: unknown. */
  blockTokens?: number
  /**
   * What prompts must have in common to share an entry. `blocks`: whole blocks, because entries end at a marker or a message. `tokens`: what
   * they begin with, even inside of one text. Absent: unknown.
   */
  sharedBy?: 'blocks' | 'tokens'
  /**
   * Requests in `everyMs` with one beginning and one cache key beyond which the provider sends some to further machines, each with a cache of
   * its own. Absent: none is known.
   */
  spill?: { requests: number; everyMs: number }
  /** Entries stay until other prompts need their place, the least recently used first: an engine of one's own. Absent: others do not matter. */
  untilDisplaced?: true
  /** Least output tokens that a probe asks for, where the wire format's minimum is too low for this model. */
  outputFloorTokens?: number
  /** Effort of reasoning, or level of thinking, of a request that names none. Absent: not known, so that a named one is another setting. */
  defaultEffort?: string
  /** Budget for thinking of a request that names none, as its provider writes it (-1: the model decides). Absent: not known. */
  defaultThinkingBudget?: number
  /** True: a request that says nothing of thinking thinks, as much as it needs. Absent: it does not think. */
  thinksByDefault?: true
  /**
   * True: thinking, effort and output format are rendered in front of the messages, behind tools and system prompt. Absent: in front of
   * everything, or not known.
   */
  settingsBeforeMessages?: true
  /**
   * Parameters that the provider answers with 400; absent: none is known. `thinking`: a budget for thinking. `adaptive`: every other kind of
   * thinking.
   */
  refuses?: readonly ('thinking' | 'adaptive' | 'effort' | 'sampling' | 'top_k' | 'parallel_tool_calls')[]
  /** The context window in tokens: no prompt has more, and no answer. Absent: not known. */
  contextTokens?: number
  price: Price | null
}

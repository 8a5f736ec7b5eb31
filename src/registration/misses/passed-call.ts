import type { Usage } from '../../core/model/usage.ts'

/** What the gateway remembers of one call, to find why the next one missed. Hashes under the account's key, lengths and counts: nothing of the prompt. */
export interface CallFacts {
  /** The body, as `packedSketch` writes it. */
  sketch: string
  /** Hashes of what it belongs to: its session, else its first question; its label; the beginning of its system prompt. Null: it has none. */
  session: string | null
  label: string | null
  family: string | null
  /** Hash of the credential that it was sent with. */
  credential: string
  /** The model, as facts are asked of it. */
  model: string
  /** Name of the lifetime that its last marker asks for; null: the model's default. */
  retention: string | null
  /** Its label, as callers wrote it. */
  name: string | null
  /** From the start to the end of its answer: no later than then its entry was written. */
  doneMs?: number
  /** The provider behind a router, as the usage names it. */
  upstream?: string
  /** The usage names no count of cached tokens. */
  unsaid?: true
  /** Its counts cannot be true. */
  impossible?: true
  /** The provider's own word on why it missed, and the tokens that it names. */
  reported?: [reason: string, tokens: number | null]
  /** A subscription paid for it, so no price of a token does. */
  flat?: true
}

/** One call, as it is judged. */
export interface PassedCall extends CallFacts {
  provider: string
  startedAt: number
  ttftMs: number | null
  usage: Usage
  /** The registered prefix that it began with; null: none. */
  prefix: string | null
}

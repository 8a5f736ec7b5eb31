import type { Breakpoint, Advice } from '../core/model/advice.ts'
import type { Primitive, ModelFacts } from '../core/model/facts.ts'
import type { Usage } from '../core/model/usage.ts'
import type { FailureValue } from '../contract/failure.ts'
import type { DialectId } from './card.ts'

/** What a caller asks of the cache, in the one normalised form. Absent members mean: the provider's default. */
export interface CacheRequest {
  mode: 'disabled' | 'best_effort' | 'required'
  strategy: CacheStrategy
  /** A retention name of the model, or a neutral wish; absent or `auto`: what the body's own markers say, else what the planner chooses. */
  retention?: string
  key?: string
}

/** `count`: at most so many breakpoints, at the end of the stable prefix. `at`: the field that the handle was given in. */
export type CacheStrategy =
  | 'automatic'
  | { explicit: ExplicitBreakpoint[] }
  | { last: number }
  | { count: number }
  | { handle: string; at?: string }

export type ExplicitBreakpoint = { toolsEnd: true } | { itemEnd: number } | { partEnd: [item: number, part: number] }

/** A body that arrived in the provider's own form (`text` is the exact JSON text of the request), or was rendered to it. */
export interface NativeRequest {
  text: string
  /** The envelope's `model`, for wire formats that carry it outside the body; must agree with the body's own where both exist. */
  model?: string
  cache?: CacheRequest
  /** True where all of it is the prefix, unless a strategy says otherwise. */
  whole?: boolean
}

/** The neutral form, after `vars` are filled in: everything given is the prefix. Schemas are raw JSON text, kept byte for byte. */
export interface NeutralRequest {
  model: string
  system?: string
  tools?: { name: string; description?: string; parametersText: string }[]
  messages?: { role: 'user' | 'assistant'; content: string }[]
  cache?: CacheRequest
}

/** A registered prefix: the body cut at its end, and what a provider would compare. */
export interface PreparedPrefix {
  model: string
  /** The registered body with everything after the breakpoint removed: valid JSON, the kept spans byte-identical to the caller's. */
  text: string
  breakpoint: Breakpoint
  /** Retention name that probes write at (`5m`, `1h`, …). */
  retention: string
  /** Neither the caller nor a marker of the body's own says which: the one above is the model's default, and another may be taken. */
  retentionOpen?: true
  /** Canonical token stream of what the provider compares, without provider, credential and account (the caller adds those). */
  canonical: string
  /** Cache key inside the body or the cache request, if any (part of the canonical stream as well). */
  cacheKey: string | null
  /** Estimate of prefix tokens (bytes of rendered text ÷ 4), for reservations before the first receipt. */
  estimatedTokens: number
  /** UTF-8 bytes of rendered text: `bytes / 2` is the most tokens that it could plausibly be. */
  renderedBytes: number
  advice: Advice[]
}

/** One request to a provider, ready to be sent: path below the card's base URL, exact body. */
export interface ProbeRequest {
  /** `POST` when absent. Another one only where no SDK carries the call. */
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  body: string
  /** The most output tokens that the answer can bill: what a reservation has to count with. */
  outputTokens?: number
  /** Headers of this request alone, such as the one that steers it to the machine that holds the entry. */
  headers?: Record<string, string>
}

export interface ProbeOptions {
  primitive: Primitive
  retention: string
  /** Overrides the floor of the primitive. */
  outputTokens?: number
  /** The prefix's cache key, for providers that take it in a header; a key in the body is there already. */
  key?: string | null
  /** Something that no other probe has, for providers where the turn behind the prefix must not repeat. */
  nonce?: string
}

/** What an answer said. `raw` is the provider's own usage object, kept beside the normalised one. */
export interface ProbeAnswer {
  usage: Usage
  rawUsage: unknown
  model: string | null
}

/**
 * A wire format. Pure both ways: it describes a call and reads an answer, and never fetches.
 * Throws `Failure` (`invalid_request` naming the field, `unsupported`) for bodies it cannot take.
 */
export interface Dialect {
  id: DialectId
  /** Finds where the prefix ends, cuts the body there, and reads out what a provider would compare. */
  prepare(request: NativeRequest, facts: (model: string) => ModelFacts): PreparedPrefix
  /** Writes the neutral form as a native body. All of it is the prefix, which `renderNeutral` (neutral.ts) tells `prepare`. */
  render(request: NeutralRequest): string
  /** Which primitives this very body allows, best first (Anthropic: no zero output beside enabled thinking, and so on). */
  primitives(text: string, facts: ModelFacts): Primitive[]
  /** The probe: the stored text edited by spans, never re-serialised. `outputTokens` overrides the floor of the primitive. */
  probe(prefix: Pick<PreparedPrefix, 'text' | 'model' | 'breakpoint'>, options: ProbeOptions): ProbeRequest
  /**
   * Reads usage from a complete answer (JSON text, or the text of a server-sent stream). Throws `unreadable_answer`.
   * `headers` are asked where a provider counts in them as well.
   */
  readAnswer(text: string, contentType: string, headers?: Headers): ProbeAnswer
  /** The same normalisation for a usage object that a caller observed on a real request; null when it is no such object. */
  readUsage(usage: unknown): Usage | null
  /** What an error answer means; never carries the provider's own text. */
  readError(status: number, headers: Headers, text: string): ErrorReading
}

export interface ErrorReading {
  failure: FailureValue
  /** How long the provider asked us to wait; null when it did not say. */
  retryAfterMs: number | null
  /** True when the provider refused the primitive itself (an unknown field, a floor), so that the next one of the ladder may work. */
  primitiveRefused: boolean
  /** True for failures that waiting will not heal (quota spent, billing, key refused): plans stop. */
  permanent: boolean
}

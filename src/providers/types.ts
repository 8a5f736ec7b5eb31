import type { FailureValue } from '../contract/failures.ts'
import type { Advice, Breakpoint, ModelFacts, Primitive, Usage } from '../core/types.ts'

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
  /** Writes the neutral form as a native body. All of it is the prefix, which `prepareNeutral` (neutral.ts) tells `prepare`. */
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

export type DialectId =
  | 'anthropic-messages'
  | 'openai-responses'
  | 'openai-chat'
  | 'gemini-content'
  | 'bedrock-converse'

/**
 * Where a provider differs from its wire format: flat values, so that a card states a difference by naming it. A value that a
 * wire format has no use for is ignored by it.
 */
export interface Wire {
  /** The output cap's name, where the body has none of its own. */
  readonly cap: 'max_completion_tokens' | 'max_tokens'
  /** What a probe may write of the cache's settings: OpenAI's, only `prompt_cache_options.ttl`, or nothing (the body's own stay). */
  readonly controls: 'openai' | 'ttl' | 'none'
  /** Member of the body that holds the cache key; null: none does. */
  readonly keyMember: string | null
  /** Header that holds the cache key instead; null: none does. */
  readonly keyHeader: string | null
  /** Members that count here although they change nothing where the wire format comes from. */
  readonly compared: readonly string[]
  /** Retentions that the wire can express, its default first. */
  readonly retentions: readonly string[]
  /** Members of a content block that mark the end of a reusable prefix; they are no prompt. */
  readonly markers: readonly string[]
  /** Models (an id, or a prefix ending in `*`) that cache only where a `cache_control` stands, so that probes set it. */
  readonly markedModels: readonly string[]
  /** True where the turn behind the prefix must differ from probe to probe, because the end of a whole prompt is an entry too. */
  readonly uniqueTail: boolean
  /** Header of an answer that counts the tokens read from the cache, for answers whose usage does not. */
  readonly cachedHeader: string | null
  /** Put in front of the paths. */
  readonly version: string
  /** What a registration should be told. */
  readonly advice: readonly Advice[]
  /** Words of the provider's errors beyond those that all have. Tokens are whole, words are found inside a message; lower case. */
  readonly spentTokens: readonly string[]
  readonly spentWords: readonly string[]
  readonly keyWords: readonly string[]
  readonly busyTokens: readonly string[]
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

/** Facts with their source, as a card states them for a family of models. */
export interface ModelCard {
  /** Model ids that this row describes: an exact id, or a prefix ending in `*`. The first row that matches wins. */
  models: string[]
  facts: Omit<ModelFacts, 'price'>
  prices: NonNullable<ModelFacts['price']>[]
  source: string
  checked: string
}

/** Something known of a provider, where it was read, and when. `says: null`: nobody says, and we do not guess. */
export interface Fact {
  says: string | null
  source: string
  checked: string
}

/** What a card says in words. What behaviour depends on stands in values beside them. */
export const FACT_NAMES = [
  'mechanism',
  'granularity',
  'clock',
  'affinity',
  'writes',
  'usage',
  'price',
  'limits',
  'errors',
  'geo',
] as const

export type CardFacts = Readonly<Record<(typeof FACT_NAMES)[number], Fact>>

/** A provider: a card of facts. Behaviour lives in its dialects. */
export interface Card {
  id: string
  name: string
  /** `{NAME}` stands for the Worker variable of that name: a part of the address, or (alone in front) the administrator's own. */
  baseUrl: string
  /** The address at one value of a variable, keyed `NAME=value`, where the rule has an exception. */
  baseUrlWhen?: Readonly<Record<string, string>>
  /** Header that carries the credential, behind `scheme` if there is one; `authorization-bearer` is `Authorization: Bearer`. */
  auth: { header: string; scheme?: string }
  headers: Record<string, string>
  /** Headers of a caller's own requests that decide what is cached, in lower case: probes carry them. Absent: none. */
  callerHeaders?: readonly string[]
  dialect: DialectId
  wire?: Partial<Wire>
  supportsHandles: boolean
  /** True where a request renews the entries at every marker that it passes, and not only the longest one that it reads. */
  marksRenewed?: true
  /** True where a credential may be a Google service-account key, which is exchanged for an access token before a call. */
  serviceAccounts?: true
  /** Name of the Worker secret that holds the default credential. */
  secret: string
  /** Why nothing is warmed here. `byDefault`: the administrator may allow it (`WARM_ANYWAY`). */
  refusal?: { why: string; byDefault: boolean }
  models: ModelCard[]
  facts: CardFacts
  source: string
  checked: string
}

import type { ModelFacts } from '../core/model/facts.ts'
import type { Advice } from '../core/model/advice.ts'
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

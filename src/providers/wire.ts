import type { Advice } from '../core/model/advice.ts'

/**
 * Where a provider differs from its wire format: flat values, so that a card states a difference by naming it. A value that a
 * wire format has no use for is ignored by it.
 */
export interface Wire {
  /** The output cap's name, where the body has none of its own. */
  readonly cap: 'max_completion_tokens' | 'max_tokens'
  /** Cache settings that a probe may write: all of OpenAI's, only `prompt_cache_options.ttl`, or none (the body's own stay). */
  readonly controls: 'all' | 'ttl' | 'none'
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

/** What holds where neither the wire format nor the card says otherwise: no controls, no key, nothing to read beside the answer. */
export const PLAIN: Wire = {
  cap: 'max_tokens',
  controls: 'none',
  keyMember: null,
  keyHeader: null,
  compared: [],
  retentions: ['implicit'],
  markers: [],
  markedModels: [],
  uniqueTail: false,
  cachedHeader: null,
  version: '',
  advice: [],
  spentTokens: [],
  spentWords: [],
  keyWords: [],
  busyTokens: [],
}

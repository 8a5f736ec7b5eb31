import type { SettingName } from '../contract/neutral-settings.ts'
import type { Advice } from '../core/model/advice.ts'

/**
 * Differences between providers of one wire format, as flat values. A card names only the values that differ. A dialect ignores values
 * that it has no use for.
 */
export interface Wire {
  /** Member for the output cap, where the body has none. */
  readonly cap: 'max_completion_tokens' | 'max_tokens'
  /** Models (an id, or a prefix ending in `*`) that take the output cap under the name `cap` alone. */
  readonly cappedModels: readonly string[]
  /** Cache settings that a probe may write: all of OpenAI's, only `prompt_cache_options.ttl`, or none (the body's own stay). */
  readonly controls: 'all' | 'ttl' | 'none'
  /** Member of the body for the cache key; null: none. */
  readonly keyMember: string | null
  /** Header for the cache key; null: none. */
  readonly keyHeader: string | null
  /**
   * Paths of members that choose the server which answers (`provider.order`). They keep no prefixes apart: a request that differs from its
   * prefix in one is told so, because servers share no cache.
   */
  readonly routing: readonly string[]
  /** Retentions that a request can name, the default first. */
  readonly retentions: readonly string[]
  /** Members of a content block that mark the end of a prefix. They are no part of the prompt. */
  readonly markers: readonly string[]
  /** Models (an id, or a prefix ending in `*`) that cache only at a `cache_control`. Probes set it. */
  readonly markedModels: readonly string[]
  /** True: the turn behind the prefix differs from probe to probe, because the end of a whole prompt becomes an entry as well. */
  readonly uniqueTail: boolean
  /** Header of an answer with the tokens read from the cache, for answers whose usage does not count them; null: none. */
  readonly cachedHeader: string | null
  /** Settings of the neutral form that the format, or this provider, has no member for. */
  readonly lacks: readonly SettingName[]
  /** How Chat Completions take thinking here: `thinking: {type}`, or in `reasoning` together with the effort. Null: not at all. */
  readonly thinking: 'type' | 'reasoning' | null
  /** Value of `anthropic_version` in the body, where a provider takes it there and the model in the path; null: neither. */
  readonly versionInBody: string | null
  /** Member of a count's body that holds the whole request to count; null: its members stand in the body themselves. */
  readonly countedIn: string | null
  /** Prefix of all paths, such as `/v1beta`. */
  readonly version: string
  /** Advice in the answer to each registration. */
  readonly advice: readonly Advice[]
  /** Error words of this provider beyond the common ones, in lower case. Tokens match whole codes, words match inside a message. */
  readonly spentTokens: readonly string[]
  readonly spentWords: readonly string[]
  readonly keyWords: readonly string[]
  readonly busyTokens: readonly string[]
}

/** The base of all formats: no cache settings, no cache key, no markers. */
export const PLAIN: Wire = {
  cap: 'max_tokens',
  cappedModels: [],
  controls: 'none',
  keyMember: null,
  keyHeader: null,
  routing: [],
  retentions: ['implicit'],
  markers: [],
  markedModels: [],
  uniqueTail: false,
  cachedHeader: null,
  lacks: [],
  thinking: null,
  versionInBody: null,
  countedIn: null,
  version: '',
  advice: [],
  spentTokens: [],
  spentWords: [],
  keyWords: [],
  busyTokens: [],
}

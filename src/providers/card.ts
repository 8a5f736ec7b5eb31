import type { ModelFacts } from '../core/model/facts.ts'
import type { CountMargin, TokenRule } from '../core/prompt/token-bound.ts'
import type { DialectDefinition } from './dialect.ts'
import type { ManagedCacheDialect } from './managed-cache/dialect.ts'
import type { Wire } from './wire.ts'

/** A row of a card: what is known of a family of models, with its source. */
export interface ModelCard {
  /** Model ids that this row describes: an exact id, or a prefix ending in `*`. The first row that matches wins. */
  models: string[]
  facts: Omit<ModelFacts, 'price'>
  prices: NonNullable<ModelFacts['price']>[]
  source: string
  checked: string
}

/** A fact about a provider, the page it was read on, and the day. `says` is null where that page does not say, and starts a sentence with "Assumed:" that no page states. */
export interface Fact {
  says: string | null
  source: string
  checked: string
}

/** A provider's own count of a request. The format of its wire says how it is asked for. */
export interface CardCount extends CountMargin {
  /** Models (an id, or a prefix ending in `*`) that it counts. Absent: all. */
  models?: readonly string[]
  /** The name that it knows a model by. Absent: the one of requests. */
  nameOf?: (model: string) => string
}

/** What limits the tokens of a request to this provider. */
export interface CardTokens extends Pick<TokenRule, 'added' | 'parts'> {
  /** Models (an id, or a prefix ending in `*`) for which the public vocabulary o200k is a limit, and their most tokens for each of its. */
  vocabulary?: { models: readonly string[]; ratio: number }
  /** The provider counts a request free of charge, and its count may be this much below what it bills. Absent: it is not asked. */
  count?: CardCount
  /** In words, with what is assumed. */
  says: string
  source: string
  checked: string
}

/** Facts that a card states in words for people. Code reads the other members. */
export const FACT_NAMES = [
  'mechanism',
  'granularity',
  'clock',
  'affinity',
  'settings',
  'writes',
  'usage',
  'price',
  'limits',
  'errors',
  'geo',
] as const

export type CardFacts = Readonly<Record<(typeof FACT_NAMES)[number], Fact>>

/** How a provider is asked in a request why that one missed. */
export interface CardDiagnostics {
  /** The member of the body, and the member of that object which names an earlier answer to compare with. */
  place: readonly [string, string]
  /** True: null may stand for the answer where none is known, so that the next request can be compared with this one. */
  takesNone?: true
  /** Its models have this retention. Absent: all have diagnostics. */
  retention?: string
  source: string
  checked: string
}

/** A provider, as facts. Its dialect holds the behaviour. */
export interface Card {
  id: string
  /** Other words that callers have for it. Absent: none. */
  alsoCalled?: readonly string[]
  name: string
  /** `{NAME}` is replaced by the Worker variable of that name. In front it is a whole URL, elsewhere one part of the address. */
  baseUrl: string
  /** Other addresses for single values of a variable, keyed `NAME=value`. */
  baseUrlWhen?: Readonly<Record<string, string>>
  /** Variable of the address that a caller may name: the region or location. Absent: there is none. */
  region?: string
  /** Header of the credential, and the `scheme` in front of it if there is one. `authorization-bearer` is `Authorization: Bearer`. */
  auth: { header: string; scheme?: string }
  headers: Record<string, string>
  /** Headers of a caller's real requests that change what is cached, in lower case. Probes carry them. Absent: none. */
  callerHeaders?: readonly string[]
  dialect: DialectDefinition
  wire?: Partial<Wire>
  /** How the provider's managed caches are created, renewed and removed. Absent: it has none. */
  managedCaches?: ManagedCacheDialect
  /** False: its models call no functions of the caller. Absent: they do. */
  tools?: false
  /** False: its answers are not read as streams. Absent: they are. */
  streams?: false
  /** Id of the same vendor's card for another format. A body sent to that card with `messages`, without `input` or `contents`, is served by this one. */
  chatOf?: string
  /** Models (an id, or a prefix ending in `*`) that are served by this card, and not by the one in `chatOf`. Absent: the body alone decides. */
  onlyModels?: readonly string[]
  /** The name that rows of `models` have for a model, which requests may name otherwise: by an ARN, or with a date. Absent: its own. */
  knownAs?: (model: string) => string
  /** Other names of models, and the name that stands for the same one, where documents say what a name without a date points to: they share entries. */
  sameModels?: Readonly<Record<string, string>>
  /** Members, objects in a body, that only this provider has: a body without a named provider is recognised by them. */
  ownMembers?: readonly string[]
  /** What in a body's text the provider leaves out when it compares prompts. Absent: nothing is known. */
  notCompared?: readonly RegExp[]
  /** True: the order of a body's members is compared. Absent: it is not. */
  comparesMemberOrder?: true
  /** The provider's own diagnostics of misses. Absent: it has none. */
  diagnostics?: CardDiagnostics
  /** Other names of this provider in request logs, in lower case. */
  aliases?: readonly string[]
  /** Its name in the GenAI conventions of OpenTelemetry (`gen_ai.provider.name`). Absent: its id. */
  spanName?: string
  /** Path on the local simulator, used in development. Absent: the dialect's. */
  labPath?: string
  /** True: a request renews the entries at all of its markers, and not only the longest one that it reads. */
  renewsAllMarkers?: true
  /** True: a credential may be a Google service-account key, which is exchanged for an access token before a call. */
  serviceAccounts?: true
  /** Time that one call may take to be answered (ms). Absent: 50 s for a deliberate write, less for a keep-alive (`schedule.ts`). */
  answerTimeoutMs?: number
  /** Id of the card that an administrator's provider is like. Absent: a card of this version. */
  like?: string
  /** Name of the Worker secret that holds the default credential. */
  secret: string
  /**
   * The longest context window of its models, in tokens: counts above it are not believed. Absent: not known, and the longest of any model
   * counts.
   */
  contextTokens?: number
  /** Why prefixes of this provider are not warmed. `byDefault`: an administrator may allow it (`WARM_ANYWAY`). */
  refusal?: { why: string; byDefault: boolean }
  models: ModelCard[]
  /** Absent: nothing is stated, so that each byte may be a token. */
  tokens?: CardTokens
  facts: CardFacts
  source: string
  checked: string
}

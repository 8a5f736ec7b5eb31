import type { ModelFacts } from '../core/model/facts.ts'
import type { DialectDefinition } from './dialect.ts'
import type { ManagedCacheDialect } from './managed-cache/dialect.ts'
import type { Wire } from './wire.ts'

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
  dialect: DialectDefinition
  wire?: Partial<Wire>
  /** How the provider's managed caches are created, renewed and removed. Absent: it has none. */
  managedCaches?: ManagedCacheDialect
  /** False where its models call no functions of the caller's. */
  tools?: false
  /** False where no answer can be read as a stream. */
  streams?: false
  /** Id of the vendor's card for Responses: its callers mean this card with a body that has `messages` and no `input`. */
  chatOf?: string
  /** Names, beside the id, that request logs have for this provider, in lower case. */
  aliases?: readonly string[]
  /** Path on the local simulator, in development; absent: the wire format's. */
  labPath?: string
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

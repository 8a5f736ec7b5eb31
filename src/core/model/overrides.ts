import type { ModelFacts, Price, RetentionOffer } from './facts.ts'

/** An administrator's facts about models, which replace those of the card. Absent members stay the card's. */
export interface ModelOverride {
  /** Model ids: exact, or a prefix ending in `*`. The first row that matches wins. */
  models: string[]
  minimumTokens?: number | null
  /** Null: the wire format's minimum. */
  outputFloorTokens?: number | null
  /** The default first. */
  retentions?: RetentionOffer[]
  prices?: OverriddenPrice[]
}

/** A price of the administrator. `writesAtInput`: writing costs what input costs, at every retention of the model. */
export type OverriddenPrice = Price & { writesAtInput?: true }

/** An administrator's facts about one provider. */
export interface ProviderOverride {
  /** Id of the card that an added provider is like. Absent: the facts are said over a card of the version. */
  like?: string
  /** Name of an added provider. Absent: its id. */
  name?: string
  baseUrl?: string
  /** Time that a call may take to be answered. Absent: the card's. */
  answerTimeoutMs?: number
  models?: ModelOverride[]
}

/** All overrides of a deployment, by provider id. Each change raises the version. */
export interface Overrides {
  version: number
  providers: Record<string, ProviderOverride>
}

/** One change of an override. A null `override` resets the provider to its card, or removes an added one. */
export interface OverrideChange {
  version: number
  provider: string
  at: number
  /** Id of the request that made the change. */
  requestId: string
  override: ProviderOverride | null
}

/** Applies an override to the card's facts. `names`: the names of the model. `priceOf` picks the price row of the day. */
export function overridden(
  facts: ModelFacts,
  override: ProviderOverride | undefined,
  names: readonly string[],
  priceOf: (rows: readonly Price[]) => Price | null,
): ModelFacts {
  const row = override?.models?.find(({ models }) =>
    models.some((pattern) => names.some((name) => matches(pattern, name))),
  )
  if (row === undefined) return facts
  const retentions = row.retentions ?? facts.retentions
  return {
    ...facts,
    ...(row.minimumTokens === undefined ? {} : { minimumTokens: row.minimumTokens }),
    ...(row.outputFloorTokens == null ? {} : { outputFloorTokens: row.outputFloorTokens }),
    ...(row.retentions === undefined ? {} : { retentions: row.retentions }),
    ...(row.prices === undefined ? {} : { price: priceOf(row.prices.map((price) => completed(price, retentions))) }),
  }
}

function completed({ writesAtInput, ...price }: OverriddenPrice, retentions: readonly RetentionOffer[]): Price {
  if (writesAtInput !== true) return price
  const writes = retentions.map(({ name }) => [name, price.inputNanosPerMTok] as const)
  return { ...price, cacheWriteNanosPerMTok: Object.fromEntries(writes) }
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

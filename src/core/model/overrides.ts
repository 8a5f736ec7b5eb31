import type { ModelFacts, Price, RetentionOffer } from './facts.ts'

/** What an administrator says of models, over what their card says. What is absent stays the card's. */
export interface ModelOverride {
  /** Model ids: exact, or a prefix ending in `*`. The first row that matches wins. */
  models: string[]
  minimumTokens?: number | null
  /** Null: the wire format's own. */
  outputFloorTokens?: number | null
  /** The default first. */
  retentions?: RetentionOffer[]
  prices?: Price[]
}

/** What an administrator says of a provider. */
export interface ProviderOverride {
  baseUrl?: string
  models?: ModelOverride[]
}

/** All overrides of a deployment, by provider. The version rises with each change. */
export interface Overrides {
  version: number
  providers: Record<string, ProviderOverride>
}

/** One change of what is said over a card; `override` null: reset to the card. */
export interface OverrideChange {
  version: number
  provider: string
  at: number
  /** Which call made it. */
  requestId: string
  override: ProviderOverride | null
}

/** The card's facts with what the administrator says over them. `priceOf` picks the price that holds on the day. */
export function overridden(
  facts: ModelFacts,
  override: ProviderOverride | undefined,
  model: string,
  priceOf: (rows: readonly Price[]) => Price | null,
): ModelFacts {
  const row = override?.models?.find(({ models }) => models.some((pattern) => matches(pattern, model)))
  if (row === undefined) return facts
  return {
    ...facts,
    ...(row.minimumTokens === undefined ? {} : { minimumTokens: row.minimumTokens }),
    ...(row.outputFloorTokens == null ? {} : { outputFloorTokens: row.outputFloorTokens }),
    ...(row.retentions === undefined ? {} : { retentions: row.retentions }),
    ...(row.prices === undefined ? {} : { price: priceOf(row.prices) }),
  }
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

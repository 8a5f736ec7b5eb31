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
  prices?: Price[]
}

/** An administrator's facts about one provider. */
export interface ProviderOverride {
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

/** One change of an override. A null `override` resets the provider to its card. */
export interface OverrideChange {
  version: number
  provider: string
  at: number
  /** Id of the request that made the change. */
  requestId: string
  override: ProviderOverride | null
}

/** Applies an override to the card's facts. `priceOf` picks the price row of the day. */
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

import type { ModelFacts } from '../core/model/facts.ts'
import { outlineOf, sampleOfPrefix } from '../providers/prefix/outline.ts'
import type { Outline } from '../providers/prefix/outline.ts'
import type { Card } from '../providers/card.ts'
import type { Identity } from './identity.ts'
import type { PrefixRecord } from './record.ts'

/**
 * Hashes by which a prefix is found from the body of a request, as rows of the table `lookup`: the entry, its content under any key, model
 * and provider, and some of its sentences. The first letter says which of these a hash is.
 */
export type Lookup = string

export const entryLookup = (entry: string): Lookup => `e${entry}`
export const contentLookup = (head: string): Lookup => `c${head}`
export const sampleLookup = (piece: number): Lookup => `s${piece.toString(36)}`

/** The outline of a stored prefix. */
export function storedOutline(
  card: Card,
  { text, model, cacheKey }: { text: string; model: string; cacheKey: string | null },
  facts: ModelFacts,
): Outline {
  const cache =
    cacheKey === null ? {} : { cache: { mode: 'best_effort', strategy: 'automatic', key: cacheKey } as const }
  return outlineOf(card, { text, model, ...cache }, () => facts)
}

/** The lookups of a stored prefix. Its last head is the end of it. */
export function lookupsOf(outline: Outline, { entryFor }: Pick<Identity, 'entryFor'>): Lookup[] {
  const end = outline.heads.at(-1)
  if (end === undefined) return []
  return [entryLookup(entryFor(end, outline)), contentLookup(end), ...sampleOfPrefix(outline).map(sampleLookup)]
}

/** A request that belongs to no registered prefix, as it is looked up. */
export interface Sought {
  provider: string
  model: string
  cacheKey: string | null
  /** `contentLookup` of its heads, the longest first. */
  contents: readonly Lookup[]
  /** `sampleLookup` of its sentences. */
  samples: readonly Lookup[]
}

/** A registered prefix that a request comes close to. */
export interface Candidate extends Pick<
  PrefixRecord,
  'id' | 'name' | 'provider' | 'model' | 'credential' | 'cacheKey' | 'estimatedTokens'
> {
  place: string | null
  headers: Record<string, string>
  /** True: the request begins with its content. False: they share sentences. */
  sameContent: boolean
}

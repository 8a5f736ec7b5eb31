import type { ModelFacts } from '../../core/model/facts.ts'
import type { Card } from '../card.ts'
import type { PreparedPrefix } from '../dialect.ts'
import type { Place } from './blocks.ts'

/**
 * One agent of a crew. What agents share begins with their tools. Where their cache shares whole blocks only, it consists of whole blocks.
 * Below the model's minimum of tokens it would be paid for and never cached.
 */
export interface CrewAgent {
  card: Card
  facts: ModelFacts
  prefix: PreparedPrefix
  /** Owner of the cache: entries are never shared between two keys. */
  scope: string
}

/** Agents that can share a cache entry; `why` is a sentence for the user. */
export interface CrewGroup {
  members: number[]
  /** What they share, as a prefix of its own; null: they share too little, or their cache compares tokens. */
  common: { prefix: PreparedPrefix; place: Place } | null
  /**
   * What they share where their cache compares tokens: the calls of the first `writers` of them write it. Absent: they share too little, or
   * `common` says it.
   */
  led?: { estimatedTokens: number; path: string; writers: number }
  why: string
}

/** Minimum where the model's card states none. */
export const ASSUMED_MINIMUM_TOKENS = 1_024

/** The fewest tokens that agents of this model can share. */
export function minimumOf({ facts: { minimumTokens } }: CrewAgent, minSharedTokens: number): number {
  return Math.max(minSharedTokens, minimumTokens ?? ASSUMED_MINIMUM_TOKENS)
}

/** All markers of a request have one retention, so agents with different ones share no prefix. */
export function scopeOf({ card, prefix, scope }: CrewAgent): string {
  return JSON.stringify([card.id, prefix.model, scope, prefix.cacheKey, prefix.retention])
}

export function byKey(indices: Iterable<number>, keyOf: (index: number) => string): number[][] {
  const groups = new Map<string, number[]>()
  for (const index of indices) {
    const key = keyOf(index)
    groups.set(key, [...(groups.get(key) ?? []), index])
  }
  return [...groups.values()]
}

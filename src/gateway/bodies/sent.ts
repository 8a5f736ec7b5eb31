import type { RetentionOffer } from '../../core/model/facts.ts'
import type { CacheRequest } from '../../providers/dialect.ts'
import type { Outline } from '../../providers/prefix/outline.ts'

/**
 * The retention that a body carries for the prefix that ends with a block, as its model names it. Null: none. Undefined: the model states no lifetimes, so
 * that no body can carry one.
 */
export function retentionSent(
  { blocks, retention, reads }: Outline,
  index: number,
  offers: readonly RetentionOffer[],
): string | null | undefined {
  if (offers.every(({ assumed }) => assumed)) return undefined
  const marked = blocks.find((block, at) => at >= index && block.isMarked)
  // A marker at the top is one more marker; any other member there holds for all of them.
  const ofAll = reads?.marksEnd === true ? undefined : retention
  const name = marked === undefined ? retention : (marked.ttl ?? ofAll ?? offers[0]?.name)
  return offers.some((offer) => offer.name === name) ? (name ?? null) : null
}

/** The retention that a call asks for beside its body; undefined: none that its model offers. */
export function retentionAsked(wish: CacheRequest | null, offers: readonly RetentionOffer[]): string | undefined {
  const sorted = offers.toSorted((a, b) => a.ttlMs - b.ttlMs)
  const asked = wish?.retention
  if (asked === 'default') return offers[0]?.name
  if (asked === 'short') return sorted[0]?.name
  if (asked === 'extended') return sorted.at(-1)?.name
  return offers.find(({ name }) => name === asked)?.name
}

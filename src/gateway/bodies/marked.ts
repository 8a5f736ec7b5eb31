import { cache, cacheValue } from '../../contract/cache.ts'
import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import { parseWith } from '../../contract/issues.ts'
import { blocksOf, markBlock } from '../../providers/prefix/blocks.ts'
import type { Card } from '../../providers/card.ts'
import type { CacheRequest } from '../../providers/dialect.ts'
import { dialectOf } from '../../providers/registry.ts'
import { checkedCut } from '../../registration/faults.ts'

/** Header with what a call asks of the cache: the JSON of `cache` in `POST /warm`. */
export const CACHE = 'x-pilotlight-cache'

/** What a call asks of the cache; null: nothing, so that its body stays as it is. Throws a `Failure` for what is no such wish, or cannot be met. */
export function cacheWish(headers: Headers): CacheRequest | null {
  const given = headers.get(CACHE)
  if (given === null) return null
  const wish = cacheValue(parseWith(cache, jsonOf(given), CACHE))
  if (wish.mode === 'disabled') return null
  if (wish.mode === 'required') throw unmet('mode', 'a caller’s own request is not judged; ask POST /warm for that')
  if (wish.key !== undefined) throw unmet('key', 'the gateway sets markers alone; set the key in the body')
  if (wish.strategy !== 'automatic' && (!('explicit' in wish.strategy) || wish.strategy.explicit.length > 1))
    throw unmet('strategy', 'the gateway sets one marker: "automatic", or one breakpoint in "explicit"')
  return wish
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(CACHE, 'must be the JSON of "cache", such as {"retention":"1h"} or "auto"')
  }
}

function unmet(member: string, why: string): Failure {
  const field = `${CACHE}.${member}`
  return new Failure('unsupported', `${field}: ${why}.`, { field })
}

/**
 * A body with a marker where `POST /warm` would end its prefix; every other byte stays. Null: no marker is to be set, because one is there, the format or
 * this place takes none, the body has its most already, or its provider would refuse the result.
 */
export function markedBody(
  card: Card,
  { text, model }: { text: string; model: string | null },
  wish: CacheRequest,
  now: number,
): string | null {
  const named = model === null ? {} : { model }
  try {
    const { prefix, faults } = checkedCut(card, { text, ...named, cache: wish }, now)
    const dialect = dialectOf(card)
    const block = blocksOf(dialect, text).find(({ path }) => path === prefix.breakpoint.path)
    if (block === undefined || block.isMarked) return null
    const marked = markBlock(dialect, text, block.place, prefix.retention)
    if (marked === null || marked === text) return null
    return checkedCut(card, { text: marked, ...named }, now).faults.length > faults.length ? null : marked
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

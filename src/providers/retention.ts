import { Failure } from '../contract/failures.ts'
import type { Advice, ModelFacts } from '../core/types.ts'
import { invalid } from './body.ts'
import type { CacheRequest } from './types.ts'

/** Every name that some provider has for a retention. A name outside is a mistake, a name inside may merely not be offered here. */
const KNOWN = new Set(['5m', '1h', '30m', '12h', 'in_memory', '24h', '2h', 'implicit'])
const WISHES = new Set(['default', 'short', 'extended'])

/**
 * The retention that probes write at. In this order: what the caller asks for, what the body's own markers say, the model's default.
 * `wire` lists what the wire format can express, its default first; it stands in where nothing is known of the model.
 */
export function chooseRetention(
  cache: CacheRequest | undefined,
  own: string | null,
  facts: ModelFacts,
  wire: readonly string[],
): { name: string; advice: Advice[] } {
  const offers = facts.retentions.length > 0 ? facts.retentions : wire.map((name) => ({ name }))
  const names = offers.map((offer) => offer.name)
  const fallback = names[0]!
  const wish = cache?.retention ?? own
  if (wish === null || wish === undefined || wish === 'default') return { name: fallback, advice: [] }
  if (names.includes(wish)) return { name: wish, advice: [] }
  if (!KNOWN.has(wish) && !WISHES.has(wish)) {
    throw invalid('cache.retention', `is not a retention; this model offers ${['default', ...names].join(', ')}`)
  }
  // Short and long mean something only where lengths are known.
  const sorted = facts.retentions.toSorted((a, b) => a.ttlMs - b.ttlMs)
  if (wish === 'short' && sorted.length > 0) return { name: sorted[0]!.name, advice: [] }
  if (wish === 'extended' && sorted.length > 1) return { name: sorted.at(-1)!.name, advice: [] }
  if (cache?.mode === 'required') {
    throw new Failure('unsupported', `The model does not offer the retention ${wish}; it offers ${names.join(', ')}.`, {
      field: 'cache.retention',
      offered: names,
    })
  }
  return {
    name: fallback,
    advice: [
      {
        cause: 'retention_not_offered',
        message: `This model does not offer the retention ${wish}; probes write at ${fallback}. It offers ${names.join(', ')}.`,
        at: cache?.retention === undefined ? 'request' : 'cache.retention',
      },
    ],
  }
}

/** Refuses a required cache key, and remarks on a wished one, where the provider has no such thing. */
export function keyWithoutEffect(cache: CacheRequest | undefined): Advice[] {
  if (cache?.key === undefined) return []
  if (cache.mode === 'required') {
    throw new Failure('unsupported', 'This provider has no cache key.', { field: 'cache.key' })
  }
  return [
    {
      cause: 'key_has_no_effect',
      message: 'This provider has no cache key; the one given is ignored.',
      at: 'cache.key',
    },
  ]
}

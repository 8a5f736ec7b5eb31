import type { ModelFacts } from '../../../core/model/facts.ts'
import { invalid } from './body.ts'
import { degraded } from './strategy.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { CacheRequest, NativeRequest } from '../../dialect.ts'
import { HOUR_MS, MINUTE_MS } from '../../../core/time/time.ts'

/** Every name that some provider has for a retention. A name outside is a mistake, a name inside may merely not be offered here. */
const KNOWN = new Set(['5m', '1h', '30m', '12h', 'in_memory', '24h', '2h', 'implicit'])
const WISHES = new Set(['default', 'short', 'extended'])

/** How long a name means, where the model that is asked has none of that name. OpenAI's in_memory: 5 to 10 minutes of idleness. */
const LENGTHS_MS: Readonly<Record<string, number>> = {
  short: 5 * MINUTE_MS,
  in_memory: 5 * MINUTE_MS,
  '5m': 5 * MINUTE_MS,
  '30m': 30 * MINUTE_MS,
  '1h': HOUR_MS,
  '2h': 2 * HOUR_MS,
  '12h': 12 * HOUR_MS,
  '24h': 24 * HOUR_MS,
  extended: 24 * HOUR_MS,
}

/** What a caller asks for; null: nothing, the planner may say. */
export function wishedRetention(cache: CacheRequest | undefined): string | null {
  return cache?.retention === undefined || cache.retention === 'auto' ? null : cache.retention
}

/**
 * Whether the planner may choose: nobody asks for a retention, the body has no marker that says one, and real requests have to take a
 * marker of ours anyway. `markers`: how many say one; those of a body that was rendered here are ours.
 */
export function openRetention({ cache, whole }: NativeRequest, markers: number): { retentionOpen?: true } {
  return wishedRetention(cache) === null && (markers === 0 || whole === true) ? { retentionOpen: true } : {}
}

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
  const asked = wishedRetention(cache)
  const wish = asked ?? own
  if (wish === null || wish === 'default') return { name: fallback, advice: [] }
  if (names.includes(wish)) return { name: wish, advice: [] }
  if (!KNOWN.has(wish) && !WISHES.has(wish)) {
    throw invalid(
      'cache.retention',
      `is not a retention; this model offers ${['auto', 'default', ...names].join(', ')}`,
    )
  }
  // Short and long mean something only where lengths are known.
  const sorted = facts.retentions.toSorted((a, b) => a.ttlMs - b.ttlMs)
  if (wish === 'short' && sorted.length > 0) return { name: sorted[0]!.name, advice: [] }
  if (wish === 'extended' && sorted.length > 1) return { name: sorted.at(-1)!.name, advice: [] }
  const lengths = new Map(facts.retentions.map(({ name, ttlMs }) => [name, ttlMs]))
  const nearest = nearestRetention(wish, names, (name) => lengths.get(name) ?? LENGTHS_MS[name])
  const advice = degraded(cache, {
    cause: 'retention_not_offered',
    at: asked === null ? 'request' : 'cache.retention',
    why: `This model does not offer the retention ${wish}; it offers ${names.join(', ')}.`,
    instead: `Probes write at ${nearest}, the nearest.`,
  })
  return { name: nearest, advice }
}

/** The offered retention whose length is the least times longer or shorter; the first (the default) where lengths say nothing. */
function nearestRetention(
  wish: string,
  names: readonly string[],
  lengthMs: (name: string) => number | undefined,
): string {
  const wanted = LENGTHS_MS[wish]
  const distance = (name: string): number => {
    const length = lengthMs(name)
    if (length === undefined || wanted === undefined) return Number.POSITIVE_INFINITY
    return Math.abs(Math.log(length / wanted))
  }
  return names.reduce((best, name) => (distance(name) < distance(best) ? name : best))
}

/** A body whose markers carry several lifetimes: those of a probe are one, so that none is longer than one in front of it. */
export function levelledRetentions(
  cache: CacheRequest | undefined,
  own: readonly string[],
  retention: string,
): Advice[] {
  const several = [...new Set(own)]
  if (several.length < 2) return []
  return degraded(cache, {
    cause: 'retentions_levelled',
    at: 'request',
    why: `Its cache markers carry several retentions (${several.join(', ')}), and all markers of a probe carry one.`,
    instead: `Probes write all of them at ${retention}.`,
  })
}

/** Refuses a required cache key, and remarks on a wished one, where the provider has no such thing. */
export function keyWithoutEffect(cache: CacheRequest | undefined): Advice[] {
  if (cache?.key === undefined) return []
  return degraded(cache, {
    cause: 'key_has_no_effect',
    at: 'cache.key',
    why: 'This provider has no cache key.',
    instead: 'The one given is ignored.',
  })
}

/**
 * A body whose marker says one retention, and a caller who asks for another: probes do as asked, and real requests write what their
 * marker says. `own`: what it says, null where none stands; `marker`: how one says `retention`.
 */
export function markerSaysOtherwise(
  cache: CacheRequest | undefined,
  own: string | null,
  retention: string,
  marker: string,
): Advice[] {
  if (wishedRetention(cache) === null || own === null || own === retention) return []
  const message = `The marker of this body says ${own}, and real requests write at what theirs says; probes write at ${retention}, as cache.retention asks. In real requests, write it as ${marker}.`
  return [{ cause: 'marker_says_otherwise', message, at: 'cache.retention' }]
}

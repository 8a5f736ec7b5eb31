import type { ModelFacts } from '../../../core/model/facts.ts'
import { invalid } from './body.ts'
import { degraded } from './strategy.ts'
import type { Advice } from '../../../core/model/advice.ts'
import type { CacheRequest, NativeRequest } from '../../dialect.ts'
import { HOUR_MS, MINUTE_MS } from '../../../core/time/time.ts'

/** Retention names of all providers. Other names are mistakes. These may still be names that a model does not offer. */
const KNOWN = new Set(['5m', '1h', '30m', '12h', 'in_memory', '24h', '2h', 'implicit'])
const WISHES = new Set(['default', 'short', 'extended'])

/** Length of a retention by its name, in milliseconds, for models without that name. OpenAI's in_memory: 5 to 10 minutes of idleness. */
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

/** The retention that the caller asks for; null: none, and the planner may choose. */
export function wishedRetention(cache: CacheRequest | undefined): string | null {
  return cache?.retention === undefined || cache.retention === 'auto' ? null : cache.retention
}

/**
 * Whether the planner may choose the retention: the caller asks for none, no marker of the body states one, and real requests need a marker
 * of ours anyway. `markers`: how many state one. Those of a body that was rendered here are ours.
 */
export function openRetention({ cache, whole }: NativeRequest, markers: number): { retentionOpen?: true } {
  return wishedRetention(cache) === null && (markers === 0 || whole === true) ? { retentionOpen: true } : {}
}

/**
 * The retention of probes: the caller's, else that of the body's own markers, else the model's default. `wire` lists the retentions of the
 * wire format, the default first. It replaces the model's where they are unknown.
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
  // `short` and `extended` need known lengths.
  const sorted = facts.retentions.toSorted((a, b) => a.ttlMs - b.ttlMs)
  if (wish === 'short' && sorted.length > 0) return { name: sorted[0]!.name, advice: [] }
  if (wish === 'extended' && sorted.length > 1) return { name: sorted.at(-1)!.name, advice: [] }
  const lengths = new Map(facts.retentions.map(({ name, ttlMs }) => [name, ttlMs]))
  const nearest = nearestRetention(wish, names, (name) => lengths.get(name) ?? LENGTHS_MS[name])
  const advice = degraded(cache, {
    cause: 'retention_not_offered',
    at: asked === null ? 'request' : 'cache.retention',
    why: `This model does not support the retention ${wish}; it supports ${names.join(', ')}.`,
    instead: `Probes write at ${nearest}, the nearest supported one.`,
  })
  return { name: nearest, advice }
}

/** The offered retention with the nearest length, by ratio. The first, which is the default, where lengths are unknown. */
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

/**
 * Whether markers with these lifetimes, in the order of the prompt, are a layout that probes keep: several lifetimes, none longer than one
 * in front of it, the last of them `retention`. Source: platform.claude.com prompt caching, "mixing different TTLs", checked 2026-11-30.
 */
export function isLayout(own: readonly string[], retention: string): boolean {
  if (own.at(-1) !== retention || own.every((name) => name === retention)) return false
  const lengths = own.map((name) => LENGTHS_MS[name] ?? Number.NaN)
  return lengths.every((length, index) => index === 0 || length <= lengths[index - 1]!)
}

/** The lifetimes of a layout, the longest first; empty where all markers of a probe have one. */
export function layoutOf(own: readonly string[], retention: string): { layout?: string[] } {
  return isLayout(own, retention) ? { layout: [...new Set(own)] } : {}
}

/** The lifetime of a further marker in front of the others: that of the next one behind it, which none may exceed. */
export function retentionBefore(
  marked: readonly { start: number; retention: string }[],
  start: number,
  otherwise: string,
): string {
  return marked.find((one) => one.start > start)?.retention ?? otherwise
}

/** Advice for a body whose markers have several lifetimes that probes cannot keep: a longer one stands behind a shorter, or the caller asks for another. */
export function mixedRetentions(cache: CacheRequest | undefined, own: readonly string[], retention: string): Advice[] {
  const several = [...new Set(own)]
  if (several.length < 2 || isLayout(own, retention)) return []
  return degraded(cache, {
    cause: 'retentions_levelled',
    at: 'request',
    why: `Its cache markers have different retentions (${several.join(', ')}), which a probe at ${retention} cannot keep.`,
    instead: `Probes write all of them at ${retention}.`,
  })
}

/** Advice, or a refusal in the mode `required`, for a cache key at a provider that has none. */
export function keyWithoutEffect(cache: CacheRequest | undefined): Advice[] {
  if (cache?.key === undefined) return []
  return degraded(cache, {
    cause: 'key_has_no_effect',
    at: 'cache.key',
    why: 'This provider does not support cache keys.',
    instead: 'The given key is ignored.',
  })
}

/**
 * Advice for a caller who asks for another retention than the marker of the body states. Probes follow the caller, and real requests their
 * marker. `own`: the marker's retention, null without a marker. `marker`: the text of a marker with `retention`.
 */
export function markerSaysOtherwise(
  cache: CacheRequest | undefined,
  own: string | null,
  retention: string,
  marker: string,
): Advice[] {
  if (wishedRetention(cache) === null || own === null || own === retention) return []
  const message = `The marker of this body says ${own}, but probes write at ${retention}, as cache.retention requests. Real requests write at the retention of their own markers. In them, write the marker as ${marker}.`
  return [{ cause: 'marker_says_otherwise', message, at: 'cache.retention' }]
}

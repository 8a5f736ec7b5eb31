import type { ModelFacts } from '../../core/model/facts.ts'
import type { ProbeSchedulerPorts } from './probes/context.ts'
import { MINUTE_MS } from '../../core/time/time.ts'

/** Most entries of the cache; beyond it all of them are dropped. */
const MOST_FACTS = 5_000

/** Caches `factsOf` by the minute, because prices change by the day and by the hour, and for one version of the overrides. */
export function rememberFacts(
  factsOf: (provider: string, model: string, now: number) => ModelFacts,
  version: () => number = () => 0,
): ProbeSchedulerPorts['factsOf'] {
  let cachedFor: number | null = null
  const known = new Map<string, ModelFacts>()
  return (provider, model, now) => {
    if (version() !== cachedFor || known.size >= MOST_FACTS) {
      cachedFor = version()
      known.clear()
    }
    const key = `${provider}\u0000${model}\u0000${Math.floor(now / MINUTE_MS)}`
    let facts = known.get(key)
    if (facts === undefined) {
      facts = factsOf(provider, model, now)
      known.set(key, facts)
    }
    return facts
  }
}

/** Caches `placeOf`, the address where a provider is reached, for one version of the overrides. */
export function rememberPlaces(
  placeOf: (provider: string, region?: string) => string | null,
  version: () => number,
): NonNullable<ProbeSchedulerPorts['placeOf']> {
  let cachedFor: number | null = null
  const known = new Map<string, string | null>()
  return (provider, region) => {
    if (version() !== cachedFor) {
      cachedFor = version()
      known.clear()
    }
    const key = `${provider} ${region ?? ''}`
    let place = known.get(key)
    if (place === undefined) {
      place = placeOf(provider, region)
      known.set(key, place)
    }
    return place
  }
}

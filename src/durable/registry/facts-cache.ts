import type { ModelFacts } from '../../core/model/facts.ts'
import type { ProbeSchedulerPorts } from './probes/context.ts'
import { dayOf } from '../../core/time/time.ts'

/** Facts about models, remembered for a UTC day and a version of the overrides: prices change by the day. */
export function rememberFacts(
  factsOf: (provider: string, model: string, now: number) => ModelFacts,
  version: () => number = () => 0,
): ProbeSchedulerPorts['factsOf'] {
  let day = ''
  const known = new Map<string, ModelFacts>()
  return (provider, model, now) => {
    const today = `${dayOf(now)} ${version()}`
    if (today !== day) {
      day = today
      known.clear()
    }
    const key = `${provider}\u0000${model}`
    let facts = known.get(key)
    if (facts === undefined) {
      facts = factsOf(provider, model, now)
      known.set(key, facts)
    }
    return facts
  }
}

/** Places where providers are reached, remembered for a version of the overrides. */
export function rememberPlaces(
  placeOf: (provider: string) => string | null,
  version: () => number,
): NonNullable<ProbeSchedulerPorts['placeOf']> {
  let seen: number | null = null
  const known = new Map<string, string | null>()
  return (provider) => {
    if (version() !== seen) {
      seen = version()
      known.clear()
    }
    let place = known.get(provider)
    if (place === undefined) {
      place = placeOf(provider)
      known.set(provider, place)
    }
    return place
  }
}

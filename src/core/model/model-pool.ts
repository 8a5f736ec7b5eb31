/** A pool of models: real traffic tries them in order, and so does warming, so that what is warm is what is asked. */

import { DAY_MS, MINUTE_MS } from '../time/time.ts'

export interface PoolModel {
  name: string
  provider: string
  model: string
  credential: string | null
  description: string | null
  /** Minutes of the day in UTC in which it must not be used, from `fromMinute` until `toMinute`, which may lie past midnight. */
  constraints: { fromMinute: number; toMinute: number }[]
}

export interface ModelPool {
  name: string
  description: string | null
  fallback: boolean
  models: PoolModel[]
  createdAt: number
  changedAt: number
}

/** Until when a model must not be used; null: it may be now. Spans that follow on each other count as one. */
export function barredUntil({ constraints }: PoolModel, now: number): number | null {
  let at = now
  // Each span can carry it on at most once in a day; a whole day of spans never ends.
  for (let round = 0; round <= constraints.length; round++) {
    const end = constraints.map((one) => endOf(one, at)).find((one) => one !== null)
    if (end == null) break
    at = end
  }
  return at === now ? null : at
}

function endOf({ fromMinute, toMinute }: PoolModel['constraints'][number], at: number): number | null {
  const midnight = Math.floor(at / DAY_MS) * DAY_MS
  const minute = (at - midnight) / MINUTE_MS
  const wraps = toMinute <= fromMinute
  const inside = wraps ? minute >= fromMinute || minute < toMinute : minute >= fromMinute && minute < toMinute
  if (!inside) return null
  const tomorrow = wraps && minute >= fromMinute ? DAY_MS : 0
  return midnight + toMinute * MINUTE_MS + tomorrow
}

export interface Route {
  /** What traffic would try first at any hour; null where there is no model. */
  first: PoolModel | null
  /** Models that traffic may reach now, the first one first. */
  reachable: PoolModel[]
  /** Models that it would reach if their hour were another, and when that ends. */
  barred: { model: PoolModel; until: number }[]
  /** Models that it never reaches with this preference. */
  out: PoolModel[]
}

/** What traffic with this preference may reach now: the preferred model first, then the others, unless there is no falling back. */
export function routeOf({ models, fallback }: ModelPool, preference: string | null, now: number): Route {
  const preferred = models.filter(({ name }) => name === preference)
  const ordered = [...preferred, ...models.filter((model) => !preferred.includes(model))]
  const tried = fallback ? ordered : ordered.slice(0, 1)
  const barred = tried.flatMap((model) => {
    const until = barredUntil(model, now)
    return until === null ? [] : [{ model, until }]
  })
  return {
    first: ordered[0] ?? null,
    reachable: tried.filter((model) => !barred.some((one) => one.model === model)),
    barred,
    out: ordered.slice(tried.length),
  }
}

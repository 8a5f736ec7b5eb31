/** A pool of models. Real traffic tries them in order, and warming uses the same order, so that it warms what traffic asks. */

import { DAY_MS, MINUTE_MS } from '../time/time.ts'

export interface PoolModel {
  name: string
  provider: string
  model: string
  credential: string | null
  /** Region or location; absent: that of the credential, else of the deployment. */
  region?: string
  description: string | null
  /** Minutes of the UTC day in which the model must not be used. `toMinute` at or before `fromMinute`: until that minute of the next day. */
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

/** Until when the model must not be used; null: it may be used now. Adjoining spans count as one. */
export function barredUntil({ constraints }: PoolModel, now: number): number | null {
  let at = now
  // Each span moves the end at most once a day. Spans that cover the whole day would never end.
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
  const isBarred = wraps ? minute >= fromMinute || minute < toMinute : minute >= fromMinute && minute < toMinute
  if (!isBarred) return null
  const tomorrow = wraps && minute >= fromMinute ? DAY_MS : 0
  return midnight + toMinute * MINUTE_MS + tomorrow
}

/** Models of a pool by whether traffic with one preference reaches them. */
export interface Route {
  /** The model that traffic tries first, outside of time windows too. Null: the pool has no model. */
  first: PoolModel | null
  /** Models that traffic may reach now, in the order in which it tries them. */
  reachable: PoolModel[]
  /** Models that traffic must not use now, and until when. */
  barred: { model: PoolModel; until: number }[]
  /** Models that traffic never reaches with this preference. */
  out: PoolModel[]
}

/** Sorts the models of a pool by reach at `now`. The preferred model is tried first, then the others if the pool allows fallback. */
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

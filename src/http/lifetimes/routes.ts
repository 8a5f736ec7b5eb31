import * as z from 'zod'
import { ENOUGH_SAMPLES, SIZE_ENDS } from '../../core/cache/survival-curve.ts'
import type { SurvivalBand } from '../../core/cache/survival-curve.ts'
import type { LifetimeView } from '../../durable/registry/records/lifetime.ts'
import { SECOND_MS } from '../../core/time/time.ts'
import { durationJson, iso } from '../present/format.ts'
import { account } from '../server/auth.ts'
import { registryOf, router } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { cursor, limit, readQuery } from '../server/query.ts'

const name = (longest: number) =>
  z
    .string()
    .min(1, { error: 'must not be empty' })
    .max(longest, { error: `must be at most ${longest} characters` })
    .optional()

export const lifetimesQuery = z.strictObject({ provider: name(64), model: name(300), cursor, limit: limit(50, 200) })

export const lifetimes = router().get('/lifetimes', account, async (c) => {
  const query = readQuery(c, lifetimesQuery)
  const from = decodeCursor(query.cursor, z.strictObject({ next: z.int().min(0) }))?.next ?? 0
  const all = ((await registryOf(c).lifetimes()) as LifetimeView[]).filter(
    ({ provider, model }) => provider === (query.provider ?? provider) && model === (query.model ?? model),
  )
  const next = from + query.limit
  return c.json({
    data: all.slice(from, next).map(lifetimeJson),
    next_cursor: next < all.length ? encodeCursor({ next }) : null,
  })
})

function lifetimeJson(view: LifetimeView) {
  const { provider, model, retention, size, samples, at, ttlMs, assumed, curve, intervalMs, usualMs } = view
  return {
    provider,
    model,
    retention,
    ttl: durationJson(ttlMs),
    assumed,
    tokens_from: SIZE_ENDS[size - 1] ?? 0,
    tokens_below: SIZE_ENDS[size] ?? null,
    own_samples: rounded(samples, 1),
    samples: rounded(curve.samples, 1),
    basis: curve.basis,
    enough: curve.samples >= ENOUGH_SAMPLES,
    interval: intervalMs === null ? null : durationJson(Math.round(intervalMs / SECOND_MS) * SECOND_MS),
    interval_by: intervalMs !== null && intervalMs < usualMs ? ('curve' as const) : ('retention' as const),
    why: intervalWhy(view),
    last_at: iso(at),
    bands: curve.bands.map(bandJson),
  }
}

function bandJson({ fromMs, endMs, samples, readable, share, lower, upper }: SurvivalBand) {
  return {
    from: fromMs === 0 ? '0s' : durationJson(fromMs),
    to: durationJson(endMs),
    samples: rounded(samples, 1),
    readable: rounded(readable, 1),
    share: share === null ? null : rounded(share, 4),
    lower: rounded(lower, 4),
    upper: rounded(upper, 4),
  }
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))

const POOLED = {
  size: '',
  neighbours: '; too few were of this size, so those of the sizes beside it count too',
  model: '; too few were of this size, so those of all sizes of the model count too',
  provider: '; too few were of this model, so those of all models of the provider with this retention count too',
}

function intervalWhy({ curve, intervalMs, usualMs, isPriced, retention }: LifetimeView): string {
  const { basis, samples } = curve
  const counted = `${Math.round(samples)} requests asked for such an entry${POOLED[basis]}`
  if (intervalMs === null) return `${counted}; reads do not renew this retention, so no keep-alive is sent for it`
  if (samples < ENOUGH_SAMPLES)
    return `${counted}; a plan goes by the retention ${retention} until there are ${ENOUGH_SAMPLES}`
  if (intervalMs < usualMs)
    return `${counted}; entries go early, and by the lower bound of the curve an earlier keep-alive costs less than what is lost without it`
  if (!isPriced)
    return `${counted}; the price is not known, so that nothing shows whether an earlier keep-alive would pay`
  return `${counted}; no earlier keep-alive is shown to pay, so a plan goes by the retention ${retention}`
}

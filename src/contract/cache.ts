import * as z from 'zod'

const index = z.int({ error: 'must be a whole number from 0 to 100000' }).min(0).max(100_000)

const breakpoint = z.union(
  [
    z.literal('tools_end'),
    z.strictObject({ item_end: index }),
    z.strictObject({ part_end: z.tuple([index, index], { error: 'must be [item, part]' }) }),
  ],
  { error: 'must be "tools_end", {"item_end": N} or {"part_end": [N, M]}' },
)

const handle = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\w./-]+$/, { error: 'must be a handle such as "cachedContents/abc"' })

const last = z.int({ error: 'must be a whole number from 0 to 100000' }).min(0).max(100_000)

const count = z.int({ error: 'must be a whole number from 1 to 64' }).min(1).max(64)

const strategy = z.union(
  [
    z.literal('automatic'),
    z.strictObject({
      explicit: z.array(breakpoint).min(1, { error: 'must name a breakpoint' }).max(64).optional(),
      last: last.optional(),
      breakpoints: count.optional(),
      handle: handle.optional(),
    }),
  ],
  { error: 'must be "automatic", {"explicit": […]}, {"last": N}, {"breakpoints": N} or {"handle": "…"}' },
)

/** A caller's request to the provider's cache, in each accepted form. */
export const cache = z
  .union(
    [
      z.enum(['auto', 'off']),
      z.strictObject({
        mode: z
          .enum(['disabled', 'best_effort', 'required'], { error: 'must be "disabled", "best_effort" or "required"' })
          .optional(),
        strategy: strategy.optional(),
        retention: z.string().min(1).max(20).optional(),
        key: z.string().min(1).max(512).optional(),
        breakpoints: count.optional(),
        last: last.optional(),
        handle: handle.optional(),
      }),
    ],
    { error: 'must be an object, "auto" or "off"' },
  )
  .superRefine((value, context) => {
    if (typeof value === 'string') return
    const ways = (['strategy', 'breakpoints', 'last', 'handle'] as const).filter((name) => value[name] !== undefined)
    if (ways.length > 1) {
      context.addIssue({
        code: 'custom',
        path: [ways[1] ?? ''],
        message: `must not be combined with cache.${ways[0]}: both are strategies`,
      })
    }
    if (typeof value.strategy !== 'object') return
    const given = Object.values(value.strategy).filter((one) => one !== undefined).length
    if (given !== 1) {
      const message = 'must be "automatic" or hold exactly one of explicit, last, breakpoints and handle'
      context.addIssue({ code: 'custom', path: ['strategy'], message })
    }
  })
  .meta({
    description: 'Cache settings. Absent does not mean "disabled": it means best effort at the default retention.',
  })

export type CacheInput = z.output<typeof cache>

type ExplicitBreakpoint = { toolsEnd: true } | { itemEnd: number } | { partEnd: [item: number, part: number] }

/** The normalised form, in the shape that dialects take. */
export interface CacheValue {
  mode: 'disabled' | 'best_effort' | 'required'
  strategy:
    | 'automatic'
    | { explicit: ExplicitBreakpoint[] }
    | { last: number }
    | { count: number; at?: string }
    | { handle: string; at?: string }
  retention?: string
  key?: string
}

export function cacheValue(given: CacheInput): CacheValue {
  if (typeof given === 'string') return { mode: given === 'off' ? 'disabled' : 'best_effort', strategy: 'automatic' }
  const { mode = 'best_effort', retention, key } = given
  return {
    mode,
    strategy: shortValue(given) ?? strategyValue(given.strategy),
    ...(retention === undefined ? {} : { retention }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Returns the strategy of a member with a short form (`handle`, `breakpoints`, `last`); null when none is given. */
function shortValue(given: Exclude<CacheInput, string>): CacheValue['strategy'] | null {
  const { handle: name, breakpoints, last: items } = given
  if (name !== undefined) return { handle: name, at: 'cache.handle' }
  if (items !== undefined) return { last: items }
  return breakpoints === undefined ? null : { count: breakpoints }
}

function strategyValue(given: z.output<typeof strategy> | undefined): CacheValue['strategy'] {
  if (given === undefined || given === 'automatic') return 'automatic'
  if (given.handle !== undefined) return { handle: given.handle }
  if (given.last !== undefined) return { last: given.last }
  if (given.breakpoints !== undefined) return { count: given.breakpoints, at: 'cache.strategy.breakpoints' }
  return { explicit: (given.explicit ?? []).map(breakpointValue) }
}

function breakpointValue(given: z.output<typeof breakpoint>): ExplicitBreakpoint {
  if (given === 'tools_end') return { toolsEnd: true }
  return 'item_end' in given ? { itemEnd: given.item_end } : { partEnd: given.part_end }
}

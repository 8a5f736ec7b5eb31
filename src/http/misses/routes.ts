import * as z from 'zod'
import { invalid } from '../../contract/failure.ts'
import { VERDICTS } from '../../core/diagnosis/verdicts.ts'
import { DAY_MS, dayOf } from '../../core/time/time.ts'
import type { MissSum, MissTotals } from '../../registration/misses/miss-sum.ts'
import { fixOf } from '../../providers/diagnosis/fixes.ts'
import { iso, money } from '../present/format.ts'
import { accountReads } from '../server/auth.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { cursor, limit, readQuery } from '../server/query.ts'

/** Days that one answer can span, and days when `from` is absent. */
export const MISS_DAYS = 400
const USUAL_DAYS = 7

const day = z.iso.date({ error: 'must be a UTC day, such as 2026-11-21' })

export const missesQuery = z.strictObject({
  from: day.optional().meta({ description: 'The first UTC day; six days before `to` when absent.' }),
  to: day.optional().meta({ description: 'The last UTC day; today when absent.' }),
  by: z
    .enum(['verdict', 'name', 'day'], { error: 'must be verdict, name or day' })
    .default('verdict')
    .meta({ description: 'Sums by verdict alone, or by verdict and label, or by verdict and UTC day.' }),
  cursor,
  limit: limit(200, 1_000),
})

/** Why calls through the gateway missed. */
export const misses = router().get('/misses', accountReads, async (c) => {
  const { by, limit: most, ...query } = readQuery(c, missesQuery)
  const to = query.to ?? dayOf(clockOf(c).now())
  const from = query.from ?? dayOf(Date.parse(to) - (USUAL_DAYS - 1) * DAY_MS)
  if (from > to) throw invalid('from', 'must not be later than to')
  if (Date.parse(to) - Date.parse(from) >= MISS_DAYS * DAY_MS)
    throw invalid('from', `must be at most ${MISS_DAYS - 1} days before to`)
  const start = decodeCursor(query.cursor, z.strictObject({ next: z.int().min(0) }))?.next ?? 0
  const all = grouped((await registryOf(c).misses(from, to)) as MissSum[], by)
  const next = start + most
  return c.json({
    data: all.slice(start, next).map((one) => missJson(one, by)),
    next_cursor: next < all.length ? encodeCursor({ next }) : null,
  })
})

type By = z.output<typeof missesQuery>['by']

/** Sums by verdict, and by label or day. The days in their order, else what was missed most first. */
function grouped(sums: readonly MissSum[], by: By): MissSum[] {
  const groups = Map.groupBy(sums, (one) => JSON.stringify([by === 'verdict' ? null : one[by], one.verdict]))
  const all = [...groups.values()].flatMap((group) => {
    const [first] = group
    return first === undefined ? [] : [{ ...first, totals: group.map(({ totals }) => totals).reduce(together) }]
  })
  return all.toSorted(
    (a, b) =>
      (by === 'day' ? a.day.localeCompare(b.day) : 0) ||
      b.totals.nanos - a.totals.nanos ||
      b.totals.count - a.totals.count ||
      a.verdict.localeCompare(b.verdict),
  )
}

function together(one: MissTotals, other: MissTotals): MissTotals {
  return {
    count: one.count + other.count,
    lostTokens: one.lostTokens + other.lostTokens,
    unmeasured: one.unmeasured + other.unmeasured,
    nanos: one.nanos + other.nanos,
    unpriced: one.unpriced + other.unpriced,
    last: other.last.at >= one.last.at ? other.last : one.last,
  }
}

function missJson({ verdict, name, day: on, totals }: MissSum, by: By) {
  const { count, lostTokens, unmeasured, nanos, unpriced, last } = totals
  return {
    verdict,
    ...(by === 'name' ? { name } : {}),
    ...(by === 'day' ? { day: on } : {}),
    fault: VERDICTS[verdict].fault,
    count,
    lost_tokens: lostTokens,
    unmeasured,
    cost_usd: unpriced === count ? null : money(nanos),
    unpriced,
    fix: fixOf(verdict),
    last: {
      at: iso(last.at),
      prefix_id: last.prefix,
      ...(last.path === null ? {} : { first_difference: { path: last.path } }),
    },
  }
}

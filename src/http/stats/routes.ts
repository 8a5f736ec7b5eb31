import * as z from 'zod'
import { invalid } from '../../contract/failure.ts'
import { hitRates, NO_REQUESTS } from '../../core/ledger/request-counts.ts'
import type { RequestCounts } from '../../core/ledger/request-counts.ts'
import { DAY_MS, dayOf } from '../../core/time/time.ts'
import { STAT_GROUPS, STAT_HOURS_MS } from '../../durable/registry/records/day.ts'
import type { StatGroup, StatSum } from '../../durable/registry/records/day.ts'
import { iso } from '../present/format.ts'
import { account } from '../server/auth.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { daysOf, LEDGER_DAYS, utcDay } from '../server/days.ts'
import { cursor, limit, readQuery } from '../server/query.ts'

const groups = `must be one or more of ${STAT_GROUPS.join(', ')}, with commas between them`
const isGroup = (text: string): text is StatGroup => (STAT_GROUPS as readonly string[]).includes(text)
const exact = (longest: number) =>
  z
    .string()
    .min(1, { error: 'must not be empty' })
    .max(longest, { error: `must be at most ${longest} characters` })
    .optional()

export const statsQuery = z.strictObject({
  from: utcDay.optional().meta({ description: 'The first UTC day; six days before `to` when absent.' }),
  to: utcDay.optional().meta({ description: 'The last UTC day; today when absent.' }),
  by: z
    .string()
    .refine((text) => text.split(',').every((one) => isGroup(one)), { error: groups })
    .transform((text) => text.split(',').filter(isGroup))
    .default(['day'])
    .meta({ description: `One or more of ${STAT_GROUPS.join(', ')}, with commas between them; \`day\` when absent.` }),
  name: exact(200).meta({ description: 'Only requests for prefixes of this name.' }),
  provider: exact(64),
  model: exact(300),
  cursor,
  limit: limit(200, 1_000),
})

/** Shown with the rates, so that nobody has to guess what they mean. */
const DEFINITIONS = {
  by_request:
    'hits / (hits + misses). A request is a hit if it read at least half of its registered prefix from the cache; if it belongs to no registered prefix, half of its whole prompt.',
  by_token: 'read_tokens / input_tokens, over the requests whose usage says both. It rises with long prompts.',
  unknown: 'Requests whose usage says nothing of the cache, or cannot be true. They are in no rate.',
}

export const stats = router().get('/stats', account, async (c) => {
  const query = readQuery(c, statsQuery)
  const { by, name, provider, model } = query
  const now = clockOf(c).now()
  const { from, to, span } = daysOf(query.from, query.to, now)
  const oldest = dayOf(now - STAT_HOURS_MS + DAY_MS)
  if (by.includes('hour') && from < oldest) {
    throw invalid('from', `hours are kept since ${oldest}; by=day reaches ${LEDGER_DAYS} days back`)
  }
  const skip = decodeCursor(query.cursor, z.strictObject({ skip: z.int().min(0) }))?.skip ?? 0
  const asked = { ...span, by, name, provider, model }
  const { sums, all } = await registryOf(c).stats(asked, skip, query.limit + 1)
  const page = (sums as StatSum[]).slice(0, query.limit)
  return c.json({
    from,
    to,
    by,
    definitions: DEFINITIONS,
    totals: countsJson(all?.counts ?? NO_REQUESTS),
    data: page.map((sum) => ({ ...groupJson(sum, by), ...countsJson(sum.counts) })),
    next_cursor: sums.length > page.length ? encodeCursor({ skip: skip + page.length }) : null,
  })
})

function groupJson(sum: StatSum, by: readonly StatGroup[]) {
  const isTimed = by.includes('hour') || by.includes('day')
  return {
    ...(isTimed && sum.at !== null ? { at: iso(sum.at) } : {}),
    ...(by.includes('name') || by.includes('version') ? { name: sum.name } : {}),
    ...(by.includes('version') ? { version: sum.version } : {}),
    ...(by.includes('provider') ? { provider: sum.provider } : {}),
    ...(by.includes('model') ? { model: sum.model } : {}),
  }
}

function countsJson(counts: RequestCounts) {
  const { requests, hits, misses, unknown, counted, inputTokens, readTokens, writtenTokens } = counts
  const { byRequest, byToken } = hitRates(counts)
  return {
    requests,
    hits,
    misses,
    unknown,
    hit_rate_by_request: rounded(byRequest),
    counted_requests: counted,
    input_tokens: inputTokens,
    read_tokens: readTokens,
    written_tokens: writtenTokens,
    hit_rate_by_token: rounded(byToken),
  }
}

function rounded(rate: number | null): number | null {
  return rate === null ? null : Number(rate.toFixed(4))
}

import * as z from 'zod'
import type { HistoryRow } from '../../core/prefix/history.ts'
import { decodeCursor, encodeCursor } from '../server/cursor.ts'
import { historyJson } from '../present/prefix.ts'
import { cursor, limit } from '../server/query.ts'

export const historyQuery = z.strictObject({
  type: z.enum(['receipt', 'arrival', 'decision', 'saving', 'trial', 'rollup']).optional(),
  order: z.enum(['asc', 'desc']).default('asc'),
  cursor,
  limit: limit(200, 1_000),
})

/** The end of a page: an instant, and how many rows of that instant it showed. It holds when older rows are deleted. */
const place = z.strictObject({ at: z.number(), shown: z.int().min(1), order: z.enum(['asc', 'desc']) })

/** One page of a history, by time. Rows of one instant keep the order in which they were written. */
export function historyPage(rows: HistoryRow[], query: z.output<typeof historyQuery>) {
  const { order, type } = query
  const wanted = rows.filter((row) => type === undefined || row.type === type).toSorted((a, b) => a.at - b.at)
  if (order === 'desc') wanted.reverse()
  const from = decodeCursor(
    query.cursor,
    place.refine((one) => one.order === order),
  )
  const start = from === null ? 0 : startAfter(wanted, from)
  const page = wanted.slice(start, start + query.limit)
  const last = page.at(-1)
  const next = last === undefined || start + page.length >= wanted.length ? null : last.at
  if (next === null) return { data: page.map(historyJson), next_cursor: null }
  const upTo = wanted.slice(0, start + page.length)
  const shown = upTo.length - upTo.findIndex((row) => row.at === next)
  return { data: page.map(historyJson), next_cursor: encodeCursor({ at: next, shown, order }) }
}

function startAfter(rows: readonly HistoryRow[], from: z.output<typeof place>): number {
  const passed = (row: HistoryRow): boolean => (from.order === 'asc' ? row.at >= from.at : row.at <= from.at)
  const first = rows.findIndex(passed)
  if (first < 0) return rows.length
  let at = first
  while (at < first + from.shown && rows[at]?.at === from.at) at++
  return at
}

import * as z from 'zod'
import { invalid } from '../../contract/failure.ts'
import { DAY_MS, dayOf } from '../../core/time/time.ts'

/** Days that are shown where a query names none: today and the six before it. Single entries of the ledger are kept as long. */
export const ENTRY_DAYS = 7
/** Days that sums are kept. */
export const LEDGER_DAYS = 400

export const utcDay = z.iso.date({ error: 'must be a UTC day, such as 2026-11-21' })

/** Whole UTC days, `from` and `to` included. Throws `invalid_request` for a span that is empty or too long. */
export function daysOf(
  from: string | undefined,
  to: string | undefined,
  now: number,
): { from: string; to: string; span: { fromAt: number; untilAt: number } } {
  const last = to ?? dayOf(now)
  const untilAt = Date.parse(last) + DAY_MS
  const first = from ?? dayOf(untilAt - ENTRY_DAYS * DAY_MS)
  const fromAt = Date.parse(first)
  if (fromAt >= untilAt) throw invalid('from', 'must not be later than to')
  if (untilAt - fromAt > LEDGER_DAYS * DAY_MS) {
    throw invalid('from', `must be at most ${LEDGER_DAYS} days before the end`)
  }
  return { from: first, to: last, span: { fromAt, untilAt } }
}

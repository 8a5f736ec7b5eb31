import { retentionInWords } from '../cache/retention.ts'
import type { HistoryRow } from '../prefix/history.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import { MINUTE_MS } from '../time/time.ts'

/** The history row for a stated retention that receipts changed; empty where nothing changed or the retention is assumed. */
export function retentionRows(before: PrefixState, after: PrefixState, at: number): HistoryRow[] {
  const [was, is] = [before.retention, after.retention]
  if (was === null || is === null || is.assumed) return []
  if (was.name === is.name && was.ttlMs === is.ttlMs) return []
  return [{ at, type: 'decision', decision: 'retention', why: changeWhy(was, is) }]
}

function changeWhy(was: LearnedRetention, is: LearnedRetention): string {
  if (was.name !== is.name)
    return `real requests write it at ${is.name} and not at ${was.name}: their marker decides, and the plan goes by it from now on`
  if (is.grantedName !== was.grantedName)
    return `asked for ${is.name}, the answer says that ${is.grantedName ?? is.name} was written: it is believed to live ${is.ttlMs / MINUTE_MS} min`
  return is.ttlMs < was.ttlMs
    ? `entries were gone before their time, twice in a row: scheduled by ${retentionInWords(is)} from now on`
    : `entries lived longer than was believed: scheduled by ${retentionInWords(is)} from now on`
}

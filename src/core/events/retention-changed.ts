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
    return `real requests write it at ${is.name}, not at ${was.name}; their marker decides, so the plan now uses ${is.name}`
  if (is.grantedName !== was.grantedName)
    return `the request asked for ${is.name}, but the provider wrote at ${is.grantedName ?? is.name}; its lifetime is assumed to be ${is.ttlMs / MINUTE_MS} min`
  return is.ttlMs < was.ttlMs
    ? `entries were gone too early twice in a row; probes are now scheduled for ${retentionInWords(is)}`
    : `entries lived longer than expected; probes are now scheduled for ${retentionInWords(is)}`
}

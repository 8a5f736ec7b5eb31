import { reschedule } from '../../../core/planning/reschedule.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PlanningContext } from './context.ts'
import { applyRenewedByLonger } from '../../../core/events/renewed-by-longer.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * Renews the shorter prefixes that the probes of a longer one mark: the same call read or wrote them. They are found by
 * fingerprint, so the order of registration does not matter and deleted prefixes are skipped.
 */
export function renewShorter(planning: PlanningContext, record: PrefixRecord, longer: PrefixState, now: number): void {
  const { lastReceipt, anchorAt, retention } = longer
  if (record.heads === undefined || retention === null || longer.verdict !== 'warm') return
  if (lastReceipt === null || lastReceipt.at !== anchorAt) return
  const { prefixes, states } = planning.store
  const renewal = { id: record.id, at: anchorAt, retention: retention.grantedName ?? retention.name }
  for (const head of record.heads) {
    const k = prefixes.keyOf('fingerprint', head)
    const [inner, before] = k === null ? [null, null] : [prefixes.record(k), states.load(k)]
    if (k === null || inner === null || before === null || inner.id === record.id) continue
    const change = applyRenewedByLonger(before, renewal)
    if (change === null) continue
    const next = reschedule(change.state, planning.context(k, inner, change.state, now, null), now)
    planning.save({ k, state: before }, { state: next.state, rows: [...change.rows, ...next.rows] }, now, false)
  }
}

import { reschedule } from '../../../core/planning/reschedule.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PlanningContext } from './context.ts'
import { applyRenewedByLonger } from '../../../core/events/renewed-by-longer.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * A call of ours read or wrote a prefix: the shorter ones that its probes mark inside of it were renewed by the same call. Found by
 * their fingerprints, so that the order of registration does not matter, and what is deleted is not missed.
 */
export function renewInner(situation: PlanningContext, record: PrefixRecord, longer: PrefixState, now: number): void {
  const { lastReceipt, anchorAt, retention } = longer
  if (record.heads === undefined || retention === null || longer.verdict !== 'warm') return
  if (lastReceipt === null || lastReceipt.at !== anchorAt) return
  const { prefixes, states } = situation.store
  const passage = { id: record.id, at: anchorAt, retention: retention.grantedName ?? retention.name }
  for (const head of record.heads) {
    const k = prefixes.keyOf('fingerprint', head)
    const [inner, before] = k === null ? [null, null] : [prefixes.record(k), states.load(k)]
    if (k === null || inner === null || before === null || inner.id === record.id) continue
    const change = applyRenewedByLonger(before, passage)
    if (change === null) continue
    const next = reschedule(change.state, situation.context(k, inner, change.state, now, null), now)
    situation.save({ k, state: before }, { state: next.state, rows: [...change.rows, ...next.rows] }, now, false)
  }
}

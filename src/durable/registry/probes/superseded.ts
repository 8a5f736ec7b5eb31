import { reschedule } from '../../../core/planning/reschedule.ts'
import { warmUntil } from '../../../core/prefix/state.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PlanningContext } from './context.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * Drains the older versions of a name once this version is warm, as far as its provider reports. Called after each answer or
 * real request that may have warmed it.
 */
export function drainOlders(planning: PlanningContext, k: number, state: PrefixState, now: number): void {
  const { prefixes, states } = planning.store
  const record = prefixes.record(k)
  if (record?.olders === undefined || (warmUntil(state) ?? 0) <= now) return
  const { olders, ...rest } = record
  prefixes.saveRecord(k, rest)
  for (const older of olders) {
    const [old, before] = [prefixes.record(older), states.load(older)]
    if (old === null || before === null || !waitsFor(old, k)) continue
    const draining: PrefixRecord = { ...old, newer: { ...old.newer, warmAt: now } }
    prefixes.saveRecord(older, draining)
    const moved = { ...before, generation: before.generation + 1 }
    const why = `version ${record.version} of its name is warm; this version is kept only while real requests use it`
    const next = reschedule(moved, planning.context(older, draining, moved, now, null), now)
    const rows = [{ at: now, type: 'decision' as const, decision: 'draining', why }, ...next.rows]
    planning.save({ k: older, state: before }, { state: next.state, rows }, now, false)
  }
}

/** True where an older version is kept warm until `k` is warm. */
export function waitsFor(old: PrefixRecord, k: number): old is PrefixRecord & Required<Pick<PrefixRecord, 'newer'>> {
  return old.superseded && old.newer?.k === k && old.newer.warmAt === null
}

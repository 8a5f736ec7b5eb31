import { reschedule } from '../../../core/planning/reschedule.ts'
import { warmUntil } from '../../../core/prefix/state.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PlanningContext } from './context.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * Looks whether this version is warm, or was warmed as far as its provider says, and if so lets those drain that waited
 * for it. Called wherever an answer or a real request may have made it so.
 */
export function drainOlders(situation: PlanningContext, k: number, state: PrefixState, now: number): void {
  const { prefixes, states } = situation.store
  const record = prefixes.record(k)
  if (record?.olders === undefined || (warmUntil(state) ?? 0) <= now) return
  const { olders, ...rest } = record
  prefixes.saveRecord(k, rest)
  for (const older of olders) {
    const [old, before] = [prefixes.record(older), states.load(older)]
    if (old === null || before === null || !waitsFor(old, k)) continue
    const drains: PrefixRecord = { ...old, newer: { ...old.newer, warmAt: now } }
    prefixes.saveRecord(older, drains)
    const moved = { ...before, generation: before.generation + 1 }
    const why = `version ${record.version} of its name is warm: this one goes on under its plan only while real requests come for it`
    const next = reschedule(moved, situation.context(older, drains, moved, now, null), now)
    const rows = [{ at: now, type: 'decision' as const, decision: 'draining', why }, ...next.rows]
    situation.save({ k: older, state: before }, { state: next.state, rows }, now, false)
  }
}

/** Whether an older version still goes on until `k` is warm. */
export function waitsFor(old: PrefixRecord, k: number): old is PrefixRecord & Required<Pick<PrefixRecord, 'newer'>> {
  return old.superseded && old.newer?.k === k && old.newer.warmAt === null
}

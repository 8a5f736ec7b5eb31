import type { HistoryRow } from '../../../core/prefix/history.ts'
import type { Decision, PlanContext } from '../../../core/planning/plan.ts'
import { rechosenRetention, firstRetentionWhy } from '../../../core/planning/retention-choice.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Row } from '../tables/states.ts'
import { isUnmarked } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** What the history of a new prefix says of its retention, where the planner chose it: nobody else would tell that a write may be dearer. */
export function firstRetentionRows(record: PrefixRecord, facts: ModelFacts, now: number): HistoryRow[] {
  if (!isUnmarked(record)) return []
  const { keepWarm, estimatedTokens, retention, outputFloors } = record
  const context = { keepWarm, facts, estimatedTokens, outputFloor: outputFloors[0] ?? 0 }
  const why = firstRetentionWhy(context, retention, now)
  return why === null ? [] : [{ at: now, type: 'decision', decision: 'retention', why }]
}

/**
 * What is decided about a prefix, and the state that it is decided on: before a write that will find nothing, the retention is chosen
 * anew where that is the planner's to say, and written down. One whose worst case the budgets refuse is not taken.
 */
export function decidedAt(
  store: RegistryStore,
  { k, state }: Row,
  context: PlanContext,
  decideOn: (state: PrefixState) => Decision,
  now: number,
): { state: PrefixState; decision: Decision } {
  const decision = decideOn(state)
  if (decision.do !== 'send' || decision.purpose !== 'write') return { state, decision }
  const change = rechosenRetention(state, context, now)
  if (change === null) return { state, decision }
  const anew = decideOn(change.state)
  if (anew.do !== 'send') return { state, decision }
  store.states.save(k, change.state, change.rows)
  return { state: change.state, decision: anew }
}

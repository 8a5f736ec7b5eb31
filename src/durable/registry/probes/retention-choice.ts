import type { HistoryRow } from '../../../core/prefix/history.ts'
import type { Decision, PlanContext } from '../../../core/planning/plan.ts'
import { rechosenRetention, firstRetentionWhy } from '../../../core/planning/retention-choice.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { ModelFacts } from '../../../core/model/facts.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Row } from '../tables/states.ts'
import { isUnmarked, sizeOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** History rows of a new prefix whose retention the planner chose: only these rows say that its writes may cost more. */
export function firstRetentionRows(
  record: PrefixRecord,
  facts: ModelFacts,
  now: number,
  { lifetime }: Pick<PrefixState, 'lifetime'>,
): HistoryRow[] {
  if (!isUnmarked(record)) return []
  const { keepWarm, retention, outputFloors } = record
  const context = {
    keepWarm,
    facts,
    ...sizeOf(record),
    outputFloor: outputFloors[0] ?? 0,
    ...(lifetime === undefined ? {} : { lifetime }),
  }
  const why = firstRetentionWhy(context, retention, now)
  return why === null ? [] : [{ at: now, type: 'decision', decision: 'retention', why }]
}

/**
 * Decides about a prefix. Before a write into an empty cache it chooses the retention again where the planner may, and saves the
 * choice, unless the budgets refuse its worst case. Returns the decision and the state it is based on.
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
  const rechosen = decideOn(change.state)
  if (rechosen.do !== 'send') return { state, decision }
  store.states.save(k, change.state, change.rows)
  return { state: change.state, decision: rechosen }
}

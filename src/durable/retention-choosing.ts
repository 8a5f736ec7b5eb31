import type { Decision, PlanContext } from '../core/plan.ts'
import { chosenAnew } from '../core/retention-choice.ts'
import type { PrefixState } from '../core/state.ts'
import type { RegistryStore } from './registry-store.ts'
import type { Row } from './state-store.ts'

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
  const change = chosenAnew(state, context, now)
  if (change === null) return { state, decision }
  const anew = decideOn(change.state)
  if (anew.do !== 'send') return { state, decision }
  store.states.save(k, change.state, change.rows)
  return { state: change.state, decision: anew }
}

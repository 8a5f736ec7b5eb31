import type { KeepWarm } from '../core/planning/plan.ts'
import { firstRetention } from '../core/planning/retention-choice.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import type { PreparedPrefix } from '../providers/dialect.ts'

/**
 * A prefix at the retention that the planner chooses, where that is left to it: whatever is shown, sent and stored of it then says
 * the same. `prepare` makes it anew at a retention.
 */
export function withChoice(
  prefix: PreparedPrefix,
  { keepWarm, facts, outputFloor, now }: { keepWarm: KeepWarm; facts: ModelFacts; outputFloor: number; now: number },
  prepare: (retention: string) => PreparedPrefix,
): PreparedPrefix {
  if (prefix.retentionOpen !== true || facts.retentions.length < 2) return prefix
  const context = { keepWarm, facts, estimatedTokens: prefix.estimatedTokens, outputFloor }
  const chosen = firstRetention(context, now)
  if (chosen === null || chosen === prefix.retention) return prefix
  return { ...prepare(chosen), retentionOpen: true }
}

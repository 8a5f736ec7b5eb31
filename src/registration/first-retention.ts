import type { KeepWarm } from '../core/planning/plan.ts'
import { firstRetention } from '../core/planning/retention-choice.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import type { PreparedPrefix } from '../providers/dialect.ts'

/**
 * The prefix at the planner's retention, where neither the caller nor a marker names one. It replaces the prefix before anything
 * is shown, sent or stored, so that all three agree. `prepare` cuts the body again at a retention.
 */
export function atChosenRetention(
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

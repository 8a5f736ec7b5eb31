import type { TokenBound } from '../core/prompt/token-bound.ts'
import type { Lifetime } from '../contract/lifetime.ts'
import type { KeepWarm } from '../core/planning/plan.ts'
import { firstRetention } from '../core/planning/retention-choice.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import type { PreparedPrefix } from '../providers/dialect.ts'
import type { CheckedCut } from './faults.ts'
import type { Source } from './native.ts'

/**
 * The prefix at the planner's retention, where neither the caller nor a marker names one. It replaces the prefix before anything
 * is shown, sent or stored, so that all three agree. `prepare` cuts the body again at a retention.
 */
export function atChosenRetention(
  prefix: PreparedPrefix,
  {
    keepWarm,
    facts,
    bound,
    outputFloor,
    lifetime,
    now,
  }: {
    keepWarm: KeepWarm
    facts: ModelFacts
    bound: TokenBound
    outputFloor: number
    lifetime: Lifetime | undefined
    now: number
  },
  prepare: (retention: string) => PreparedPrefix,
): PreparedPrefix {
  if (prefix.retentionOpen !== true || facts.retentions.length < 2) return prefix
  const context = {
    keepWarm,
    facts,
    estimatedTokens: prefix.estimatedTokens,
    bound,
    outputFloor,
    ...(lifetime === undefined ? {} : { lifetime }),
  }
  const chosen = firstRetention(context, now)
  if (chosen === null || chosen === prefix.retention) return prefix
  return { ...prepare(chosen), retentionOpen: true }
}

/**
 * The neutral form at a retention that its model offers: where the model lacks the one that was asked for, the markers that were rendered
 * for it would be refused, so the body is rendered again. The advice about the retention stays. `prepare` cuts the body at a retention.
 */
export function atOfferedRetention(
  first: CheckedCut,
  { neutral, cache }: Pick<Source, 'neutral' | 'cache'>,
  prepare: (retention: string) => CheckedCut,
): CheckedCut {
  const { retention, advice } = first.prefix
  const isOffered = !advice.some(({ cause }) => cause === 'retention_not_offered')
  if (neutral === null || cache?.retention === undefined || isOffered) return first
  const { prefix, faults } = prepare(retention)
  const kept = advice.filter(({ cause }) => cause === 'retention_not_offered')
  return { prefix: { ...prefix, advice: [...kept, ...prefix.advice] }, faults }
}

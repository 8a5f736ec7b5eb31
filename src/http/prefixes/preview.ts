import type { KeepWarm } from '../../core/planning/plan.ts'
import { holdingOf, targetOf } from '../../core/planning/break-even.ts'
import { planPolicy, replay } from '../../core/simulation/replay.ts'
import type { Holding } from '../../core/planning/probe-policy.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import type { Traffic } from '../../core/demand/traffic.ts'
import { factsOf } from '../../runtime/facts.ts'
import { keepWarmJson } from '../present/prefix.ts'
import { iso, money } from '../present/format.ts'
import { retentionInForce, factsModelOf } from '../../registration/record.ts'
import type { PrefixRecord } from '../../registration/record.ts'

/** The parts of a prefix that a replay needs. */
interface ReplayedPrefix {
  record: Pick<PrefixRecord, 'id' | 'provider' | 'model' | 'retention' | 'outputFloors' | 'estimatedTokens'>
  state: PrefixState
  traffic: Traffic
}

/**
 * Replays a plan on the observed idle gaps of a prefix, at each retention that its model offers, beside doing nothing. Costs are at
 * today's prices; null where a price is not known.
 */
export function previewJson(
  { record, state, traffic }: ReplayedPrefix,
  keepWarm: KeepWarm,
  now: number,
  grainMs: number,
) {
  const facts = factsOf(record.provider, factsModelOf(record), now)
  const outputFloor = record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0
  const context = { facts, estimatedTokens: record.estimatedTokens, outputFloor, grainMs }
  const { gaps } = traffic
  const lastAt = state.lastArrivalAt
  const own = retentionInForce(record, state)
  const share = targetOf(state, { keepWarm })?.warmShare ?? 0
  const runs = (holding: Holding, plan: Pick<KeepWarm, 'plan' | 'idleTimeoutMs'>, warmShare: number) => {
    const { probes, coldStarts, probesCost, rewritesCost } = replay(
      traffic,
      planPolicy(plan, holding, undefined, warmShare),
    )
    return {
      probes,
      cold_starts: coldStarts,
      probes_usd: money(Math.round(probesCost)),
      rewrites_usd: money(Math.round(rewritesCost)),
      total_usd: money(Math.round(probesCost + rewritesCost)),
    }
  }
  const retentions = facts.retentions.flatMap(({ name, ttlMs, kind }) => {
    // Probes cannot keep an entry whose reads do not renew it.
    const learned = name === own && state.retention !== null ? state.retention.ttlMs : ttlMs
    const holding = kind === 'fixed' ? null : holdingOf(state, context, name, learned)
    if (holding === null) return []
    const asked = runs(holding, keepWarm, share)
    const without = runs(holding, { plan: 'off', idleTimeoutMs: null }, 0)
    const saved = asked.total_usd === null || without.total_usd === null ? null : without.total_usd - asked.total_usd
    return [{ retention: name, registered: name === own, plan: asked, nothing: without, saved_usd: saved }]
  })
  return {
    id: record.id,
    keep_warm: keepWarmJson(keepWarm),
    gaps: gaps.length,
    from: iso(gaps[0]?.startAt ?? lastAt),
    to: iso(now),
    retentions,
    how: how(gaps.length, lastAt, retentions.length, keepWarm),
  }
}

function how(gaps: number, lastAt: number | null, retentions: number, keepWarm: KeepWarm): string {
  if (lastAt === null)
    return 'No real request was observed yet, so there is nothing to replay. Report real requests to POST /observations.'
  if (retentions === 0) return 'No price is known for this model, so costs are unknown.'
  const windows =
    keepWarm.windows.length > 0 || keepWarm.untilAt !== null
      ? ' The replay ignores windows and until, and applies the plan at all times.'
      : ''
  const over =
    gaps === 0
      ? 'No idle gap has ended yet. Replayed over the time since the last real request'
      : `Replayed over the last ${gaps === 1 ? 'idle gap' : `${gaps} idle gaps`} and the time since the last real request`
  return `${over}, at today's prices. It counts the probes that would have become due. It also counts real requests that would have had to rewrite the prefix, at their cost above a read. The first write is not counted; its cost differs between retentions. The plan decides each gap from the gaps and requests before it. The history holds requests by minute for a week, and by hour before that.${windows}`
}

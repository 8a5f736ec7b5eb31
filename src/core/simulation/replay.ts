import { forecast } from '../demand/forecast.ts'
import type { ForecastModel } from '../demand/forecast.ts'
import type { KeepWarm } from '../planning/plan.ts'
import { horizon, maxProbes, reachOf, retentionFor, targetProbes } from '../planning/probe-policy.ts'
import type { Holding } from '../planning/probe-policy.ts'
import { addRequests } from '../demand/request-rate.ts'
import type { RequestRate } from '../demand/request-rate.ts'
import type { ObservedGap, Traffic } from '../demand/traffic.ts'
import { addGap, SHORTEST_GAP_MS } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { planKind, probesAsked } from '../planning/plan-kinds.ts'

/**
 * Replays traffic: what a plan would have sent and paid over observed idle gaps. The preview of a prefix, the simulation of a log
 * and the benchmark of policies share it, so that they agree.
 */

/** A policy for one prefix: the retention of a write at an instant (epoch ms), and the probes for the gap that begins then. */
export interface ReplayPolicy {
  write(at: number, requests: RequestRate): Holding
  probes(at: number, holding: Holding, requests: RequestRate): number
  ended?(gap: IdleGap): void
}

/** What a policy sent and paid. Money is in the unit of the holdings, above the cost of one read for each request. */
export interface Replay {
  probes: number
  /** Real requests after the first that would have read nothing. */
  coldStarts: number
  probesCost: number
  /** Extra cost of the writes by those requests, compared with reads. */
  rewritesCost: number
  /** Extra cost of the write by the first request, the same for all plans at one retention. 0: there was no request. */
  firstCost: number
}

/** Replays a policy. It learns of a gap only when the gap has ended. */
export function replay({ gaps, last }: Traffic, policy: ReplayPolicy): Replay {
  const sum: Replay = { probes: 0, coldStarts: 0, probesCost: 0, rewritesCost: 0, firstCost: 0 }
  const first = gaps[0] ?? last
  if (first === null) return sum
  let holding = policy.write(first.startAt, first.requests)
  sum.firstCost = holding.write - holding.read
  const idle = ({ startAt, lengthMs, requests }: ObservedGap): number => {
    if (lengthMs <= holding.everyMs) return 0
    const sent = Math.min(policy.probes(startAt, holding, requests), Math.ceil(lengthMs / holding.everyMs) - 1)
    sum.probes += sent
    sum.probesCost += sent * holding.probe
    return sent
  }
  for (const gap of gaps) {
    const sent = idle(gap)
    policy.ended?.(gap)
    if (gap.lengthMs > sent * holding.everyMs + holding.ttlMs) {
      const at = gap.startAt + gap.lengthMs
      holding = policy.write(at, addRequests(gap.requests, at))
      sum.coldStarts += 1
      sum.rewritesCost += holding.write - holding.read
    }
  }
  if (last !== null) idle(last)
  return sum
}

/** Policy with at most `probes` probes in each gap. */
export function fixedProbes(holding: Holding, probes: number): ReplayPolicy {
  return { write: () => holding, probes: () => probes }
}

/**
 * Policy of a plan where the caller's body fixes the retention. Windows and `until` are not replayed. `warmShare`: the share of
 * requests that must find it warm, as a target for the first token asks; 0: none.
 */
export function planPolicy(
  { plan, idleTimeoutMs, latencyValueNanos = 0 }: Pick<KeepWarm, 'plan' | 'idleTimeoutMs' | 'latencyValueNanos'>,
  holding: Holding,
  model?: ForecastModel,
  warmShare = 0,
): ReplayPolicy {
  const maxInTime = idleTimeoutMs === null ? Number.POSITIVE_INFINITY : Math.floor(idleTimeoutMs / holding.everyMs)
  const kind = planKind(plan)
  if (!kind.sends) return fixedProbes(holding, 0)
  if (!kind.stopsAtBreakEven) return fixedProbes(holding, Math.min(maxInTime, probesAsked(plan) ?? maxInTime))
  const forecaster = newForecaster(model)
  const reach = warmShare > 0 ? undefined : reachOf(holding, latencyValueNanos)
  return {
    write: () => holding,
    probes: (at, _, requests) => {
      const expected = forecaster.forecast(at, reach, requests)
      const { probes } = horizon(holding, expected, latencyValueNanos)
      return Math.min(maxInTime, Math.max(probes, targetProbes(holding, expected, warmShare)))
    },
    ended: forecaster.ended,
  }
}

/** Policy of plan `auto` that may also choose a retention at each write. Throws without a retention. */
export function choosingRetention(
  holdings: readonly Holding[],
  latencyValue: number,
  model?: ForecastModel,
): ReplayPolicy {
  const forecaster = newForecaster(model)
  const reach = Math.max(...holdings.map((holding) => reachOf(holding, latencyValue)))
  let current: string | undefined
  return {
    write: (at, requests) => {
      const choice = retentionFor(holdings, forecaster.forecast(at, reach, requests), latencyValue, current)
      if (choice === null) throw new Error('no retention to choose from')
      current = choice.holding.name
      return choice.holding
    },
    probes: (at, holding, requests) =>
      horizon(holding, forecaster.forecast(at, reachOf(holding, latencyValue), requests), latencyValue).probes,
    ended: forecaster.ended,
  }
}

/** The planner's knowledge of a replayed prefix: it records ended gaps and makes forecasts from them. */
export function newForecaster(model?: ForecastModel) {
  let gaps: IdleGap[] = []
  return {
    forecast: (at: number, reachMs: number | undefined, requests: RequestRate) =>
      forecast(gaps, at, model, reachMs, requests),
    ended: (gap: IdleGap): void => {
      if (gap.lengthMs >= SHORTEST_GAP_MS) gaps = addGap(gaps, gap)
    },
  }
}

/** Policy with probes up to break-even in each gap. It learns nothing. */
export function breakEven(holding: Holding, latencyValue: number): ReplayPolicy {
  return fixedProbes(holding, maxProbes(holding, latencyValue))
}

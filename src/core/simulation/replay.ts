import { forecast } from '../demand/forecast.ts'
import type { Lessons } from '../demand/forecast.ts'
import type { KeepWarm } from '../planning/plan.ts'
import { horizon, mostProbes, reachOf, retentionFor } from '../planning/probe-policy.ts'
import type { Holding } from '../planning/probe-policy.ts'
import { counted } from '../demand/request-rate.ts'
import type { RequestRate } from '../demand/request-rate.ts'
import type { SeenGap, Traffic } from '../demand/traffic.ts'
import { remember, SHORTEST_GAP_MS } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { planKind, probesAsked } from '../planning/plan-kinds.ts'

/**
 * Replays traffic: what a plan would have sent and paid over observed idle gaps. The preview of a prefix, the simulation of a log
 * and the benchmark of policies share it, so that they agree.
 */

/** A policy for one prefix: the retention of a write at an instant (epoch ms), and the probes for the gap that begins then. */
export interface Player {
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
export function play({ gaps, last }: Traffic, player: Player): Replay {
  const sum: Replay = { probes: 0, coldStarts: 0, probesCost: 0, rewritesCost: 0, firstCost: 0 }
  const first = gaps[0] ?? last
  if (first === null) return sum
  let holding = player.write(first.startAt, first.requests)
  sum.firstCost = holding.write - holding.read
  const idle = ({ startAt, lengthMs, requests }: SeenGap): number => {
    if (lengthMs <= holding.everyMs) return 0
    const sent = Math.min(player.probes(startAt, holding, requests), Math.ceil(lengthMs / holding.everyMs) - 1)
    sum.probes += sent
    sum.probesCost += sent * holding.probe
    return sent
  }
  for (const gap of gaps) {
    const sent = idle(gap)
    player.ended?.(gap)
    if (gap.lengthMs > sent * holding.everyMs + holding.ttlMs) {
      const at = gap.startAt + gap.lengthMs
      holding = player.write(at, counted(gap.requests, at))
      sum.coldStarts += 1
      sum.rewritesCost += holding.write - holding.read
    }
  }
  if (last !== null) idle(last)
  return sum
}

/** Policy with at most `probes` probes in each gap. */
export function fixed(holding: Holding, probes: number): Player {
  return { write: () => holding, probes: () => probes }
}

/** Policy of a plan where the caller's body fixes the retention. Windows and `until` are not replayed. */
export function planned(
  { plan, idleTimeoutMs, latencyValueNanos = 0 }: Pick<KeepWarm, 'plan' | 'idleTimeoutMs' | 'latencyValueNanos'>,
  holding: Holding,
  lessons?: Lessons,
): Player {
  const maxInTime = idleTimeoutMs === null ? Number.POSITIVE_INFINITY : Math.floor(idleTimeoutMs / holding.everyMs)
  const kind = planKind(plan)
  if (!kind.sends) return fixed(holding, 0)
  if (!kind.stopsAtBreakEven) return fixed(holding, Math.min(maxInTime, probesAsked(plan) ?? maxInTime))
  const { foresight, ended } = memory(lessons)
  const reach = reachOf(holding, latencyValueNanos)
  return {
    write: () => holding,
    probes: (at, _, requests) =>
      Math.min(maxInTime, horizon(holding, foresight(at, reach, requests), latencyValueNanos).probes),
    ended,
  }
}

/** Policy of plan `auto` that may also choose a retention at each write. Throws without a retention. */
export function choosing(holdings: readonly Holding[], latencyValue: number, lessons?: Lessons): Player {
  const { foresight, ended } = memory(lessons)
  const reach = Math.max(...holdings.map((holding) => reachOf(holding, latencyValue)))
  let current: string | undefined
  return {
    write: (at, requests) => {
      const choice = retentionFor(holdings, foresight(at, reach, requests), latencyValue, current)
      if (choice === null) throw new Error('no retention to choose from')
      current = choice.holding.name
      return choice.holding
    },
    probes: (at, holding, requests) =>
      horizon(holding, foresight(at, reachOf(holding, latencyValue), requests), latencyValue).probes,
    ended,
  }
}

/** The planner's knowledge of a replayed prefix: it records ended gaps and makes forecasts from them. */
export function memory(lessons?: Lessons) {
  let gaps: IdleGap[] = []
  return {
    foresight: (at: number, reachMs: number, requests: RequestRate) => forecast(gaps, at, lessons, reachMs, requests),
    ended: (gap: IdleGap): void => {
      if (gap.lengthMs >= SHORTEST_GAP_MS) gaps = remember(gaps, gap)
    },
  }
}

/** Policy with probes up to break-even in each gap. It learns nothing. */
export function breakEven(holding: Holding, latencyValue: number): Player {
  return fixed(holding, mostProbes(holding, latencyValue))
}

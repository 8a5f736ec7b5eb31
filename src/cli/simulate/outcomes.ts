import { holdingOf } from '../../core/planning/break-even.ts'
import { oracle } from '../../core/simulation/oracle.ts'
import type { Holding } from '../../core/planning/probe-policy.ts'
import { breakEven, choosingRetention, fixedProbes, planPolicy, replay } from '../../core/simulation/replay.ts'
import type { ReplayPolicy } from '../../core/simulation/replay.ts'
import type { Traffic } from '../../core/demand/traffic.ts'
import type { Known } from './prices.ts'

/**
 * Plans in the order in which they are shown. `auto_choosing` also chooses the retention at each write; `clairvoyant` knows every
 * arrival: the bound, not a plan.
 */
export const PLANS = ['nothing', 'break_even', 'auto', 'always', 'auto_choosing', 'clairvoyant'] as const
export type PlanName = (typeof PLANS)[number]

/** What one plan would have done and cost. Money in nano-dollars, of the prefix's tokens alone; its parts sum to `costNanos`. */
export interface Outcome {
  plan: PlanName
  /** Null where it is chosen at each write. */
  retention: string | null
  /** Requests that found nothing, the first of each prefix among them. */
  coldStarts: number
  probes: number
  readsNanos: number
  writesNanos: number
  probesNanos: number
  costNanos: number
  /** What its cold starts are worth avoiding, at `--latency-value`; in no other figure. */
  latencyNanos: number
}

/** A retention that probes can keep. `open`: `auto` may choose it, since the provider states how long it is. */
export interface Kept extends Holding {
  open: boolean
}

/** The retentions that probes can keep, with what they cost for so many tokens. */
export function holdingsOf({ facts, outputFloor }: Known, tokens: number): Kept[] {
  const context = { facts, estimatedTokens: tokens, outputFloor, grainMs: 1_000 }
  return facts.retentions.flatMap(({ name, ttlMs, kind, assumed }) => {
    const holding = kind === 'fixed' ? null : holdingOf({ measuredTokens: tokens }, context, name, ttlMs)
    return holding === null ? [] : [{ ...holding, open: kind === 'sliding' && !assumed }]
  })
}

/**
 * What each plan would have done with the traffic of one prefix, at each of its retentions; then `auto` where it may choose among
 * several, and the clairvoyant last.
 */
export function outcomesOf(traffic: Traffic, requests: number, holdings: readonly Kept[], latency: number): Outcome[] {
  // All retentions read at one price.
  const read = holdings[0]?.read ?? 0
  const replayed = (plan: PlanName, retention: string | null, player: ReplayPolicy): Outcome => {
    const { probes, coldStarts, probesCost, firstCost, rewritesCost } = replay(traffic, player)
    const cold = 1 + coldStarts
    const writes = firstCost + rewritesCost + cold * read
    return outcome(plan, retention, { cold, probes, probesCost, reads: (requests - cold) * read, writes }, latency)
  }
  const outcomes = holdings.flatMap((holding): Outcome[] => {
    const auto = planPolicy({ plan: 'auto', idleTimeoutMs: null, latencyValueNanos: latency }, holding)
    const players = [
      ['nothing', fixedProbes(holding, 0)],
      ['break_even', breakEven(holding, latency)],
      ['auto', auto],
      ['always', fixedProbes(holding, Number.POSITIVE_INFINITY)],
    ] as const
    return players.map(([plan, player]) => replayed(plan, holding.name, player))
  })
  const open = holdings.filter((holding) => holding.open)
  if (open.length > 1) outcomes.push(replayed('auto_choosing', null, choosingRetention(open, latency)))
  const bound = oracle(traffic, holdings, latency)
  const cold = 1 + bound.coldStarts
  const reads = (requests - cold) * read
  const writes = bound.cost - cold * latency - bound.probesCost + cold * read
  outcomes.push(
    outcome('clairvoyant', null, { cold, probes: bound.probes, probesCost: bound.probesCost, reads, writes }, latency),
  )
  return outcomes
}

function outcome(
  plan: PlanName,
  retention: string | null,
  of: { cold: number; probes: number; probesCost: number; reads: number; writes: number },
  latency: number,
): Outcome {
  return {
    plan,
    retention,
    coldStarts: of.cold,
    probes: of.probes,
    readsNanos: of.reads,
    writesNanos: of.writes,
    probesNanos: of.probesCost,
    costNanos: of.reads + of.writes + of.probesCost,
    latencyNanos: of.cold * latency,
  }
}

/** Sums, plan by plan. Both lists hold the same plans in the same order; an empty one holds nothing. */
export function added(sums: readonly Outcome[], more: readonly Outcome[]): Outcome[] {
  if (sums.length === 0) return more.map((one) => ({ ...one }))
  return sums.map((sum, index) => {
    const one = more[index]
    if (one === undefined || one.plan !== sum.plan || one.retention !== sum.retention)
      throw new Error('sums of different plans')
    return plus(sum, one)
  })
}

export function plus(a: Outcome, b: Outcome): Outcome {
  return {
    plan: a.plan,
    retention: a.retention,
    coldStarts: a.coldStarts + b.coldStarts,
    probes: a.probes + b.probes,
    readsNanos: a.readsNanos + b.readsNanos,
    writesNanos: a.writesNanos + b.writesNanos,
    probesNanos: a.probesNanos + b.probesNanos,
    costNanos: a.costNanos + b.costNanos,
    latencyNanos: a.latencyNanos + b.latencyNanos,
  }
}

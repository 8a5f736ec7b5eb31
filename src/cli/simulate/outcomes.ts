import { holdingOf } from '../../core/planning/break-even.ts'
import { oracle } from '../../core/simulation/oracle.ts'
import type { Holding } from '../../core/planning/probe-policy.ts'
import { breakEven, choosingRetention, fixedProbes, planPolicy, replay } from '../../core/simulation/replay.ts'
import type { ReplayPolicy } from '../../core/simulation/replay.ts'
import type { Traffic } from '../../core/demand/traffic.ts'
import type { Known } from './prices.ts'

/**
 * Plans in the order of the output. `auto_choosing` also chooses the retention at each write. `clairvoyant` knows every arrival: it
 * is the lower bound of the cost, not a plan. The JSON output has these names, so they stay.
 */
export const PLANS = ['nothing', 'break_even', 'auto', 'always', 'auto_choosing', 'clairvoyant'] as const
export type PlanName = (typeof PLANS)[number]

/** Calls and costs of one plan. Money is for the prefix's tokens alone; reads, writes and probes sum to `costNanos`. */
export interface Outcome {
  plan: PlanName
  /** Null if the plan chooses it at each write. */
  retention: string | null
  /** Requests that missed, including the first of each prefix. */
  coldStarts: number
  probes: number
  readsNanos: number
  writesNanos: number
  probesNanos: number
  costNanos: number
  /** Value of avoiding its cold starts, by `--latency-value`. No other figure includes it. */
  latencyNanos: number
}

/** A retention that probes can renew. `open`: `auto` may choose it, because the provider states its length. */
export interface Kept extends Holding {
  open: boolean
}

/** Returns the retentions that probes can renew, with their costs for `tokens` tokens. */
export function holdingsOf({ facts, outputFloor }: Known, tokens: number): Kept[] {
  const context = { facts, estimatedTokens: tokens, outputFloor, grainMs: 1_000 }
  return facts.retentions.flatMap(({ name, ttlMs, kind, assumed }) => {
    const holding = kind === 'fixed' ? null : holdingOf({ measuredTokens: tokens }, context, name, ttlMs)
    return holding === null ? [] : [{ ...holding, open: kind === 'sliding' && !assumed }]
  })
}

/**
 * Replays the traffic of one prefix with each plan at each of its retentions, then with `auto` if it may choose among several, and
 * last with the oracle.
 */
export function outcomesOf(traffic: Traffic, requests: number, holdings: readonly Kept[], latency: number): Outcome[] {
  // The price of a read is the same for all retentions.
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

/** Adds two lists, plan by plan. Both have the same plans in the same order, or are empty. */
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

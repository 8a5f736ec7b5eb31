import { holdingOf } from '../core/break-even.ts'
import { clairvoyant } from '../core/clairvoyant.ts'
import type { Holding } from '../core/policy.ts'
import { breakEven, fixed, planned, play } from '../core/replay.ts'
import type { Traffic } from '../core/replay.ts'
import type { Known } from './prices.ts'

/** Plans in the order in which they are shown. `clairvoyant` knows every arrival: the bound, not a plan. */
export const PLANS = ['nothing', 'break_even', 'auto', 'always', 'clairvoyant'] as const
export type PlanName = (typeof PLANS)[number]

/** What one plan would have done and cost. Money in nano-dollars, of the prefix's tokens alone; its parts sum to `costNanos`. */
export interface Outcome {
  plan: PlanName
  /** Null for the clairvoyant, who chooses at each write. */
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

/** The retentions that probes can keep, with what they cost for so many tokens. */
export function holdingsOf({ facts, outputFloor }: Known, tokens: number): Holding[] {
  const context = { facts, estimatedTokens: tokens, outputFloor, grainMs: 1_000 }
  return facts.retentions.flatMap(({ name, ttlMs, kind }) => {
    const holding = kind === 'fixed' ? null : holdingOf({ measuredTokens: tokens }, context, name, ttlMs)
    return holding === null ? [] : [holding]
  })
}

/** What each plan would have done with the traffic of one prefix, at each of its retentions, the clairvoyant last. */
export function outcomesOf(
  traffic: Traffic,
  requests: number,
  holdings: readonly Holding[],
  latency: number,
): Outcome[] {
  const outcomes = holdings.flatMap((holding): Outcome[] => {
    const auto = planned({ plan: 'auto', idleTimeoutMs: null, latencyValueNanos: latency }, holding)
    const players = [
      ['nothing', fixed(holding, 0)],
      ['break_even', breakEven(holding, latency)],
      ['auto', auto],
      ['always', fixed(holding, Number.POSITIVE_INFINITY)],
    ] as const
    return players.map(([plan, player]) => {
      const { probes, coldStarts, probesCost } = play(traffic, player)
      const cold = 1 + coldStarts
      return outcome(
        plan,
        holding.name,
        { cold, probes, probesCost, reads: (requests - cold) * holding.read, writes: cold * holding.write },
        latency,
      )
    })
  })
  const bound = clairvoyant(traffic, holdings, latency)
  const cold = 1 + bound.coldStarts
  const reads = (requests - cold) * (holdings[0]?.read ?? 0)
  // All retentions read at one price, so what is left of the bound is its writes.
  const writes = bound.cost - cold * latency - bound.probesCost + cold * (holdings[0]?.read ?? 0)
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

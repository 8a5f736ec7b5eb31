import type { KeepWarm } from './plan.ts'

type Plan = KeepWarm['plan']

/** What one kind of plan does. */
export interface PlanKind {
  /** Sends calls by itself. The others send what a caller asks for. */
  sends: boolean
  /** Pays a rewrite when an entry is gone, and waits for tomorrow when today's budget is spent. The others stop. */
  revives: boolean
  /** Stops when answers do not report whether the prefix was cached. */
  needsEvidence: boolean
  /** Spends only what it expects to save: stops at the break-even, after losses, and where no probe can pay. */
  stopsAtBreakEven: boolean
  /** Follows what callers say of a session: that it is over, or that work is pending. */
  followsSignals: boolean
  /** Holds out a share of its idle gaps, to measure what keep-alives save. */
  measured: boolean
  /** What the retention is chosen by, where the caller leaves it open: the forecast of an idle gap, or a day of renewals. */
  choosesRetention: 'by_gap' | 'by_day' | null
}

const KINDS = {
  auto: {
    sends: true,
    revives: false,
    needsEvidence: true,
    stopsAtBreakEven: true,
    followsSignals: true,
    measured: true,
    choosesRetention: 'by_gap',
  },
  always: {
    sends: true,
    revives: true,
    needsEvidence: false,
    stopsAtBreakEven: false,
    followsSignals: false,
    measured: false,
    choosesRetention: 'by_day',
  },
  off: {
    sends: false,
    revives: false,
    needsEvidence: true,
    stopsAtBreakEven: false,
    followsSignals: false,
    measured: false,
    choosesRetention: null,
  },
  probes: {
    sends: true,
    revives: false,
    needsEvidence: true,
    stopsAtBreakEven: false,
    followsSignals: false,
    measured: false,
    choosesRetention: null,
  },
} as const satisfies Record<Extract<Plan, string> | keyof Extract<Plan, object>, PlanKind>

/** The row of a plan: `{ probes: N }` has the row `probes`. */
export function planKind(plan: Plan): PlanKind {
  return KINDS[typeof plan === 'object' ? 'probes' : plan]
}

/** Probes for each idle gap, where the caller gave their number; null for other plans. */
export function probesAsked(plan: Plan): number | null {
  return typeof plan === 'object' ? plan.probes : null
}

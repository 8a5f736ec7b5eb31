import type { PlanContext } from '../../src/core/planning/plan.ts'
import { learnedRetention } from '../../src/core/cache/retention.ts'
import { newState } from '../../src/core/prefix/state.ts'
import type { PrefixState } from '../../src/core/prefix/state.ts'
import type { ModelFacts, RetentionOffer } from '../../src/core/model/facts.ts'
import type { Usage } from '../../src/core/model/usage.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

/** A Monday noon, UTC. */
export const NOON = Date.UTC(2026, 10, 16, 12)

export const fiveMinutes: RetentionOffer = {
  name: '5m',
  kind: 'sliding',
  ttlMs: 5 * MINUTE_MS,
  assumed: false,
  minTtlMs: 5 * MINUTE_MS,
  maxTtlMs: 5 * MINUTE_MS,
}
export const assumed: RetentionOffer = {
  name: 'implicit',
  kind: 'unknown',
  ttlMs: 10 * MINUTE_MS,
  assumed: true,
  minTtlMs: 3 * MINUTE_MS,
  maxTtlMs: HOUR_MS,
}

/** Prices for each million tokens: $3 input, $0.30 cache read, $3.75 write for 5 minutes, $15 output. */
export const facts: ModelFacts = {
  minimumTokens: 1024,
  retentions: [fiveMinutes],
  writesReported: true,
  primitives: ['zero_output', 'one_token'],
  price: {
    inputNanosPerMTok: 3_000_000_000,
    cacheReadNanosPerMTok: 300_000_000,
    cacheWriteNanosPerMTok: { '5m': 3_750_000_000 },
    outputNanosPerMTok: 15_000_000_000,
    from: '2026-01-01',
    source: 'sample',
    checked: '2026-11-21',
  },
}
export const silentFacts: ModelFacts = {
  ...facts,
  writesReported: false,
  retentions: [assumed],
  price: { ...facts.price!, cacheWriteNanosPerMTok: { implicit: 3_000_000_000 } },
}

export function context(change: Partial<PlanContext> = {}): PlanContext {
  return {
    keepWarm: { plan: 'always', untilAt: null, idleTimeoutMs: null, windows: [], budgetNanosPerDay: 1_000_000_000 },
    facts,
    estimatedTokens: 10_000,
    outputFloor: 0,
    killed: false,
    grainMs: 1_000,
    accountLeftNanos: null,
    random: 0,
    ...change,
  }
}

export function planned(
  plan: PlanContext['keepWarm']['plan'],
  change: Partial<PlanContext['keepWarm']> = {},
): PlanContext['keepWarm'] {
  return { ...context().keepWarm, plan, ...change }
}

/** State of a prefix that was written at `anchorAt` and measured at 10,000 tokens. */
export function warmState(anchorAt: number, change: Partial<PrefixState> = {}, offer = fiveMinutes): PrefixState {
  return {
    ...newState(anchorAt, dayOf(anchorAt), learnedRetention(offer)),
    verdict: 'warm',
    anchorAt,
    measuredTokens: 10_000,
    ...change,
  }
}

export function usage(read: number | null, write: number | null, change: Partial<Usage> = {}): Usage {
  return {
    inputTokens: (read ?? 0) + (write ?? 0) + 5,
    uncachedTokens: 5,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: {},
    outputTokens: 0,
    reasoningTokens: null,
    ...change,
  }
}

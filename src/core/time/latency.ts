import { DEADLINE_MARGIN_MS, KEEP_TIMEOUT_MS } from './schedule.ts'
import { newHistogram, observe, quantile } from './histogram.ts'
import type { Histogram } from './histogram.ts'

/** Cautious estimate of delays on the way to a provider, in milliseconds. The times of a keep-alive are derived from it. */
export interface LatencyEstimate {
  /** A queue message that has not begun this long after its time is sent again. */
  resendMs: number
  /** From the planned to the real start of a call: queue, cold start, and the wait for a free connection. */
  lateMs: number
  /** Time-out of a keep-alive while there is time for another. */
  answerMs: number
}

/** Estimate before any call was observed. */
export const CAUTIOUS: LatencyEstimate = { resendMs: 7_500, lateMs: 8_500, answerMs: 6_500 }
/** Lower bounds: fast calls so far prove nothing about the next hour. */
const LEAST: LatencyEstimate = { resendMs: 3_000, lateMs: 4_000, answerMs: 2_000 }
const MOST: LatencyEstimate = { resendMs: 8_000, lateMs: 60_000, answerMs: KEEP_TIMEOUT_MS }
/** Upper bound of the learned time of an answer where a provider is given longer: two of them fit into the longest lead. */
const MOST_PATIENT_MS = 40_000

/** Weight of the first estimate, in calls: 2,000 calls outweigh it for the 99.9th percentile, 100 for the 98th. */
const PRIOR_CALLS = 2
/** Time-out as a multiple of the 98th percentile of answers. */
const TIMEOUT_FACTOR = 2
/** A decrease by less than this share is ignored: each change makes some claims come too early. */
const MIN_DECREASE = 0.07

/** Observed delays of one account's calls. */
export interface LatencySamples {
  /** From the time of a queue message to its begin. */
  messages: Histogram
  /** From the time of a queue message to the start of its call. */
  starts: Histogram
  /** Time to an answer, by provider id; a call that timed out counts as longer than its time-out. */
  answers: Record<string, Histogram>
}

export function newLatencySamples(): LatencySamples {
  return { messages: newHistogram(), starts: newHistogram(), answers: {} }
}

/** Adds the time to an answer, in ms. Changes `samples` in place. */
export function recordAnswer(samples: LatencySamples, provider: string, ms: number): void {
  const histogram = samples.answers[provider] ?? newHistogram()
  samples.answers[provider] = histogram
  observe(histogram, ms)
}

/**
 * Estimate from the samples of one provider. A figure of `before` that falls only a little is kept. `timeoutMs`: time that the
 * provider is given for an answer; null: the usual one.
 */
export function estimateLatency(
  samples: LatencySamples,
  provider: string,
  before: LatencyEstimate = CAUTIOUS,
  timeoutMs: number | null = null,
): LatencyEstimate {
  const answers = samples.answers[provider] ?? newHistogram()
  const seen: LatencyEstimate = {
    resendMs: quantile(samples.messages, 0.99, CAUTIOUS.resendMs, PRIOR_CALLS),
    lateMs: quantile(samples.starts, 0.999, CAUTIOUS.lateMs, PRIOR_CALLS),
    answerMs: TIMEOUT_FACTOR * quantile(answers, 0.98, CAUTIOUS.answerMs / TIMEOUT_FACTOR, PRIOR_CALLS),
  }
  const most =
    timeoutMs === null ? MOST : { ...MOST, answerMs: Math.max(MOST.answerMs, Math.min(timeoutMs, MOST_PATIENT_MS)) }
  const steady = (name: keyof LatencyEstimate): number => {
    const ms = Math.round(Math.min(most[name], Math.max(LEAST[name], seen[name])) / 100) * 100
    return ms < before[name] && ms > before[name] * (1 - MIN_DECREASE) ? before[name] : ms
  }
  return { resendMs: steady('resendMs'), lateMs: steady('lateMs'), answerMs: steady('answerMs') }
}

const LONGEST_LEAD_MS = 90_000

/**
 * Time from sending a keep-alive to the lapse of its entry. It covers a late start and two time-outs before the last attempt.
 * `grainMs`: resolution of queue delays in this clock; 1 s in production, more where the clock runs faster than real time.
 */
export function leadMs(ttlMs: number, grainMs: number, { lateMs, answerMs }: LatencyEstimate = CAUTIOUS): number {
  const lead = Math.min(LONGEST_LEAD_MS, lateMs + 2 * answerMs + DEADLINE_MARGIN_MS)
  return Math.min(lead + 2 * Math.max(0, grainMs - 1_000), Math.floor(ttlMs / 3))
}

/** Time before its deadline at which a delayed keep-alive is sent in any case: one queue delay and one time-out. */
export function lastTryMs({ resendMs, answerMs }: LatencyEstimate = CAUTIOUS): number {
  return resendMs + answerMs
}

import { DEADLINE_MARGIN_MS, KEEP_TIMEOUT_MS } from './schedule.ts'
import { newHistogram, observe, quantile } from './histogram.ts'
import type { Histogram } from './histogram.ts'

/** How fast the road to a provider is, cautiously: what a keep-alive's times are derived from. All in milliseconds. */
export interface LatencyEstimate {
  /** A message that has not begun so long after its time is sent once more. */
  resendMs: number
  /** From the moment a call was meant to be sent to the moment it was: queue, cold start, the wait for a turn. */
  lateMs: number
  /** How long a keep-alive may stay unanswered while there is time for another. */
  answerMs: number
}

/** What is assumed before anything was seen. */
export const CAUTIOUS: LatencyEstimate = { resendMs: 7_500, lateMs: 8_500, answerMs: 6_500 }
/** No evidence goes below these: a day that was good so far proves nothing about the next hour. */
const LEAST: LatencyEstimate = { resendMs: 3_000, lateMs: 4_000, answerMs: 2_000 }
const MOST: LatencyEstimate = { resendMs: 8_000, lateMs: 60_000, answerMs: KEEP_TIMEOUT_MS }

/** The assumption weighs like so many calls: the 99.9th percentile is believed after two thousand, the 98th after a hundred. */
const PRIOR_CALLS = 2
/** A time-out is so many times the 98th percentile of answers. */
const PATIENCE = 2
/** A pace that fell by less than this share is left as it was: every change makes claims that come a moment too early. */
const STEADY = 0.07

/** What was seen of one account's calls. */
export interface LatencySamples {
  /** From a message's time to its begin. */
  messages: Histogram
  /** From a message's time to the start of a call. */
  starts: Histogram
  /** Time to an answer, by provider; a call that was given up counts as longer than its time-out. */
  answers: Record<string, Histogram>
}

export function newLatencySamples(): LatencySamples {
  return { messages: newHistogram(), starts: newHistogram(), answers: {} }
}

export function sawAnswer(lateness: LatencySamples, provider: string, ms: number): void {
  const sketch = lateness.answers[provider] ?? newHistogram()
  lateness.answers[provider] = sketch
  observe(sketch, ms)
}

/** The pace that evidence supports; `before` is kept where the difference is not worth a change. */
export function latencyEstimateOf(
  lateness: LatencySamples,
  provider: string,
  before: LatencyEstimate = CAUTIOUS,
): LatencyEstimate {
  const answers = lateness.answers[provider] ?? newHistogram()
  const seen: LatencyEstimate = {
    resendMs: quantile(lateness.messages, 0.99, CAUTIOUS.resendMs, PRIOR_CALLS),
    lateMs: quantile(lateness.starts, 0.999, CAUTIOUS.lateMs, PRIOR_CALLS),
    answerMs: PATIENCE * quantile(answers, 0.98, CAUTIOUS.answerMs / PATIENCE, PRIOR_CALLS),
  }
  const steady = (name: keyof LatencyEstimate): number => {
    const ms = Math.round(Math.min(MOST[name], Math.max(LEAST[name], seen[name])) / 100) * 100
    return ms < before[name] && ms > before[name] * (1 - STEADY) ? before[name] : ms
  }
  return { resendMs: steady('resendMs'), lateMs: steady('lateMs'), answerMs: steady('answerMs') }
}

const LONGEST_LEAD_MS = 90_000

/**
 * How long before the lapse a keep-alive is sent: it may start late, stay unanswered twice, and the last try is still in time. `grainMs`
 * is the coarseness of queue delays in this clock: 1 s in production, more when the clock runs faster than real time.
 */
export function leadMs(ttlMs: number, grainMs: number, { lateMs, answerMs }: LatencyEstimate = CAUTIOUS): number {
  const lead = Math.min(LONGEST_LEAD_MS, lateMs + 2 * answerMs + DEADLINE_MARGIN_MS)
  return Math.min(lead + 2 * Math.max(0, grainMs - 1_000), Math.floor(ttlMs / 3))
}

/** Before its deadline a keep-alive that was held back is sent all the same: the road to the provider, and one time-out. */
export function lastTryMs({ resendMs, answerMs }: LatencyEstimate = CAUTIOUS): number {
  return resendMs + answerMs
}

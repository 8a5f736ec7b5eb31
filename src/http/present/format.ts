import { usd } from '../../core/model/price.ts'
import type { Usage } from '../../core/model/usage.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { FAILURES } from '../../contract/failure.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../core/time/time.ts'

export function iso(at: number): string

export function iso(at: number | null): string | null

export function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}

export function money(nanos: number): number

export function money(nanos: number | null): number | null

export function money(nanos: number | null): number | null {
  return nanos === null ? null : usd(nanos)
}

/** A duration as callers write it, in the largest unit without a fraction: `90m`, `2h`. */
export function durationJson(ms: number): string {
  const units: [string, number][] = [
    ['d', DAY_MS],
    ['h', HOUR_MS],
    ['m', MINUTE_MS],
    ['s', SECOND_MS],
  ]
  const [name, length] = units.find(([, unit]) => ms % unit === 0) ?? ['ms', 1]
  return `${ms / length}${name}`
}

export function usageJson(usage: Usage) {
  return {
    input_tokens: usage.inputTokens,
    uncached_input_tokens: usage.uncachedTokens,
    cached_input_tokens: usage.cacheReadTokens,
    cache_write_input_tokens: usage.cacheWriteTokens,
    cache_write_by_retention: usage.cacheWriteByRetention,
    output_tokens: usage.outputTokens,
    reasoning_tokens: usage.reasoningTokens,
  }
}

export function failureJson(failure: FailureValue) {
  return { ...failure, retryable: FAILURES[failure.kind].retryable }
}

import type { RateLimit } from '../../core/planning/rate-limit.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../core/time/time.ts'

/**
 * Reads rate limits from the headers of any answer. `now` is its arrival (epoch ms). A limit without its size or its reset is left out:
 * it does not say when to wait.
 *
 * Anthropic: `anthropic-ratelimit-<what>-{limit,remaining,reset}`, the reset an RFC 3339 instant
 * (https://platform.claude.com/docs/en/api/rate-limits, checked 2026-11-21). OpenAI and compatible servers:
 * `x-ratelimit-{limit,remaining,reset}-<what>`, the reset a duration such as `6m0s` or `120ms`
 * (https://developers.openai.com/api/docs/guides/rate-limits, checked 2026-11-21). Others: `[x-]ratelimit-{limit,remaining,reset}`,
 * the reset in seconds (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/, checked 2026-11-21) or as an instant.
 */
export function readRateLimits(headers: Headers, now: number): RateLimit[] {
  const parts = new Map<string, Partial<Record<'limit' | 'remaining' | 'reset', string>>>()
  headers.forEach((value, name) => {
    const match =
      /^(?:anthropic|x)-ratelimit-(?<what>[a-z-]+?)-(?<part>limit|remaining|reset)$/.exec(name) ??
      /^(?:x-)?ratelimit-(?<part>limit|remaining|reset)(?:-(?<what>[a-z-]+))?$/.exec(name)
    const part = match?.groups?.['part'] as 'limit' | 'remaining' | 'reset' | undefined
    if (part === undefined) return
    const what = (match?.groups?.['what'] ?? 'requests').replaceAll('-', ' ')
    parts.set(what, { ...parts.get(what), [part]: value.trim() })
  })
  return [...parts].flatMap(([what, { limit, remaining, reset }]) => {
    const resetAt = reset === undefined ? null : resetFrom(reset, now)
    const [most, left] = [count(limit), count(remaining)]
    return most === null || left === null || resetAt === null ? [] : [{ what, limit: most, remaining: left, resetAt }]
  })
}

function count(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : null
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }
/** A number of seconds above this is an instant. */
const FIRST_EPOCH_SECONDS = 1e9

function resetFrom(text: string, now: number): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const seconds = Number(text)
    if (seconds >= FIRST_EPOCH_SECONDS * 1_000) return seconds
    return seconds >= FIRST_EPOCH_SECONDS ? seconds * 1_000 : now + Math.ceil(seconds * 1_000)
  }
  if (/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    let waitMs = 0
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
      waitMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0)
    return now + Math.ceil(waitMs)
  }
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isFinite(at) ? at : null
}

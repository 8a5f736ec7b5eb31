import * as z from 'zod'

/** Scalar values of the API, each parsed to the form that the product uses. */

/** The contract imports no other folder, so it has its own units of time. */
export const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const LONGEST_MS = 400 * UNIT_MS.d
const DURATION = 'must be a duration such as "90s", "5m", "1h", or a number of seconds, above 0 and at most 400 days'
const WAIT = 'must be a duration such as "30s", or a number of seconds; "0s" and 0 do not wait'

/** Reads `"90s"`, `"5m"`, `"1.5h"`, or a number of seconds, as milliseconds; null when it is none of these, or no time at all. */
export function durationMs(value: string | number): number | null {
  const ms = spanMs(value)
  return ms === null || ms <= 0 ? null : Math.max(1, Math.round(ms))
}

function spanMs(value: string | number): number | null {
  const match = typeof value === 'string' ? /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(value) : null
  const ms =
    typeof value === 'number'
      ? value * 1_000
      : Number(match?.[1]) * UNIT_MS[(match?.[2] ?? 'ms') as keyof typeof UNIT_MS]
  return Number.isFinite(ms) && ms >= 0 && ms <= LONGEST_MS ? ms : null
}

/** A duration, in milliseconds. */
export const duration = z
  .union([z.string(), z.number()], { error: DURATION })
  .transform((value, context) => {
    const ms = durationMs(value)
    if (ms !== null) return ms
    context.addIssue(DURATION)
    return z.NEVER
  })
  .meta({ description: 'A duration: "90s", "5m", "1h", "2d", or a number of seconds.' })

/** How long a caller waits for something, in milliseconds. 0, in any unit, does not wait. */
export const wait = z
  .union([z.string(), z.number()], { error: WAIT })
  .transform((value, context) => {
    const ms = spanMs(value) === 0 ? 0 : durationMs(value)
    if (ms !== null) return ms
    context.addIssue(WAIT)
    return z.NEVER
  })
  .meta({ description: 'A duration: "90s", "5m", or a number of seconds; 0 and "0s" do not wait.' })

const INSTANT = 'must be an instant such as "2026-11-21T10:00:00Z", with its offset from UTC'

/** ISO 8601 with an offset, as epoch milliseconds. */
export const instant = z.iso
  .datetime({ offset: true, error: INSTANT })
  .transform((value) => Date.parse(value))
  .meta({ description: 'An instant: ISO 8601 with an offset.' })

/** ISO 8601 with an offset, or epoch milliseconds. */
export const instantOrMs = z
  .union(
    [
      instant,
      z
        .int()
        .min(0)
        .max(8.64e15 - 1),
    ],
    {
      error: ({ input }) =>
        input === undefined
          ? 'is missing; give the time when the request was sent'
          : `${INSTANT}, or whole milliseconds since 1970`,
    },
  )
  .meta({ description: 'An instant: ISO 8601 with an offset, or milliseconds since 1970.' })

const NANOS_PER_USD = 1_000_000_000
const MOST_USD = 1_000_000

/** US dollars, as integer nano-dollars. */
export const dollars = z
  .number({ error: 'must be a number of US dollars' })
  .min(0, { error: 'must be 0 or more' })
  .max(MOST_USD, { error: `must be at most ${MOST_USD}` })
  .transform((usd) => Math.round(usd * NANOS_PER_USD))
  .meta({ description: 'US dollars.' })

export const LONGEST_LABEL = 200

/** A label: printable, and short enough for a table. */
export const label = z
  .string()
  .min(1, { error: 'must not be empty' })
  .max(LONGEST_LABEL, { error: `must be at most ${LONGEST_LABEL} characters` })
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'must not contain control characters' })

export const accountId = z
  .string()
  .regex(/^[a-z0-9-]{1,40}$/, { error: 'must be 1 to 40 lower-case letters, digits and hyphens' })

const REGION = 'must be a region or location such as "eu-west-1"'

/** Region (Bedrock) or location (Vertex) in the address of a provider. */
export const region = z
  .string({ error: REGION })
  .regex(/^[a-z](?:[a-z0-9-]{0,62}[a-z0-9])?$/, { error: REGION })
  .meta({ description: 'Region (Bedrock) or location (Vertex) to call, in place of the one of the deployment.' })

/**
 * The times of a keep-alive that are fixed. How long before an entry's lapse it is sent, and how long it may stay unanswered, are learned
 * (src/core/pace.ts). The figures are checked by the world in test/scenarios, which counts lapses and calls.
 */

/** Slots of the schedule: jobs due within two seconds share a message. */
export const SLOT_MS = 2_000

/** How late a message about a managed cache may be before its claim is taken back. The 99.97th percentile of a queue with median 1 s and p99.9 6 s. */
export const CLAIM_GRACE_MS = 8_000

/** A claim whose messages, sent again and again, never begin is taken back and made anew. */
export const CLAIM_GIVEN_UP_MS = 60_000

/** The longest that a keep-alive may stay unanswered; while there is time for another, less is learned (src/core/pace.ts). */
export const KEEP_TIMEOUT_MS = 10_000

/** A deliberate write may take this long: a cold prefix of a million tokens is minutes of prefill at no provider we know. */
export const WRITE_TIMEOUT_MS = 50_000

/** How long a lease may wait for its turn in the six-wide window before it must be given back unused. */
export const LEASE_WAIT_MS = 5_000

/** From the end of a call to its settlement. */
export const SETTLE_SLACK_MS = 3_000

/** A request accepted by the provider this long before the lapse is in time: the road to the provider takes some. */
export const DEADLINE_MARGIN_MS = 1_500

/** How often cron ticks. A sweep claims what falls due before the next tick, and a little more. */
export const TICK_MS = 60_000
export const SWEEP_HORIZON_MS = TICK_MS + 5_000

/** Start of the slot that an instant falls into. */
export function slotOf(at: number): number {
  return Math.floor(at / SLOT_MS) * SLOT_MS
}

/**
 * Wait before another try: exponential from `firstMs`, at most `mostMs`, spread over its upper half so that a crowd
 * does not come back at once. `random` is in [0, 1).
 */
export function backoffMs(failuresInRow: number, random: number, firstMs: number, mostMs: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(20, Math.max(0, failuresInRow - 1)))
  return Math.round(full * (0.5 + random / 2))
}

/** A number in [0, 1) that spreads what would come at once, by what it is about and which of its tries; the same every time it is asked. */
export function spread(key: number, nth: number): number {
  let mixed = Math.imul(key, 0x9e3779b1) ^ Math.imul(nth, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}

/** The UTC day of an instant, as budgets count them. Asked a million times a day for the same one, so the last is kept. */
export function dayOf(at: number): string {
  const day = Math.floor(at / DAY_MS)
  if (day !== lastDay.day) lastDay = { day, name: new Date(at).toISOString().slice(0, 10) }
  return lastDay.name
}

const DAY_MS = 86_400_000
let lastDay = { day: 0, name: '1970-01-01' }

export function nextDayAt(at: number): number {
  return (Math.floor(at / DAY_MS) + 1) * DAY_MS
}

/** An instant as explanations write it: ISO 8601, without milliseconds where there are none. */
export function iso(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z')
}

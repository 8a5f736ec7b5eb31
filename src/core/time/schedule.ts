/**
 * The times of a keep-alive that are fixed. How long before an entry's lapse it is sent, and how long it may stay unanswered, are learned
 * (src/core/time/latency.ts). The figures are checked by the world in test/scenarios, which counts lapses and calls.
 */

/** Slots of the schedule: jobs due within two seconds share a message. */
export const SLOT_MS = 2_000

/** How late a message about a managed cache may be before its claim is taken back. The 99.97th percentile of a queue with median 1 s and p99.9 6 s. */
export const CLAIM_GRACE_MS = 8_000

/** A claim whose messages, sent again and again, never begin is taken back and made anew. */
export const CLAIM_GIVEN_UP_MS = 60_000

/** The longest that a keep-alive may stay unanswered; while there is time for another, less is learned (src/core/time/latency.ts). */
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

/**
 * Fixed times of a keep-alive. Its lead before the lapse and its time-out are learned (src/core/time/latency.ts). The worlds in
 * test/scenarios check these figures: they count lapses and calls.
 */

/** Length of a schedule slot. Jobs due in the same slot share a message. */
export const SLOT_MS = 2_000

/** Delay of a message about a managed cache after which its claim is revoked: the 99.97th percentile of a queue with median 1 s and p99.9 6 s. */
export const CLAIM_GRACE_MS = 8_000

/** Time after which a claim is revoked and made again, if none of its messages has begun. */
export const CLAIM_GIVEN_UP_MS = 60_000

/** Longest time-out of a keep-alive. While there is time for another, the learned one is shorter (src/core/time/latency.ts). */
export const KEEP_TIMEOUT_MS = 10_000

/** Time-out of a deliberate write. No vendor that we know takes a minute for a million tokens; an engine of one's own may. */
export const WRITE_TIMEOUT_MS = 50_000

/**
 * A time that is machine time on every clock: what a computer takes to send and to answer does not pass faster with the lab's clock.
 * `grainMs`: one real second in this clock.
 */
export function machineTime(ms: number, grainMs: number): number {
  return (ms * grainMs) / 1_000
}

/** Wait of a lease for one of six concurrent connections; after it the lease is returned unused. */
export const LEASE_WAIT_MS = 5_000

/** From the end of a call to its settlement. */
export const SETTLE_SLACK_MS = 3_000

/** Margin before the lapse for the network: a request must start at least this much earlier. */
export const DEADLINE_MARGIN_MS = 1_500

/** Interval of the cron. A sweep claims probes due before the next tick, and 5 s more. */
export const TICK_MS = 60_000
export const SWEEP_HORIZON_MS = TICK_MS + 5_000

/** Start of the slot of an instant (epoch ms). */
export function slotOf(at: number): number {
  return Math.floor(at / SLOT_MS) * SLOT_MS
}

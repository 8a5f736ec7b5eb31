/**
 * The times of a keep-alive, all of them durations before or after an entry's lapse.
 *
 * A probe leaves `leadMs` before the lapse. Inside that lead must fit: a message that comes late, a message that is lost
 * (its claim expires after `CLAIM_GRACE_MS`, the alarm sends another), a provider that throttles or is silent for
 * `KEEP_TIMEOUT_MS`, and one more try. Every second of lead costs calls: a third of a per cent at a five-minute
 * retention. The figures are checked by the world in test/scenarios, which counts lapses and calls.
 */

/** Slots of the schedule: jobs due within two seconds share a message. */
export const SLOT_MS = 2_000

/** How late a message may be before its claim is taken back. The 99.97th percentile of a queue with median 1 s and p99.9 6 s. */
export const CLAIM_GRACE_MS = 8_000

/** A keep-alive that got no answer by then is given up, so that another can be sent while there is time. */
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

const SHORTEST_LEAD_MS = 23_000
const LONGEST_LEAD_MS = 90_000

/**
 * How long before the lapse the probe is sent. `grainMs` is the coarseness of queue delays in this clock: 1 s in
 * production, more when the clock runs faster than real time.
 */
export function leadMs(ttlMs: number, grainMs: number): number {
  const lead = Math.min(LONGEST_LEAD_MS, Math.max(SHORTEST_LEAD_MS, ttlMs * 0.02)) + 2 * Math.max(0, grainMs - 1_000)
  return Math.min(lead, Math.floor(ttlMs / 3))
}

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

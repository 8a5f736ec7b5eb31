export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

let lastDay = { day: 0, name: '1970-01-01' }

/** The UTC day of an instant, `2026-11-21`, by which budgets are counted. Most calls ask for the same day, so the last one is kept. */
export function dayOf(at: number): string {
  const day = Math.floor(at / DAY_MS)
  if (day !== lastDay.day) lastDay = { day, name: new Date(at).toISOString().slice(0, 10) }
  return lastDay.name
}

/** The next UTC midnight after `at`, in epoch milliseconds. */
export function nextDayAt(at: number): number {
  return (Math.floor(at / DAY_MS) + 1) * DAY_MS
}

/** An instant as explanations write it: ISO 8601, without milliseconds where there are none. */
export function iso(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z')
}

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

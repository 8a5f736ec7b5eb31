import * as z from 'zod'

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const DAYS_WORDS = 'must be days such as "mon-fri", "mon,wed" or "daily"'

/** Reads `mon-fri`, `sat-mon`, `mon,wed` or `daily` as days of the week, 1 = Monday … 7 = Sunday; null when it is none of these. */
export function daysOf(text: string): number[] | null {
  if (text === 'daily') return [1, 2, 3, 4, 5, 6, 7]
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [from = '', to = from, ...more] = part.trim().split('-')
    const first = DAYS.indexOf(from)
    const last = DAYS.indexOf(to)
    if (first < 0 || last < 0 || more.length > 0) return null
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day + 1)
      if (day === last) break
    }
  }
  return [...days].toSorted((a, b) => a - b)
}

function minuteOf(text: string): number {
  const [hour = 0, minute = 0] = text.split(':').map(Number)
  return hour * 60 + minute
}

function isTimeZone(name: string): boolean {
  // Only names are accepted: an offset such as +02:00 has no daylight saving time.
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false // the platform throws for a zone that it does not know
  }
}

const TIME = 'must be a time of day such as "06:00"'

/** A daily time window on some days of the week in one time zone. If `to` is at or before `from`, it ends on the next day. */
export const keepWarmWindow = z
  .strictObject({
    days: z
      .string()
      .max(40)
      .refine((text) => daysOf(text.toLowerCase()) !== null, { error: DAYS_WORDS })
      .default('daily'),
    from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: TIME }),
    to: z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, { error: TIME }),
    time_zone: z.string().max(64).refine(isTimeZone, { error: 'must be an IANA time zone such as "Europe/Berlin"' }),
  })
  .transform(({ days, from, to, time_zone: timeZone }) => ({
    days: daysOf(days.toLowerCase()) ?? [],
    fromMinute: minuteOf(from),
    toMinute: minuteOf(to),
    timeZone,
  }))

/** Writes a window in the form of the API. */
export function windowJson(window: z.output<typeof keepWarmWindow>): z.input<typeof keepWarmWindow> {
  const { days, fromMinute, toMinute, timeZone } = window
  const time = (minute: number): string =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  return {
    days: days.length === 7 ? 'daily' : days.map((day) => DAYS[day - 1]).join(','),
    from: time(fromMinute),
    to: time(toMinute),
    time_zone: timeZone,
  }
}

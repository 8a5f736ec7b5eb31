import { Temporal } from 'temporal-polyfill'

/** A time of day on some days of the week, in one time zone, in which a prefix is to be kept warm. */
export interface Window {
  /** Days of the week on which the window begins, 1 = Monday … 7 = Sunday. */
  days: number[]
  /** Minutes after local midnight. `toMinute` at or before `fromMinute`: until that time on the next day. */
  fromMinute: number
  toMinute: number
  timeZone: string
}

/** Position of an instant among windows. */
export interface WindowStatus {
  /** True inside a window. */
  open: boolean
  /** Close of the open window, the latest of overlapping ones; null: none is open. */
  closesAt: number | null
  /** Open of the next window; null: there are no windows. */
  opensAt: number | null
}

function at(date: Temporal.PlainDate, minute: number, timeZone: string): number {
  // Where the clock skips a time of day, 'compatible' takes the instant after the gap; of a repeated time, the earlier one.
  const time = { hour: Math.floor(minute / 60) % 24, minute: minute % 60 }
  const day = minute >= 1440 ? date.add({ days: 1 }) : date
  return day.toZonedDateTime({ timeZone, plainTime: Temporal.PlainTime.from(time) }).epochMilliseconds
}

/** Status of the windows at `now` (epoch ms). No windows: always open. */
export function windowStatus(windows: readonly Window[], now: number): WindowStatus {
  if (windows.length === 0) return { open: true, closesAt: null, opensAt: null }
  let closesAt: number | null = null
  let opensAt: number | null = null
  const spans: [from: number, to: number][] = []
  for (const window of windows) {
    const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(window.timeZone).toPlainDate()
    for (let offset = -1; offset <= 8; offset++) {
      const date = today.add({ days: offset })
      if (!window.days.includes(date.dayOfWeek)) continue
      const to = window.toMinute <= window.fromMinute ? window.toMinute + 1440 : window.toMinute
      spans.push([at(date, window.fromMinute, window.timeZone), at(date, to, window.timeZone)])
    }
  }
  spans.sort((a, b) => a[0] - b[0])
  for (const [from, to] of spans) {
    if (from > now) {
      // A window that opens before the open one closes, or at that instant, extends it.
      if (closesAt !== null && from <= closesAt) closesAt = Math.max(closesAt, to)
      else opensAt ??= from
    } else if (to > now) closesAt = Math.max(closesAt ?? 0, to)
  }
  return { open: closesAt !== null, closesAt, opensAt }
}

/** Epoch numbers must lie between 2001 and 2096, in any of the units. */
const FROM_MS = 978_307_200_000
const UNTIL_MS = 3_976_214_400_000

/** Epoch units per millisecond: of seconds, milliseconds, microseconds and nanoseconds. No instant in the range fits two units. */
const PER_MS = [0.001, 1, 1_000, 1_000_000]

export const TIME_FORMS = 'ISO 8601 (2026-11-21T09:00:00Z) or the seconds or milliseconds since 1970, from 2001 to 2095'

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?$/i

/** Reads an instant of a log as epoch ms; null when it is none. A time without a zone is UTC, as in exports. */
export function readTime(value: unknown): number | null {
  if (typeof value === 'number') return epoch(value)
  if (typeof value !== 'string') return null
  const text = value.trim()
  if (/^\d+(\.\d+)?$/.test(text)) return epoch(Number(text))
  const match = ISO.exec(text)
  if (match === null) return null
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  const date = new Date(at)
  // `Date` would turn 31 February into March.
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return null
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null
  const ms = at + Number(`0.${fraction || '0'}`) * 1000 - offsetMs(zone)
  return ms >= FROM_MS && ms < UNTIL_MS ? ms : null
}

function epoch(value: number): number | null {
  const found = PER_MS.map((per) => value / per).find((ms) => ms >= FROM_MS && ms < UNTIL_MS)
  return found ?? null
}

function offsetMs(zone: string): number {
  const match = /^([+-])(\d\d):?(\d\d)?$/.exec(zone)
  if (match === null) return 0
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3] ?? 0)) * 60_000
}

import type { Json } from './api.ts'

/** A member at a path of an answer. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inside, key) => (typeof inside === 'object' && inside !== null ? Reflect.get(inside, key) : undefined),
    value,
  )
}

export function text(value: unknown): string {
  if (value === null || value === undefined) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function count(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : '–'
}

/** US dollars: cents, and four figures of what is less. Null: unknown. */
export function usd(value: unknown): string {
  if (typeof value !== 'number') return 'unknown'
  const size = Math.abs(value)
  const digits = size === 0 || size >= 1 ? 2 : 4
  return `${value < 0 ? '−' : ''}$${size.toFixed(digits)}`
}

export function percent(value: unknown): string {
  return typeof value === 'number' ? `${(value * 100).toFixed(1)} %` : '–'
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const

/** A duration in its largest unit, to one more. */
export function duration(ms: number): string {
  const [size, unit] = UNITS.find(([one]) => ms >= one) ?? [1_000, 's']
  return `${Math.round(ms / size)} ${unit}`
}

/** An instant, told from another one: `in 4 min`, `12 s ago`. */
export function from(now: number, instant: unknown): string {
  if (typeof instant !== 'string') return '–'
  const ms = Date.parse(instant) - now
  return ms >= 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`
}

/** Time of day of an instant. */
export function clock(instant: unknown): string {
  return typeof instant === 'string' ? instant.slice(11, 19) : '–'
}

/** What an answer calls a prefix: its name, else its id. */
export function nameOf(prefix: Json): string {
  return typeof prefix['name'] === 'string' ? prefix['name'] : text(prefix['id'])
}

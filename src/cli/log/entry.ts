import { createHash } from 'node:crypto'

/** One request to a model, as far as a replay needs it. */
export interface Entry {
  /** What tells prefixes of one model apart. */
  prefix: string
  /** How the prefix is shown: never a prompt, a key or a name of somebody. */
  label: string
  /** As the log spells them; null: it does not say. */
  provider: string | null
  model: string | null
  /** When the request was sent, epoch ms. */
  at: number
  /** Tokens of the prefix, or of the whole prompt where the log knows no more; null: it does not say. */
  tokens: number | null
  /** Tokens that the provider's cache read or wrote, which is the prefix exactly; null or 0: nothing is known by them. */
  cached: number | null
}

/** What a record of a log came to: a request, something else that is rightly left out, or something that cannot be used. */
export type Reading = { entry: Entry } | { leftOut: string } | { fault: Fault }

/** Why a record cannot be used. Holds no value of the log, which might be anybody's prompt. */
export interface Fault {
  field: string | null
  /** What would be right. */
  right: string
}

/** A record of a log: its members by name. */
export type Fields = Readonly<Record<string, unknown>>

/** One record of a file and the line that it begins on. */
export type LogRecord = { line: number } & ({ fields: Fields } | { fault: Fault })

export function tooLargeRight(largest: number): string {
  return `a record of at most ${largest} characters`
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const fault = (field: string | null, right: string): Reading => ({ fault: { field, right } })

export const TOKENS_RIGHT = 'a whole number of tokens, 0 or more'

/** A count of tokens; null when there is none, `undefined` when it is no count. CSV writes counts as text. */
export function readCount(value: unknown): number | null | undefined {
  if (value === null || value === undefined || value === '') return null
  const count = typeof value === 'string' && /^\d+(\.0+)?$/.test(value.trim()) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

export function readText(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
}

/** An object, also one that was put into a cell or a string as JSON; null when it is none. */
export function readFields(value: unknown): Fields | null {
  const found = readJson(value)
  return isFields(found) ? found : null
}

export function readJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (!/^\s*[[{]/.test(value)) return undefined
  try {
    return JSON.parse(value)
  } catch {
    return undefined // a text that only begins like JSON
  }
}

/** A short name for a text that is not to be shown. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/** A name that may be shown as it stands: an identifier. Anything else may be a prompt, and gets a digest. */
export function shown(name: string, otherwise: string): string {
  return /^[\w.:@/+~#=-]{1,64}$/.test(name) ? name : `${otherwise} ${digest(name).slice(0, 8)}`
}

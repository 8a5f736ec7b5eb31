import { createHash } from 'node:crypto'
import type { Fields } from '../../usage/values.ts'

export { isFields, readCount, readFields, readJson, readText } from '../../usage/values.ts'
export type { Fields } from '../../usage/values.ts'

/** Data of one request to a model that a replay needs. */
export interface Entry {
  /** Id of the request in the log. A second record with it is the same request. Absent: the log has none. */
  id?: string
  /** Identifies the prefix among those of its model. */
  prefix: string
  /** Name of the prefix in the output: never a prompt, a key or a person's name. */
  label: string
  /** Provider and model as the log spells them; null: not in the log. */
  provider: string | null
  model: string | null
  /** Instant at which the request was sent, epoch ms. */
  at: number
  /** Tokens of the prefix, or of the whole prompt if the log has only those; null: not in the log. */
  tokens: number | null
  /** Tokens that the provider's cache read or wrote, which is the exact size of the prefix; null or 0: unknown size. */
  cached: number | null
}

/** Result of reading a record: a request, a record that does not belong to a replay, or one that cannot be used. */
export type Reading = { entry: Entry } | { leftOut: string } | { fault: Fault }

/** Reason why a record cannot be used. It contains no value of the log, since any value might be a prompt. */
export interface Fault {
  field: string | null
  /** Description of a correct value. */
  right: string
}

/** One record of a file and the line that it begins on. */
export type LogRecord = { line: number } & ({ fields: Fields } | { fault: Fault })

export function tooLargeRight(largest: number): string {
  return `a record of at most ${largest} characters`
}

export const fault = (field: string | null, right: string): Reading => ({ fault: { field, right } })

export const TOKENS_RIGHT = 'a whole number of tokens, 0 or more'

/** Returns a short hash that stands for a text that must not be shown. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/** Returns a name that may be shown: an identifier as it is. Any other text may be a prompt, so it gets a digest. */
export function shown(name: string, otherwise: string): string {
  return /^[\w.:@/+~#=-]{1,64}$/.test(name) ? name : `${otherwise} ${digest(name).slice(0, 8)}`
}

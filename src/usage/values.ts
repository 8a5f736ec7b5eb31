/** Values of a log or a trace that another program wrote: nothing about their types is sure. */

/** Members of a record, by name. */
export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The objects of a list; none where it is no list. */
export function listOfFields(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}

/** Reads a count of tokens, also from text, as in CSV; null when absent, `undefined` when it is no count. */
export function readCount(value: unknown): number | null | undefined {
  if (value === null || value === undefined || value === '') return null
  const count = typeof value === 'string' && /^\d+(\.0+)?$/.test(value.trim()) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

export function readText(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
}

/** Reads an object, also from JSON text in a cell or a string; null when it is none. */
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
    return undefined // the text begins like JSON but is not
  }
}

import type * as z from 'zod'
import { invalid } from '../../contract/failure.ts'

/** Cursors are opaque to callers: where the next page begins, as base64url of JSON. */

export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** The place that a cursor names; null: no cursor. Throws `invalid_request` for one that this list did not issue. */
export function decodeCursor<Schema extends z.ZodType>(
  text: string | undefined,
  schema: Schema,
): z.output<Schema> | null {
  if (text === undefined) return null
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    value = undefined
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalid('cursor', 'is not a cursor of this list')
}

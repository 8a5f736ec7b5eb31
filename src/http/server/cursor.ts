import type * as z from 'zod'
import { Failure } from '../../contract/failure.ts'

/** Cursors are opaque to callers: where the next page begins, as base64url of JSON. */

export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** Null when there is none; a cursor that is not ours is refused. */
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
  throw new Failure('invalid_request', 'cursor: is not one that this list gave.', { field: 'cursor' })
}

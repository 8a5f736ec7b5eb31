import * as z from 'zod'
import { Failure } from '../../contract/failure.ts'
import { parseWith } from '../../contract/issues.ts'
import type { Call } from './context.ts'

/** Reads the query string against a schema. Throws `invalid_request` for an unknown or repeated parameter, by its name. */
export function readQuery<Schema extends z.ZodType>(c: Call, schema: Schema): z.output<Schema> {
  // No prototype: a parameter called `__proto__` is unknown like any other.
  const given = Object.create(null) as Record<string, string>
  for (const [name, values] of Object.entries(c.req.queries())) {
    if (values.length > 1)
      throw new Failure('invalid_request', 'A query parameter is given twice.', { field: name.slice(0, 40) })
    if (values[0] !== undefined) given[name] = values[0]
  }
  return parseWith(schema, given)
}

export function limit(fallback: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,6}$/, { error: `must be a whole number from 1 to ${most}` })
    .transform(Number)
    .pipe(
      z
        .int()
        .min(1, { error: `must be from 1 to ${most}` })
        .max(most, { error: `must be from 1 to ${most}` }),
    )
    .default(fallback)
    .meta({ description: `Number of entries, 1 to ${most}; ${fallback} when absent.` })
}

export const cursor = z.string().max(500).optional()

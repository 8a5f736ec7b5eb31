import type * as z from 'zod'
import { Failure } from './failure.ts'

const LONGEST_PATH = 200

/** Cuts a path that is longer than `LONGEST_PATH`, and adds an ellipsis. */
export function shortPath(path: string): string {
  return path.length <= LONGEST_PATH ? path : `${path.slice(0, LONGEST_PATH)}…`
}

/** Writes a field's path as in messages and `detail.field`: `keep_warm.windows[0].from`. */
export function fieldPath(path: readonly PropertyKey[], root = ''): string {
  let text = root
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    // A key that does not look like a field name may be text of a prompt, so it is not shown.
    else if (!/^[A-Za-z_$][\w$-]{0,63}$/.test(String(part))) text += '["…"]'
    else text += text === '' ? String(part) : `.${String(part)}`
  }
  return shortPath(text)
}

/** Parses a value of the API. Throws `invalid_request` with the first fault and the name of its field. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, root = ''): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const { path, message } = firstIssue(parsed.error.issues)
  const field = fieldPath(path, root)
  throw new Failure('invalid_request', `${field === '' ? 'The body' : field}: ${message}.`, { field })
}

interface Found {
  path: PropertyKey[]
  message: string
}

function firstIssue(issues: readonly z.core.$ZodIssue[]): Found {
  const issue = issues[0]
  if (issue === undefined) return { path: [], message: 'is not accepted' }
  if (issue.code === 'unrecognized_keys') {
    return { path: [...issue.path, issue.keys[0] ?? ''], message: 'is not a field of this request' }
  }
  if (issue.code === 'invalid_union') {
    // A branch that accepts the value's shape and refuses a member of it names the caller's mistake best.
    const taken = issue.errors.filter((branch) => branch.some((one) => isInside(one)))
    const inside = taken.find((branch) => branch.every(({ code }) => code !== 'unrecognized_keys')) ?? taken[0]
    if (inside !== undefined) {
      const found = firstIssue(inside.filter(isInside))
      return { path: [...issue.path, ...found.path], message: found.message }
    }
  }
  return { path: [...issue.path], message: wordsFor(issue) }
}

function isInside(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys'
}

/** Message for an issue whose schema has none of its own. It never repeats a value of the request. */
function wordsFor(issue: z.core.$ZodIssue): string {
  const { message } = issue
  if (/^(must|is) /.test(message)) return message
  if (issue.code === 'invalid_type') {
    return message.endsWith('received undefined') ? 'is missing' : `must be ${NAMES[issue.expected] ?? issue.expected}`
  }
  if (issue.code === 'too_small') return `must be ${of(issue.origin, issue.minimum)} or more`
  if (issue.code === 'too_big') return `must be at most ${of(issue.origin, issue.maximum)}`
  if (issue.code === 'invalid_value')
    return `must be one of ${issue.values.map((one) => JSON.stringify(one)).join(', ')}`
  return 'is not accepted'
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'an array',
  tuple: 'an array',
}

function of(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `${limit} characters long`
  return origin === 'array' ? `${limit} entries long` : String(limit)
}

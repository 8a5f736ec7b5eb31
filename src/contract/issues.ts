import type * as z from 'zod'
import { Failure } from './failure.ts'
import { didYouMean } from './nearest.ts'
import { membersAt, valueAt, wordsOf } from './schema-words.ts'

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
  const { path, message, words } = firstIssue(parsed.error.issues)
  const field = fieldPath(path, root)
  const given = words === null ? String(path.at(-1)) : valueAt(value, path)
  const wanted = words ?? membersAt(schema, path.slice(0, -1))
  const hint =
    typeof given === 'string' ? didYouMean(given, wanted) || elsewhere(schema, path.slice(0, -1), words, given) : ''
  throw new Failure('invalid_request', `${field === '' ? 'The body' : field}: ${message}.${hint}`, { field })
}

/** Words of other APIs, and of the inside of a member, with the member that is meant. */
const MEANT: Readonly<Record<string, string>> = {
  ttl: 'cache.retention',
  cache_ttl: 'cache.retention',
  retention: 'cache.retention',
  cache_key: 'cache.key',
  cache_control: 'cache.strategy',
  prompt: 'system',
  system_prompt: 'system',
  instructions: 'system',
  body: 'request',
  payload: 'request',
  max_tokens: 'max_output_tokens',
  plan: 'keep_warm.plan',
  budget: 'keep_warm.budget_usd_per_day',
  budget_usd: 'keep_warm.budget_usd_per_day',
  budget_usd_per_day: 'keep_warm.budget_usd_per_day',
  idle_timeout: 'keep_warm.idle_timeout',
  schedule: 'keep_warm.windows',
  windows: 'keep_warm.windows',
  until: 'keep_warm.until',
  input_schema: 'parameters',
  pool: 'gateway',
  id: 'prefix_id',
}

/** Where a member is that has another name or another place; empty: nowhere here. */
function elsewhere(
  schema: z.core.$ZodType,
  beside: readonly PropertyKey[],
  words: string[] | null,
  given: string,
): string {
  const meant = words === null && Object.hasOwn(MEANT, given) ? MEANT[given] : undefined
  if (meant === undefined) return ''
  const path = meant.split('.')
  const [last = ''] = path.slice(-1)
  if (membersAt(schema, beside).includes(last)) return ` Did you mean "${last}"?`
  return membersAt(schema, path.slice(0, -1)).includes(last) ? ` Did you mean "${meant}"?` : ''
}

interface Found {
  path: PropertyKey[]
  message: string
  /** Words that the value may be; null: the last part of the path is no member. */
  words: string[] | null
}

function firstIssue(issues: readonly z.core.$ZodIssue[]): Found {
  const issue = issues[0]
  if (issue === undefined) return { path: [], message: 'is not accepted', words: [] }
  if (issue.code === 'unrecognized_keys') {
    return { path: [...issue.path, issue.keys[0] ?? ''], message: 'is not a field of this request', words: null }
  }
  if (issue.code === 'invalid_union') {
    // A branch that accepts the value's shape and refuses a member of it names the caller's mistake best.
    const taken = issue.errors.filter((branch) => branch.some((one) => isInside(one)))
    const inside = taken.find((branch) => branch.every(({ code }) => code !== 'unrecognized_keys')) ?? taken[0]
    if (inside !== undefined) {
      const found = firstIssue(inside.filter(isInside))
      return { ...found, path: [...issue.path, ...found.path] }
    }
  }
  return { path: [...issue.path], message: wordsFor(issue), words: wordsOf(issue) }
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

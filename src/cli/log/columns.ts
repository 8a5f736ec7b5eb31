import { fault, isFields, readCount, readFields, readText, shown, TOKENS_RIGHT } from './entry.ts'
import type { Fields, Format, Reading } from './entry.ts'
import { readTime, TIME_FORMS } from './time.ts'
import { wholePrompt } from './usage.ts'

/** Columns of the plain format with all their accepted names; the first one is the documented name. */
export const PLAIN = {
  prefix: ['prefix', 'prefix_id', 'prefix_key'],
  time: ['time', 'timestamp', 'at', 'started_at', 'start_time'],
  tokens: ['tokens', 'prefix_tokens', 'input_tokens'],
} as const

function nameIn(fields: Fields, names: readonly string[]): string | null {
  return names.find((name) => Object.hasOwn(fields, name)) ?? null
}

export function isPlain(fields: Fields): boolean {
  return nameIn(fields, PLAIN.prefix) !== null && nameIn(fields, PLAIN.time) !== null
}

/** Plain format: rows of (prefix, time, tokens), with a model and a provider if there are columns for them. */
export function readPlain(fields: Fields): Reading {
  const prefix = readText(fields[nameIn(fields, PLAIN.prefix) ?? ''])
  if (prefix === null) return fault(nameIn(fields, PLAIN.prefix) ?? 'prefix', 'the name of the prefix')
  const timeName = nameIn(fields, PLAIN.time) ?? 'time'
  const at = readTime(fields[timeName])
  if (at === null) return fault(timeName, TIME_FORMS)
  const tokensName = nameIn(fields, PLAIN.tokens) ?? 'tokens'
  const tokens = readCount(fields[tokensName])
  if (tokens === undefined) return fault(tokensName, TOKENS_RIGHT)
  const label = shown(prefix, 'prefix')
  const [provider, model] = [readText(fields['provider']), readText(fields['model'])]
  return { entry: { prefix, label, provider, model, at, tokens, cached: null } }
}

/** Members of a record that a user may name, by a column or by a path such as `usage.input_tokens`. */
export const COLUMNS = ['time', 'prefix', 'tokens', 'read', 'write', 'model', 'provider', 'id'] as const
export type Columns = Partial<Record<(typeof COLUMNS)[number], string>>

/** The option that names a column. `--model` and `--provider` name prices. */
export const COLUMN_OPTIONS: Record<(typeof COLUMNS)[number], string> = {
  time: 'time',
  prefix: 'prefix',
  tokens: 'tokens',
  read: 'read',
  write: 'write',
  model: 'model-path',
  provider: 'provider-path',
  id: 'id',
}

/** Names of members that are taken where the user names none. */
const USUAL = { ...PLAIN, read: [], write: [], model: ['model'], provider: ['provider'], id: ['request_id'] } as const

/** Deeper members than this are not guessed. */
const MOST_DEPTH = 4

/** The format of any log whose columns the user names. */
export function columnsFormat(columns: Columns): Format {
  return {
    name: 'columns',
    about: 'columns that are named by options',
    is: () => true,
    read: (fields) => [readColumns(fields, columns)],
  }
}

function readColumns(fields: Fields, columns: Columns): Reading {
  const pathOf = (column: (typeof COLUMNS)[number]): string =>
    columns[column] ?? nameIn(fields, USUAL[column]) ?? column
  const value = (column: (typeof COLUMNS)[number]): unknown => memberAt(fields, pathOf(column))
  const time = readTime(value('time'))
  if (time === null) return fault(pathOf('time'), TIME_FORMS)
  const prefix = readText(value('prefix'))
  if (prefix === null && columns.prefix !== undefined) return fault(columns.prefix, 'the name of the prefix')
  const counts = {
    tokens: readCount(value('tokens')),
    read: readCount(value('read')),
    write: readCount(value('write')),
  }
  const { tokens, read, write } = counts
  if (tokens === undefined) return fault(pathOf('tokens'), TOKENS_RIGHT)
  if (read === undefined) return fault(pathOf('read'), TOKENS_RIGHT)
  if (write === undefined) return fault(pathOf('write'), TOKENS_RIGHT)
  const cached = (read ?? 0) + (write ?? 0)
  const id = readText(value('id'))
  return {
    entry: {
      ...(id === null ? {} : { id }),
      prefix: prefix ?? '',
      label: prefix === null ? 'all requests' : shown(prefix, 'prefix'),
      provider: readText(value('provider')),
      model: readText(value('model')),
      at: time,
      tokens: wholePrompt(tokens, cached),
      cached,
    },
  }
}

/** Returns the member at a path: one of this very name, else step by step, also through lists and JSON text in a cell. */
function memberAt(fields: Fields, path: string): unknown {
  if (Object.hasOwn(fields, path)) return fields[path]
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const name = path.slice(0, dot)
    if (!Object.hasOwn(fields, name)) continue
    const member = fields[name]
    const inner = Array.isArray(member) ? { ...member } : readFields(member)
    if (inner !== null) return memberAt(inner as Fields, path.slice(dot + 1))
  }
  return undefined
}

/** Looks for the columns that a user named, and keeps what no record has. */
export class Unmet {
  #left: [column: (typeof COLUMNS)[number], path: string][]
  #first: Fields | null = null

  constructor(columns: Columns) {
    this.#left = COLUMNS.flatMap((column) => (columns[column] === undefined ? [] : [[column, columns[column]]]))
  }

  see(fields: Fields): void {
    if (this.#left.length === 0) return
    this.#first ??= fields
    this.#left = this.#left.filter(([, path]) => memberAt(fields, path) === undefined)
  }

  /** The sentence for a column that no record has; null if there is none. */
  words(): string | null {
    const missing = this.#left[0]
    if (missing === undefined || this.#first === null) return null
    const [column, path] = missing
    return [`--${COLUMN_OPTIONS[column]}: no record has \`${path}\`.`, guesses(this.#first)].filter(Boolean).join(' ')
  }
}

/** What a column's name says, and what its values are. In this order: a member serves once. */
const GUESSES: readonly {
  column: (typeof COLUMNS)[number]
  what: string
  name: RegExp
  fits: (value: unknown) => boolean
}[] = [
  {
    column: 'time',
    what: 'the time',
    name: /^when$|(?:^|[._])(?:ts|time|date|created|started)|_at$|(?:time|date|At)$/,
    fits: (value) => readTime(value) !== null,
  },
  {
    column: 'read',
    what: 'the tokens read from the cache',
    name: /cache.*(?:read|hit)|cached|(?:read|hit).*cache/i,
    fits: isCount,
  },
  { column: 'write', what: 'the tokens written to the cache', name: /cache.*(?:writ|creat)/i, fits: isCount },
  {
    column: 'tokens',
    what: 'the input in tokens',
    name: /(?:input|prompt|context).*(?:tokens?|count|units)|tokens?_?(?:in|prompt|input)$|(?:^|[._])in_?tokens?$|^tokens$/i,
    fits: isCount,
  },
  { column: 'provider', what: 'the provider', name: /provider|vendor/i, fits: isName },
  { column: 'model', what: 'the model', name: /model/i, fits: isName },
  {
    column: 'prefix',
    what: 'the prefix',
    name: /prefix|prompt_?(?:id|name|version)|tenant|agent|assistant|(?:^|[._])app|customer|workspace|project|session|conversation|user/i,
    fits: isName,
  },
]

/** Guesses the columns of a record that no format knows: each a sentence, and the options together. */
export function guesses(fields: Fields): string {
  const members = [...leaves(fields, '', 0)]
  const taken = new Set<string>()
  const found = GUESSES.flatMap(({ column, what, name, fits }) => {
    const member = members.find(([path, value]) => !taken.has(path) && name.test(path) && fits(value))
    if (member === undefined) return []
    taken.add(member[0])
    return [{ what: `\`${member[0]}\` is ${what}`, option: `--${COLUMN_OPTIONS[column]} ${member[0]}` }]
  })
  if (found.length === 0) return ''
  return `It looks like ${found.map(({ what }) => what).join(', ')}: ${found.map(({ option }) => option).join(' ')}`
}

/** Members whose names look like names: others may be data. */
function* leaves(fields: Fields, before: string, depth: number): Generator<[path: string, value: unknown]> {
  for (const [name, value] of Object.entries(fields)) {
    if (!/^[\w-]{1,40}(?:\.[\w-]{1,40}){0,4}$/.test(name)) continue
    const path = `${before}${name}`
    const inner = isFields(value) ? value : typeof value === 'string' ? readFields(value) : null
    if (inner === null) yield [path, value]
    else if (depth < MOST_DEPTH) yield* leaves(inner, `${path}.`, depth + 1)
  }
}

function isCount(value: unknown): boolean {
  return typeof readCount(value) === 'number'
}

function isName(value: unknown): boolean {
  return readText(value) !== null && String(value).length <= 200
}

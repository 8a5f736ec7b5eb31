import { Context, defaultOperators, Liquid, LiquidError, Token, TokenKind, Tokenizer, toValueSync } from 'liquidjs'
import type { Operators, Template } from 'liquidjs'
import { Failure } from '../../contract/failure.ts'

/**
 * Renders a template with `vars` (Liquid: `{{ tenant }}`, `{% if %}`, `{% for %}`). The result depends on the arguments alone:
 * templates read no clock, no random source and no file. Every name that the template uses must be given, also in branches that
 * are not taken, and every name that is given must be used. `field`: name of the template for messages.
 *
 * Throws `invalid_request`, or `payload_too_large` past MAX_OUTPUT characters. Steps, output and memory are limited instead of
 * time, because a Worker's clock does not advance while it computes.
 */
export function renderTemplate(
  template: string,
  vars: Readonly<Record<string, unknown>>,
  field: string,
  work?: TemplateWork,
): string {
  return renderTemplates([{ template, field }], vars, work)[0] ?? ''
}

/** A template, and its name for messages. */
export interface NamedTemplate {
  template: string
  field: string
}

/** Work that the templates of one request have done. Bodies of one request share it. */
export interface TemplateWork {
  tokens: number
  steps: number
  written: number
}

export const noTemplateWork = (): TemplateWork => ({ tokens: 0, steps: 0, written: 0 })

/** The same for several templates of one body: together they use every name, and share the limits. */
export function renderTemplates(
  templates: readonly NamedTemplate[],
  vars: Readonly<Record<string, unknown>>,
  work: TemplateWork = noTemplateWork(),
): string[] {
  const count = { work, written: 0 }
  const used = new Set<string>()
  const read = templates.map(({ template, field }) => {
    const guard = <Result>(step: () => Result): Result => translatingErrors(field, step)
    const expression = guard(() => longestExpression(template, field, work))
    const parsed = guard(() => ENGINE.parse(template))
    const names = guard(() => namesUsed(parsed))
    for (const name of names) {
      if (!Object.hasOwn(vars, name)) throw missing(name, field)
      used.add(name)
    }
    return { field, parsed, expression, guard }
  })
  const unused = Object.keys(vars).find((name) => !used.has(name))
  if (unused !== undefined) {
    const [only] = templates.length === 1 ? templates : []
    const why = only === undefined ? 'no template uses it' : `the template in ${only.field} does not use it`
    throw refusal(`vars.${shownName(unused)}`, why)
  }
  return read.map(({ field, parsed, expression, guard }) =>
    guard(() => {
      const context = new Context(vars, ENGINE.options, { sync: true })
      context.renderLimit.use = (steps) => {
        work.steps += steps
        if (work.steps > MAX_STEPS) throw refusal(field, `the template takes more than ${MAX_STEPS} steps to render`)
      }
      const perElement = 1 + Math.floor(expression / EXPRESSION_CHARS)
      // The engine calls this before each element that it renders, also in each turn of a loop.
      context.renderLimit.check = () => context.renderLimit.use(perElement)
      const output = new BoundedOutput(field, count)
      toValueSync(ENGINE.renderer.renderTemplates(parsed, context, output))
      return output.buffer
    }),
  )
}

/** A part of a template: text that stays as it is, or a tag. Spaces that a tag strips belong to no part. */
export interface TemplatePart {
  isText: boolean
  begin: number
  end: number
}

/** The parts of a template, in their order. */
export function templateParts({ template, field }: NamedTemplate): TemplatePart[] {
  const tokens = translatingErrors(field, () =>
    new Tokenizer(template, ENGINE.options.operators).readTopLevelTokens(ENGINE.options),
  )
  return tokens.map((token): TemplatePart => {
    const { kind, begin, end } = token
    if (kind !== TokenKind.HTML) return { isText: false, begin, end }
    const { trimLeft, trimRight } = token as unknown as { trimLeft: number; trimRight: number }
    return { isText: true, begin: begin + trimLeft, end: end - trimRight }
  })
}

/** Steps that the renderings of one request may take. */
export const MAX_STEPS = 100_000
/** Characters of a rendered text. */
export const MAX_OUTPUT = 4 * 1024 * 1024
/** Characters of all rendered texts of a request. */
export const MAX_WRITTEN = 2 * MAX_OUTPUT
/** Working memory, in the engine's units of about a character. */
const MAX_MEMORY = 32 * 1024 * 1024
/** Tags, outputs and texts between them in the templates of one request. The engine's time grows with the square of their number. */
export const MAX_TOKENS = 8_000
/** Characters of an expression that count as one step. */
const EXPRESSION_CHARS = 256

/** Tags that read no file, include no other template and store no text outside the limited output. */
const TAGS = new Set('# assign break case comment continue for if raw unless'.split(' '))

/** Filters that depend on their arguments alone. `date` reads the clock and `sample` is random. */
const FILTERS = new Set(
  `abs append at_least at_most capitalize ceil compact concat default divided_by downcase first floor join json last lstrip
  map minus modulo plus prepend remove remove_first replace replace_first reverse round rstrip size slice sort split strip
  strip_newlines times truncate truncatewords uniq upcase where`.split(/\s+/),
)

const ENGINE = engine()

function engine(): Liquid {
  const made = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    templates: {},
    memoryLimit: MAX_MEMORY,
    parseLimit: 2 * MAX_OUTPUT,
    outputEscape: printable,
    operators: countedOperators(),
  })
  for (const name of Object.keys(made.tags)) if (!TAGS.has(name)) delete made.tags[name]
  for (const [name, filter] of Object.entries(made.filters)) {
    if (!FILTERS.has(name)) delete made.filters[name]
    else if (typeof filter === 'function') made.filters[name] = counted(filter)
    else made.filters[name] = { ...filter, handler: counted(filter.handler) }
  }
  return made
}

/**
 * Names that a template uses. The engine computes the line of each use from the top of the text, which takes minutes in a long
 * template; nothing here needs the lines.
 */
function namesUsed(parsed: Template[]): Set<string> {
  const { getPosition } = Token.prototype
  Token.prototype.getPosition = () => [1, 1]
  try {
    const used = Object.values(ENGINE.analyzeSync(parsed).globals).flat()
    return new Set(used.map(({ segments }) => String(segments[0])))
  } finally {
    Token.prototype.getPosition = getPosition
  }
}

type FilterHandler = Extract<Liquid['filters'][string], (...given: never[]) => unknown>

/** Counts the steps of a filter. The engine's memory limit alone misses the time of sorting and of filters that allocate nothing. */
function counted(filter: FilterHandler): FilterHandler {
  return function (value, ...given) {
    this.context.renderLimit.use(1 + weightOf(value))
    return filter.call(this, value, ...given)
  }
}

/** Counts the steps of comparisons: one expression may have a thousand of them, each of long texts. */
function countedOperators(): Operators {
  const entries = Object.entries(defaultOperators).map(([name, operator]) => {
    if (operator.length === 1 || name === 'not') return [name, operator]
    const compare = operator as (left: unknown, right: unknown, context: Context) => unknown
    const countedOne = (left: unknown, right: unknown, context: Context): unknown => {
      context.renderLimit.use(1 + Math.max(weightOf(left), weightOf(right)))
      return compare(left, right, context)
    }
    return [name, countedOne]
  })
  return Object.fromEntries(entries) as Operators
}

/** Steps that one pass over a text or a list takes. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return Math.floor(value.length / 1024)
  return Array.isArray(value) ? Math.floor(value.length / 16) : 0
}

/** Characters of the longest tag or output. The engine reads each again whenever it renders it. */
function longestExpression(template: string, field: string, work: TemplateWork): number {
  const tokens = new Tokenizer(template, ENGINE.options.operators).readTopLevelTokens(ENGINE.options)
  work.tokens += tokens.length
  if (work.tokens > MAX_TOKENS)
    throw refusal(
      field,
      `the templates of one request have more than ${MAX_TOKENS} tags, outputs and texts between them`,
    )
  let longest = 0
  for (const { kind, begin, end } of tokens) if (kind !== TokenKind.HTML) longest = Math.max(longest, end - begin)
  return longest
}

/** Text of a value. Null, lists and objects are refused: an empty text or `[object Object]` is not what the author meant. */
function printable(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Unprintable(value === null || value === undefined ? 'null' : 'a list or an object')
}

class Unprintable extends Error {}

/** Output of the engine; all outputs of a body together are limited to MAX_OUTPUT characters. */
class BoundedOutput {
  buffer = ''
  readonly #field: string
  readonly #count: { work: TemplateWork; written: number }

  constructor(field: string, count: { work: TemplateWork; written: number }) {
    this.#field = field
    this.#count = count
  }

  write(text: unknown): void {
    const added = typeof text === 'string' ? text : printable(text)
    this.#count.written += added.length
    this.#count.work.written += added.length
    if (this.#count.written > MAX_OUTPUT || this.#count.work.written > MAX_WRITTEN) throw tooLong(this.#field)
    this.buffer += added
  }
}

/** Failure about a text that became too long. */
export function tooLong(field: string): Failure {
  return new Failure('payload_too_large', `${field}: becomes longer than ${MAX_OUTPUT} characters.`, {
    field,
    limit_bytes: MAX_OUTPUT,
  })
}

/** Translates the engine's errors, which quote the template. Ours give the line, the column and identifiers only. */
function translatingErrors<Result>(field: string, work: () => Result): Result {
  try {
    return work()
  } catch (thrown) {
    throw translated(thrown, field)
  }
}

function translated(thrown: unknown, field: string): Failure {
  const cause = originOf(thrown)
  if (cause instanceof Failure) return cause
  // The only source of it is the depth of nested expressions or blocks.
  if (cause instanceof RangeError) return refusal(field, 'the template is nested too deeply')
  const where = placeOf(thrown)
  if (cause instanceof Unprintable) {
    return refusal(field, `${where} prints ${cause.message}; print a text, a number, or a list through join or json`)
  }
  const message = cause instanceof Error ? cause.message : ''
  const variable = /^undefined variable: ([\w.-]+)/.exec(message)?.[1]
  if (variable !== undefined) return missing(variable, field)
  const filter = /^undefined filter: (\w{1,40})/.exec(message)?.[1]
  if (filter !== undefined) return refusal(field, `${where} uses the filter ${filter}, which is not supported`)
  const tag = /^tag "(\w{1,40})" not found/.exec(message)?.[1]
  if (tag !== undefined) return refusal(field, `${where} uses the tag ${tag}, which is not supported`)
  if (/limit exceeded/.test(message)) return refusal(field, 'the template needs too much memory to render')
  return refusal(field, `${where} cannot be rendered`)
}

function originOf(thrown: unknown): unknown {
  const inner = LiquidError.is(thrown) && 'originalError' in thrown ? thrown.originalError : undefined
  return inner instanceof Error ? originOf(inner) : thrown
}

function placeOf(thrown: unknown): string {
  if (!LiquidError.is(thrown)) return 'it'
  const [line, column] = thrown.token.getPosition()
  return `line ${line}, column ${column}`
}

function missing(name: string, field: string): Failure {
  const shown = shownName(name)
  return refusal(`vars.${shown}`, `is missing; the template in ${field} uses it`)
}

function refusal(field: string, what: string): Failure {
  return new Failure('invalid_request', `${field}: ${what}.`, { field })
}

/** A name for a message. What does not look like a name may be prompt text, so it is hidden. */
function shownName(name: string): string {
  return /^[\w.-]{1,64}$/.test(name) ? name : '…'
}

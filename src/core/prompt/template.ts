import { Context, defaultOperators, Liquid, LiquidError, Token, TokenKind, Tokenizer, toValueSync } from 'liquidjs'
import type { Operators, Template } from 'liquidjs'
import { Failure } from '../../contract/failure.ts'

/**
 * Fills `vars` into a template (Liquid: `{{ tenant }}`, `{% if %}`, `{% for %}`). The result is a function of the arguments:
 * there is no clock, no chance, no file and no code in it. Strict both ways: a name that the template uses must be given, on
 * branches that are not taken too, and a name that is given must be used.
 *
 * Time is not measured, because a Worker's clock stands still while it computes. Steps, output and working memory are counted instead.
 */
export function renderTemplate(template: string, vars: Readonly<Record<string, unknown>>, field: string): string {
  const within = <Result>(work: () => Result): Result => refusing(field, work)
  const expression = within(() => longestExpression(template, field))
  const parsed = within(() => ENGINE.parse(template))
  const names = within(() => namesUsed(parsed))
  for (const name of names) if (!Object.hasOwn(vars, name)) throw missing(name, field)
  const unused = Object.keys(vars).find((name) => !names.has(name))
  if (unused !== undefined) {
    const name = shownName(unused)
    throw refusal(`vars.${name}`, `the template in ${field} does not use it`)
  }
  return within(() => {
    const context = new Context(vars, ENGINE.options, { sync: true })
    let steps = 0
    context.renderLimit.use = (count) => {
      steps += count
      if (steps > MAX_STEPS) throw refusal(field, `the template takes more than ${MAX_STEPS} steps to render`)
    }
    const perElement = 1 + Math.floor(expression / EXPRESSION_CHARS)
    // The engine asks this limit before each element that it renders, every turn of a loop included.
    context.renderLimit.check = () => context.renderLimit.use(perElement)
    const output = new BoundedOutput(field)
    toValueSync(ENGINE.renderer.renderTemplates(parsed, context, output))
    return output.buffer
  })
}

export const MAX_STEPS = 100_000
export const MAX_OUTPUT = 4 * 1024 * 1024
const MAX_MEMORY = 32 * 1024 * 1024
/** Of tags, outputs and the texts between them; the engine's time grows with the square of more. */
const MAX_TOKENS = 20_000
/** One step reads about this much of an expression. */
const EXPRESSION_CHARS = 256

/** What reads no file, sets no template inside another, and gathers no text beside the output, which is bounded. */
const TAGS = new Set('# assign break case comment continue for if raw unless'.split(' '))

/** What depends on its arguments alone: neither the clock (`date`) nor chance (`sample`). */
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

/** The engine counts lines from the top for each place where a name is used: in a long template that takes minutes, and nobody asked. */
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

/** Sorting costs more than the memory that it takes, and a filter without memory costs something too. */
function counted(filter: FilterHandler): FilterHandler {
  return function (value, ...given) {
    this.context.renderLimit.use(1 + weightOf(value))
    return filter.call(this, value, ...given)
  }
}

/** One expression may compare a thousand times, and each comparison long texts. */
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

/** In steps: what it takes to look at a text or a list once. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return Math.floor(value.length / 1024)
  return Array.isArray(value) ? Math.floor(value.length / 16) : 0
}

/** In characters, of all tags and outputs: each is read anew whenever it is rendered. */
function longestExpression(template: string, field: string): number {
  const tokens = new Tokenizer(template, ENGINE.options.operators).readTopLevelTokens(ENGINE.options)
  if (tokens.length > MAX_TOKENS)
    throw refusal(field, `the template has more than ${MAX_TOKENS} tags, outputs and texts between them`)
  let longest = 0
  for (const { kind, begin, end } of tokens) if (kind !== TokenKind.HTML) longest = Math.max(longest, end - begin)
  return longest
}

/** Nothing prints as nothing, and nothing as `[object Object]`: a prompt with either in it is not the one that was meant. */
function printable(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Unprintable(value === null || value === undefined ? 'null' : 'a list or an object')
}

class Unprintable extends Error {}

/** The engine's own way to write, with a bound. */
class BoundedOutput {
  buffer = ''
  readonly #field: string

  constructor(field: string) {
    this.#field = field
  }

  write(text: unknown): void {
    const added = typeof text === 'string' ? text : printable(text)
    if (this.buffer.length + added.length > MAX_OUTPUT) {
      throw new Failure('payload_too_large', `${this.#field}: becomes longer than ${MAX_OUTPUT} characters.`, {
        field: this.#field,
        limit_bytes: MAX_OUTPUT,
      })
    }
    this.buffer += added
  }
}

/** The engine's errors quote the template. Ours name the place, and what an identifier may look like. */
function refusing<Result>(field: string, work: () => Result): Result {
  try {
    return work()
  } catch (thrown) {
    throw translated(thrown, field)
  }
}

function translated(thrown: unknown, field: string): Failure {
  const cause = originOf(thrown)
  if (cause instanceof Failure) return cause
  // Nothing but its own depth: an expression inside an expression, a block inside a block.
  if (cause instanceof RangeError) return refusal(field, 'the template is nested too deeply')
  const where = placeOf(thrown)
  if (cause instanceof Unprintable) {
    return refusal(field, `${where} prints ${cause.message}; print a text, a number, or a list through join or json`)
  }
  const message = cause instanceof Error ? cause.message : ''
  const variable = /^undefined variable: ([\w.-]+)/.exec(message)?.[1]
  if (variable !== undefined) return missing(variable, field)
  const filter = /^undefined filter: (\w{1,40})/.exec(message)?.[1]
  if (filter !== undefined) return refusal(field, `${where} uses the filter ${filter}, which is not offered`)
  const tag = /^tag "(\w{1,40})" not found/.exec(message)?.[1]
  if (tag !== undefined) return refusal(field, `${where} uses the tag ${tag}, which is not offered`)
  if (/limit exceeded/.test(message)) return refusal(field, 'the template needs too much memory to render')
  return refusal(field, `${where} is no template that can be rendered`)
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

/** A name that looks like none may be someone's text. */
function shownName(name: string): string {
  return /^[\w.-]{1,64}$/.test(name) ? name : '…'
}

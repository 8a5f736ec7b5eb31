import type { KeptText } from './ends.ts'

/** Usage object of an answer, in the shape of its provider or of a framework. */
export type UsageObject = Record<string, unknown>

/** How an answer is framed: one JSON text, server-sent events, or the binary events of AWS. */
export type Framing = 'json' | 'events' | 'frames'

/** The framing that a content type names; null: one that holds no usage. */
export function framingOf(contentType: string): Framing | null {
  if (/text\/event-stream/i.test(contentType)) return 'events'
  if (/vnd\.amazon\.eventstream/i.test(contentType)) return 'frames'
  return /\bjson\b/i.test(contentType) ? 'json' : null
}

/**
 * Finds the usage in the kept text of an answer; null when there is none. A stream may send it in parts (Anthropic's `message_start` has
 * the input tokens, `message_delta` the output tokens). Parts are merged. Only what names a usage is parsed.
 */
export function usageIn({ head, tail }: KeptText, framing: Framing): UsageObject | null {
  const text = tail === null ? head : `${head}\n${tail}`
  if (framing === 'frames') return mergedOf(named(text))
  if (framing === 'events')
    return mergedOf(tail === null ? events(head) : [...events(head), ...orCut(events(tail), tail)])
  const whole = tail === null ? parsed(head) : undefined
  if (Array.isArray(whole)) return mergedOf(whole.map((one) => usageOf(asObject(one))))
  if (whole !== undefined) return usageOf(asObject(whole))
  return named(tail ?? head).at(-1) ?? null
}

/** Members in which answers name their model, and those of events that hold it: Responses, Anthropic. */
const MODEL_NAMES = ['model', 'modelVersion']
const MODEL_HOLDERS = ['response', 'message']

/** In a text whose end is missing: among the first members, none of which is an object. */
const MODEL_FIRST = /^\s*\{(?:[^"{}[\]]|"(?:[^"\\]|\\.)*")*?"model"\s*:\s*"([^"\\]{1,200})"/

/** The model that an answer names as its own, in its first event or among its members; null: none. */
export function modelIn(text: KeptText, framing: Framing): string | null {
  return firstIn(text, framing, /"model/, modelOf, MODEL_FIRST)
}

/**
 * The upstream that a router names as the one that answered, among the members of an answer or of its events; null: none. Source:
 * openrouter.ai/docs/api-reference/overview (responses), checked 2026-12-01.
 */
export function upstreamIn(text: KeptText, framing: Framing): string | null {
  return text.head.includes('"provider"') ? firstIn(text, framing, /"provider"/, upstreamOf, null) : null
}

/** A name of an upstream. Anything longer is none. */
const UPSTREAM = /^[\w .()/-]{1,60}$/

function upstreamOf(answer: UsageObject | null): string | null {
  const name = answer?.['provider']
  return typeof name === 'string' && UPSTREAM.test(name) ? name : null
}

/** What the first event says that names it, or the answer itself. `first`: finds it where the end of the text is missing. */
function firstIn(
  { head, tail }: KeptText,
  framing: Framing,
  names: RegExp,
  find: (answer: UsageObject | null) => string | null,
  first: RegExp | null,
): string | null {
  if (framing === 'frames') return null
  if (framing === 'events') {
    for (const line of head.split('\n')) {
      if (!line.startsWith('data:') || !names.test(line)) continue
      const found = find(asObject(parsed(line.slice(5)))) ?? first?.exec(line.slice(5))?.[1]
      if (found != null) return found
    }
    return null
  }
  const whole = tail === null ? parsed(head) : undefined
  if (whole === undefined) return first?.exec(head)?.[1] ?? null
  return find(asObject(Array.isArray(whole) ? whole[0] : whole))
}

function modelOf(answer: UsageObject | null): string | null {
  if (answer === null) return null
  const holders = [answer, ...MODEL_HOLDERS.map((name) => asObject(answer[name]))]
  const found = holders.flatMap((holder) => MODEL_NAMES.map((name) => holder?.[name]))
  return found.find((value): value is string => typeof value === 'string' && value !== '') ?? null
}

/** The usage of each event that may have one. */
function events(text: string): UsageObject[] {
  return text.split('\n').flatMap((line) => {
    return line.startsWith('data:') && /usage/i.test(line) ? listed(usageOf(asObject(parsed(line.slice(5))))) : []
  })
}

/** The last event of a response repeats all of it, and may be longer than what is kept: then its end is here alone. */
function orCut(found: UsageObject[], tail: string): UsageObject[] {
  return found.length > 0 ? found : named(tail).slice(-1)
}

function listed(found: UsageObject | null): UsageObject[] {
  return found === null ? [] : [found]
}

function mergedOf(parts: readonly (UsageObject | null)[]): UsageObject | null {
  const told = parts.filter((part) => part !== null)
  return told.length === 0 ? null : told.reduce(merged)
}

/** A later value replaces an earlier one, but a null says nothing, and a zero does not take a count back. */
function merged(earlier: UsageObject, later: UsageObject): UsageObject {
  const all = { ...earlier }
  for (const [name, value] of Object.entries(later)) {
    const known = all[name]
    const [inside, more] = [asObject(known), asObject(value)]
    if (inside !== null && more !== null) all[name] = merged(inside, more)
    else if (known === undefined || known === null) all[name] = value
    else if (value !== null && !(value === 0 && typeof known === 'number')) all[name] = value
  }
  return all
}

/** Members of an event, or of one of its members, that are a usage object. */
const NAMES = ['usage', 'usageMetadata', 'usage_metadata', 'totalUsage']

/** Members of an event in which it stands: Responses, Anthropic, Groq, LangChain. */
const HOLDERS = ['response', 'message', 'x_groq', 'data', 'chunk', 'output']

const DEEPEST = 3

/** Finds the usage by its names in all formats. */
function usageOf(answer: UsageObject | null, depth = 0): UsageObject | null {
  if (answer === null) return null
  const own = NAMES.map((name) => asObject(answer[name])).find((usage) => usage !== null)
  // llama.cpp counts the cached tokens beside the usage.
  const timings = asObject(answer['timings'])
  if (own != null) return timings === null ? own : { ...own, timings }
  if (depth === DEEPEST) return null
  const choices = answer['choices']
  const inner = [...HOLDERS.map((name) => answer[name]), Array.isArray(choices) ? choices[0] : undefined]
  return inner.map((holder) => usageOf(asObject(holder), depth + 1)).find((usage) => usage !== null) ?? null
}

/** In the text of a string the quotes would stand behind a backslash. */
const NAMED = /(?<!\\)"(?:usage|usageMetadata|usage_metadata)"\s*:\s*(?=\{)/g

/** The usage objects in a piece of JSON whose beginning may be missing. */
function named(text: string): UsageObject[] {
  return [...text.matchAll(NAMED)].flatMap((match) => {
    const start = match.index + match[0].length
    const end = objectEnd(text, start)
    return end === null ? [] : listed(asObject(parsed(text.slice(start, end))))
  })
}

/** Longest usage object that is looked at. */
const LONGEST = 8_192

function objectEnd(text: string, start: number): number | null {
  let depth = 0
  let quoted = false
  for (let at = start; at < text.length && at - start < LONGEST; at++) {
    const char = text[at]
    if (quoted && char === '\\') at++
    else if (char === '"') quoted = !quoted
    else if (!quoted && char === '{') depth++
    else if (!quoted && char === '}' && --depth === 0) return at + 1
  }
  return null
}

/** Undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function asObject(value: unknown): UsageObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as UsageObject) : null
}

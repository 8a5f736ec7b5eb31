import { createHash } from 'node:crypto'

/** A sentence of some tokens. What repeats it is shown by its count, so that recordings stay short and exact. */
export const SENTENCE = 'You answer questions about tents, stoves and sleeping mats for a shop in the mountains. '

/** Members whose sentences may be reworded: a recording says only whether there is one. */
const REWORDED = 'why|message|advice'

/** What is drawn by chance: each value gets a number of its kind, the same wherever it stands again. */
const DRAWN: readonly [kind: string, pattern: RegExp][] = [
  ['plk', /\bplk_[a-z0-9-]{1,40}(?:\.eu)?(?:\.read)?_[0-9a-f]{12}_[0-9a-f]{72}/g],
  ['whsec', /\bwhsec_[A-Za-z0-9+/]+=*/g],
  ['', /\b(?:req|job|bot|evt|lse|msg|dep|call)_[0-9a-f]{24}\b/g],
  ['kid', /(?<=\/keys\/|"id":")[0-9a-f]{12}\b/g],
  ['cnd', /\bcnd_(?!0123456789abcdef)[\w-]{16}(?![\w-])/g],
  // The lab numbers its answers in the order of their calls, and calls of one request leave side by side.
  ['answer', /\b(?:msg|chatcmpl|resp|rs)[_-]lab[_-]\d+\b/g],
  ['signature', /(?<="signature":")[^"]+/g],
]

/** Puts placeholders in the place of chance and of sentences. One for each recording. */
export class Normaliser {
  readonly #numbers = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  text(given: string): string {
    let text = given.replaceAll(/(?<="payload":)"(?:[^"\\]|\\.)*"/g, (inner) =>
      JSON.stringify(this.text(JSON.parse(inner) as string)),
    )
    for (const [kind, pattern] of DRAWN) {
      text = text.replaceAll(pattern, (drawn) => this.#placeholder(kind === '' ? drawn.slice(0, 3) : kind, drawn))
    }
    return text
      .replaceAll(new RegExp(`"(${REWORDED})":"(?:[^"\\\\]|\\\\.)+"`, 'g'), '"$1":"<sentence>"')
      .replaceAll(new RegExp(`(?:${SENTENCE}){2,}`, 'g'), (found) => `<sentence × ${found.length / SENTENCE.length}>`)
  }

  #placeholder(kind: string, drawn: string): string {
    const known = this.#numbers.get(drawn)
    if (known !== undefined) return known
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    const placeholder = `<${kind} ${count}>`
    this.#numbers.set(drawn, placeholder)
    return placeholder
  }
}

const WIDTH = 120

/** JSON with a line for each member that is long. The order of members and the spelling of numbers stay. */
export function spread(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || flat.length + indent.length <= WIDTH) return flat
  const inner = `${indent} `
  const rows = Array.isArray(value)
    ? value.map((item) => inner + spread(item, inner))
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${spread(item, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${rows.join(',\n')}\n${indent}${close}`
}

/** A body as a recording shows it: spread where that loses nothing, else as it is. */
export function shownBody(text: string): string {
  if (text === '') return '(no body)'
  const value = parsed(text)
  if (value === undefined) return text
  return JSON.stringify(value) === text ? spread(value) : `(as sent) ${text}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const DEEP = 3
const LONG = 400

/** The same with a hash in the place of what is long and deep: enough to say which part is otherwise. */
export function hashedBody(text: string): string {
  const value = parsed(text)
  if (value === undefined || JSON.stringify(value) !== text) return hash(text)
  return spread(hashed(value, 0))
}

function hashed(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  const text = JSON.stringify(value)
  if (depth >= DEEP && text.length > LONG) return hash(text)
  if (Array.isArray(value)) return value.map((item) => hashed(item, depth + 1))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hashed(item, depth + 1)]))
}

function hash(text: string): string {
  return `${text.length} characters, SHA-256 ${createHash('sha256').update(text).digest('hex')}`
}

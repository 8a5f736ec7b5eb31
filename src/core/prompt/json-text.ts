import { Failure } from '../../contract/failure.ts'
import { shortPath } from '../../contract/issues.ts'

/** A JSON value with its span: `text.slice(start, end)` is exactly what the caller wrote (UTF-16 offsets). */
export type JsonNode = JsonObject | JsonArray | JsonString | JsonScalar

export interface JsonObject {
  type: 'object'
  start: number
  end: number
  members: JsonMember[]
}

export interface JsonArray {
  type: 'array'
  start: number
  end: number
  items: JsonNode[]
}

export interface JsonString {
  type: 'string'
  start: number
  end: number
  /** The text with escapes decoded. */
  value: string
}

/** Numbers keep their spelling in the text; they are never turned into a double here. */
export interface JsonScalar {
  type: 'number' | 'true' | 'false' | 'null'
  start: number
  end: number
}

export interface JsonMember {
  key: string
  /** Offset of the key's opening quote. The member ends where its value ends. */
  keyStart: number
  value: JsonNode
}

/** Levels of nesting: more than any real request has, and few enough for recursion over the tree. */
export const MAX_DEPTH = 128

/**
 * Reads strict JSON (no comments, no trailing commas) and keeps the span of every value.
 * Throws `invalid_request` with the field's path and the position for text that is not JSON, a duplicate key in an object, a
 * lone surrogate, more than 128 levels, or text after the value. `root`: the name that paths begin with.
 */
export function readJson(text: string, root = ''): JsonNode {
  if (text.length < WORTH_REMEMBERING) return new Reader(text, root).read()
  for (const known of recent) {
    const node = known.deref()
    if (node !== undefined && texts.get(node) === text) return node
  }
  const node = new Reader(text, root).read()
  texts.set(node, text)
  recent.unshift(new WeakRef(node))
  recent.length = Math.min(recent.length, MOST_RECENT)
  return node
}

/**
 * The last long texts that were read: one registration reads a body a dozen times, and nobody changes a tree. They are held weakly, so
 * that nothing of a body stays in memory once its request has ended.
 */
const recent: WeakRef<JsonNode>[] = []
const texts = new WeakMap<JsonNode, string>()
const MOST_RECENT = 4
const WORTH_REMEMBERING = 2_000

type Frame =
  | { type: 'object'; node: JsonObject; key: string; keyStart: number; seen: Set<string> | null }
  | { type: 'array'; node: JsonArray }

/** A number or a word of JSON. A number that ends in the middle, and a word that goes on, are none. */
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![.eE]))|(?:null|true|false)(?![^\s{}[\]":,/])/y

/** The words by the code of their first letter. */
const WORDS: Readonly<Record<number, JsonScalar['type']>> = { 110: 'null', 116: 'true', 102: 'false' }

const QUOTE = 34
const BACKSLASH = 92
/** What a plain string does not have: escapes, and what has to be escaped. */
const SPECIAL = /[^ -[\]-\uffff]/

class Reader {
  readonly #text: string
  readonly #root: string
  /** Open containers, outermost first. An explicit stack, because the text decides the depth. */
  readonly #open: Frame[] = []
  #position = 0

  constructor(text: string, root: string) {
    this.#text = text
    this.#root = root
  }

  read(): JsonNode {
    for (;;) {
      let node: JsonNode | null = this.#value()
      // A finished value closes every container that ends right after it.
      while (node !== null) {
        const frame = this.#open.at(-1)
        if (frame === undefined) {
          this.#skipSpace()
          if (this.#position < this.#text.length) this.#fail('text follows the JSON value', this.#position)
          return node
        }
        node = this.#attach(frame, node)
      }
    }
  }

  /** Reads a scalar, or opens a container. Null: the first value of that container comes next. */
  #value(): JsonNode | null {
    this.#skipSpace()
    const start = this.#position
    if (start >= this.#text.length) this.#fail(start === 0 ? 'it is empty' : 'it ends too early', start)
    if (this.#text.charCodeAt(start) === QUOTE) {
      const value = this.#string()
      return { type: 'string', start, end: this.#position, value }
    }
    if (this.#text[start] === '{') {
      const node: JsonObject = { type: 'object', start, end: start, members: [] }
      const frame: Frame = { type: 'object', node, key: '', keyStart: 0, seen: null }
      this.#enter(frame)
      if (this.#closes('}')) return this.#leave(node)
      this.#key(frame)
      return null
    }
    if (this.#text[start] === '[') {
      const node: JsonArray = { type: 'array', start, end: start, items: [] }
      this.#enter({ type: 'array', node })
      return this.#closes(']') ? this.#leave(node) : null
    }
    return { type: this.#scalar(), start, end: this.#position }
  }

  /** Adds a value to its container. Returns the container if it ends here, null if another value follows. */
  #attach(frame: Frame, node: JsonNode): JsonNode | null {
    if (frame.type === 'object') frame.node.members.push({ key: frame.key, keyStart: frame.keyStart, value: node })
    else frame.node.items.push(node)
    if (this.#closes(frame.type === 'object' ? '}' : ']')) return this.#leave(frame.node)
    if (this.#text[this.#position] !== ',')
      this.#fail('a comma or the end of the container was expected', this.#position)
    this.#position++
    if (frame.type === 'object') this.#key(frame)
    return null
  }

  #enter(frame: Frame): void {
    this.#position++
    if (this.#open.length >= MAX_DEPTH)
      this.#fail(`it is nested more than ${MAX_DEPTH} levels deep`, this.#position - 1)
    this.#open.push(frame)
  }

  #leave<T extends JsonObject | JsonArray>(node: T): T {
    this.#open.pop()
    node.end = this.#position
    return node
  }

  #closes(bracket: '}' | ']'): boolean {
    this.#skipSpace()
    if (this.#text[this.#position] !== bracket) return false
    this.#position++
    return true
  }

  #key(frame: Extract<Frame, { type: 'object' }>): void {
    this.#skipSpace()
    const start = this.#position
    frame.keyStart = 0 // until a key is read, a failure names the object itself
    if (this.#text.charCodeAt(start) !== QUOTE) this.#fail('a quoted key was expected', start)
    frame.keyStart = start
    frame.key = this.#string()
    const members = frame.node.members
    // A set is made for the second member: a body of a million small objects needs no million sets.
    if (members.length > 0) {
      frame.seen ??= new Set([members[0]!.key])
      if (frame.seen.has(frame.key)) this.#fail('the key appears twice in one object', start)
      frame.seen.add(frame.key)
    }
    this.#skipSpace()
    if (this.#text[this.#position] !== ':') this.#fail('a colon was expected', this.#position)
    this.#position++
  }

  /**
   * Reads a string without the scanner, which builds the value piece by piece: megabytes of escapes would take several times
   * the isolate's memory. JSON.parse decodes them in one step.
   */
  #string(): string {
    const text = this.#text
    const start = this.#position
    // Nearly every string ends at the first quotation mark.
    const plainEnd = text.indexOf('"', start + 1)
    const plain = plainEnd === -1 ? '\n' : text.slice(start + 1, plainEnd)
    if (!SPECIAL.test(plain)) {
      this.#position = plainEnd + 1
      return this.#wellFormed(plain, start)
    }
    let at = start + 1
    let escaped = false
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) break
      if (code === BACKSLASH) {
        escaped = true
        at++
      } else if (code < 0x20) this.#fail('a string contains an unescaped control character', at)
      if (at >= text.length) this.#fail('a string does not end', start)
      at++
    }
    this.#position = at + 1
    const value = escaped ? this.#decode(start, at + 1) : text.slice(start + 1, at)
    return this.#wellFormed(value, start)
  }

  #wellFormed(value: string, start: number): string {
    if (!value.isWellFormed()) this.#fail('a string contains a lone surrogate, which cannot be encoded', start)
    return value
  }

  #decode(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end)) as string
    } catch {
      return this.#fail('a string contains an invalid escape', start)
    }
  }

  #scalar(): JsonScalar['type'] {
    SCALAR.lastIndex = this.#position
    if (!SCALAR.test(this.#text)) return this.#fail('a JSON value was expected', this.#position)
    const first = this.#text.charCodeAt(this.#position)
    this.#position = SCALAR.lastIndex
    return WORDS[first] ?? 'number'
  }

  #skipSpace(): void {
    for (; this.#position < this.#text.length; this.#position++) {
      const code = this.#text.charCodeAt(this.#position)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    }
  }

  #fail(what: string, position: number): never {
    let path = this.#root
    for (const frame of this.#open) {
      if (frame.type === 'array') path += `[${frame.node.items.length}]`
      else if (frame.keyStart > 0) path = memberPath(path, frame.key)
    }
    path = shortPath(path)
    const where = path === '' ? 'The body' : path
    throw new Failure('invalid_request', `${where}: ${what} (at character ${position}).`, { field: path, position })
  }
}

/** A member's path for a message. A key that does not look like a field name may be prompt text, so it is hidden. */
export function memberPath(parent: string, key: string): string {
  if (!/^[A-Za-z_$][\w$-]{0,63}$/.test(key)) return `${parent}["…"]`
  return parent === '' ? key : `${parent}.${key}`
}

/** The value of a member; undefined where the node is not an object or has no such member. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  if (node?.type !== 'object') return undefined
  return node.members.find((entry) => entry.key === key)?.value
}

/** The decoded text of a string member; undefined where it is anything else. */
export function stringMember(node: JsonNode | undefined, key: string): string | undefined {
  const value = member(node, key)
  return value?.type === 'string' ? value.value : undefined
}

/** The items of an array; none where the node is anything else. */
export function items(node: JsonNode | undefined): JsonNode[] {
  return node?.type === 'array' ? node.items : []
}

/** UTF-8 bytes of `text.slice(0, end)`. Spans count UTF-16 units; providers and the API count bytes. */
export function byteOffset(text: string, end: number): number {
  return Buffer.byteLength(text.slice(0, end))
}

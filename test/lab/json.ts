/**
 * JSON that keeps what a provider's prompt renderer sees: the order of members (integer-like names included) and the digits
 * of numbers. `JSON.parse` loses both, and then two prompts that differ at the provider would look equal here.
 */
export class JsonNumber {
  readonly digits: string
  constructor(digits: string) {
    this.digits = digits
  }
}

export type JsonNode = null | boolean | string | JsonNumber | JsonNode[] | JsonObject
export type JsonObject = Map<string, JsonNode>

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\n\r]*/y
const MAX_DEPTH = 500

/** Parses JSON text. Throws `SyntaxError` for anything that is not JSON. Of duplicate names the last value wins, in the first one's place. */
export function parseJson(text: string): JsonNode {
  let at = 0
  const skip = (): void => {
    SPACE.lastIndex = at
    SPACE.test(text)
    at = SPACE.lastIndex
  }
  const fail = (): never => {
    throw new SyntaxError(`Unexpected character at position ${at}`)
  }
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) return fail()
    at = pattern.lastIndex
    return found[0]
  }
  const readString = (): string => {
    // Scanned by hand: a pattern over megabytes of text is slower.
    if (text[at] !== '"') return fail()
    let end = at + 1
    for (;;) {
      const code = text.charCodeAt(end)
      if (Number.isNaN(code) || code < 0x20) return fail()
      if (code === 0x22) break
      end += code === 0x5c ? 2 : 1
    }
    const raw = text.slice(at, end + 1)
    const value: unknown = raw.includes('\\') ? JSON.parse(raw) : raw.slice(1, -1)
    at = end + 1
    return value as string
  }
  const read = (depth: number): JsonNode => {
    if (depth > MAX_DEPTH) throw new SyntaxError('Nested too deeply')
    skip()
    const head = text[at]
    if (head === '{') return readObject(depth)
    if (head === '[') return readArray(depth)
    if (head === '"') return readString()
    if (text.startsWith('true', at)) return ((at += 4), true)
    if (text.startsWith('false', at)) return ((at += 5), false)
    if (text.startsWith('null', at)) return ((at += 4), null)
    return new JsonNumber(match(NUMBER))
  }
  const readArray = (depth: number): JsonNode[] => {
    const items: JsonNode[] = []
    at += 1
    skip()
    if (text[at] === ']') return ((at += 1), items)
    for (;;) {
      items.push(read(depth + 1))
      skip()
      if (text[at] === ',') at += 1
      else if (text[at] === ']') return ((at += 1), items)
      else fail()
    }
  }
  const readObject = (depth: number): JsonObject => {
    const members: JsonObject = new Map()
    at += 1
    skip()
    if (text[at] === '}') return ((at += 1), members)
    for (;;) {
      skip()
      const name = readString()
      skip()
      if (text[at] !== ':') fail()
      at += 1
      members.set(name, read(depth + 1))
      skip()
      if (text[at] === ',') at += 1
      else if (text[at] === '}') return ((at += 1), members)
      else fail()
    }
  }
  const root = read(0)
  skip()
  if (at !== text.length) fail()
  return root
}

/** Writes a node without white space, members in their order, numbers with their own digits; `omit` names members of the node itself to leave out. */
export function compact(node: JsonNode, omit?: ReadonlySet<string>): string {
  if (node === null) return 'null'
  if (typeof node === 'boolean') return node ? 'true' : 'false'
  if (typeof node === 'string') return JSON.stringify(node)
  if (node instanceof JsonNumber) return node.digits
  if (Array.isArray(node)) return `[${node.map((item) => compact(item)).join(',')}]`
  const parts: string[] = []
  for (const [name, value] of node) if (!omit?.has(name)) parts.push(`${JSON.stringify(name)}:${compact(value)}`)
  return `{${parts.join(',')}}`
}

export function isObject(node: JsonNode | undefined): node is JsonObject {
  return node instanceof Map
}

/** The member of an object, or `undefined` when the node is no object or has no such member. */
export function member(node: JsonNode | undefined, name: string): JsonNode | undefined {
  return isObject(node) ? node.get(name) : undefined
}

/** The member when it is a string. */
export function stringAt(node: JsonNode | undefined, name: string): string | undefined {
  const value = member(node, name)
  return typeof value === 'string' ? value : undefined
}

/** The member when it is a number. */
export function numberAt(node: JsonNode | undefined, name: string): number | undefined {
  const value = member(node, name)
  return value instanceof JsonNumber ? Number(value.digits) : undefined
}

/** The member when it is an array, otherwise an empty one. */
export function arrayAt(node: JsonNode | undefined, name: string): JsonNode[] {
  const value = member(node, name)
  return Array.isArray(value) ? value : []
}

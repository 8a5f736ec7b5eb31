import { edit, objectEdits, replaceNode } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { member, readJson } from '../../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'

/** What a value is, as far as its spelling is free: a message, a schema, schemas by name, or names of an enum. */
type Kind = 'message' | 'content' | 'schema' | 'schemas' | 'enum' | 'free'

/**
 * A body in one of the spellings that the API takes for the same: members in camel case, enums in capitals, lists and contents in full. Texts,
 * arguments, results and JSON schemas stay as they are.
 * Sources: protobuf.dev, ProtoJSON format (both cases of a name); ai.google.dev, the method's reference and its curl examples, which write types
 * of schemas and levels in small letters, a `system_instruction` whose `parts` are one object, and a `role` that a single turn leaves out; and
 * @google/genai 3.3.0, which writes a text as the content that it means. Checked 2026-11-30.
 */
export function spelled(text: string): string {
  const root = readJson(text, 'request')
  if (root.type !== 'object') return text
  const edits: Edit[] = []
  writeMessage(text, root, edits)
  return edits.length === 0 ? text : edit(text, edits)
}

/** Members whose values are no messages of the API, by their name in camel case. The rest are messages. */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['args', 'free'],
  ['response', 'free'],
  ['labels', 'free'],
  ['headers', 'free'],
  ['parametersJsonSchema', 'free'],
  ['responseJsonSchema', 'free'],
  ['_responseJsonSchema', 'free'],
  ['systemInstruction', 'content'],
  ['contents', 'content'],
  ['responseSchema', 'schema'],
  ['mode', 'enum'],
  ['thinkingLevel', 'enum'],
  ['responseModalities', 'enum'],
])

/** In a declaration, what a function takes and answers are schemas. */
const DECLARED: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...KINDS,
  ['parameters', 'schema'],
  ['response', 'schema'],
])

const OF_SCHEMA: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['type', 'enum'],
  ['properties', 'schemas'],
  ['items', 'schema'],
  ['anyOf', 'schema'],
  ['prefixItems', 'schema'],
])

/** Lists whose only element may stand alone. */
const LISTS = new Set(['contents', 'parts', 'tools', 'functionDeclarations'])

function writeMessage(text: string, node: JsonNode, edits: Edit[], kinds = KINDS): void {
  if (node.type === 'array') {
    for (const item of node.items) writeMessage(text, item, edits, kinds)
    return
  }
  if (node.type !== 'object') return
  for (const entry of node.members) {
    const name = renamed(text, node, entry, edits)
    const { value } = entry
    if (LISTS.has(name) && value.type === 'object') {
      edits.push({ start: value.start, end: value.start, replacement: '[' })
      edits.push({ start: value.end, end: value.end, replacement: ']' })
    }
    if (name === 'functionDeclarations') writeMessage(text, value, edits, DECLARED)
    else write(text, value, edits, kinds.get(name) ?? 'message')
  }
}

function write(text: string, node: JsonNode, edits: Edit[], kind: Kind): void {
  switch (kind) {
    case 'message':
      return writeMessage(text, node, edits)
    case 'content':
      return writeContent(text, node, edits)
    case 'schema':
      return writeSchema(text, node, edits)
    case 'schemas':
      if (node.type === 'object') for (const { value } of node.members) writeSchema(text, value, edits)
      return
    case 'enum':
      return writeEnum(node, edits)
    case 'free':
  }
}

/** A content, or a list of them. A turn without a role is the user's, and a text is a content of one part. */
function writeContent(text: string, node: JsonNode, edits: Edit[]): void {
  if (node.type === 'array') {
    for (const item of node.items) writeContent(text, item, edits)
  } else if (node.type === 'string') {
    edits.push(replaceNode(node, `{"role":"user","parts":[{"text":${JSON.stringify(node.value)}}]}`))
  } else if (node.type === 'object') {
    writeMessage(text, node, edits)
    // Behind the edits of its last member, which may end at the same place.
    if (member(node, 'role') === undefined) edits.push(...objectEdits(node, { role: '"user"' }))
  }
}

function writeSchema(text: string, node: JsonNode, edits: Edit[]): void {
  if (node.type === 'array') {
    for (const item of node.items) writeSchema(text, item, edits)
    return
  }
  if (node.type !== 'object') return
  for (const entry of node.members) {
    const kind = OF_SCHEMA.get(renamed(text, node, entry, edits))
    if (kind !== undefined) write(text, entry.value, edits, kind)
  }
}

function writeEnum(node: JsonNode, edits: Edit[]): void {
  if (node.type === 'array') for (const item of node.items) writeEnum(item, edits)
  if (node.type !== 'string' || node.value === node.value.toUpperCase()) return
  edits.push(replaceNode(node, JSON.stringify(node.value.toUpperCase())))
}

/** The name of a member in camel case. It is written so, unless the object has a member of that name. */
function renamed(text: string, object: JsonObject, { key, keyStart }: JsonMember, edits: Edit[]): string {
  const name = key.replace(/(?<=.)_([a-z\d])/g, (_all, letter: string) => letter.toUpperCase())
  if (name !== key && member(object, name) === undefined) {
    STRING.lastIndex = keyStart
    const written = STRING.exec(text)?.[0] ?? ''
    edits.push({ start: keyStart, end: keyStart + written.length, replacement: JSON.stringify(name) })
  }
  return name
}

/** A string as JSON writes it. */
const STRING = /"(?:[^"\\]|\\.)*"/y

import { Failure } from '../../../contract/failure.ts'
import { canonical } from '../../../core/prompt/json-canonical.ts'
import type { CanonicalRules } from '../../../core/prompt/json-canonical.ts'
import { arrayEdits, edit, objectEdits } from '../../../core/prompt/json-edit.ts'
import type { Edit } from '../../../core/prompt/json-edit.ts'
import { items, member, readJson } from '../../../core/prompt/json-text.ts'
import type { JsonArray, JsonNode, JsonObject } from '../../../core/prompt/json-text.ts'
import type { NeutralRequest } from '../../dialect.ts'

/** Helpers of all wire formats: reading a body, and finding the end of its prefix. */

export const MAX_TOOLS = 2048

/** Text of the user turn at the end of a probe, where the provider requires one. It is behind the breakpoint, and no request reads it. */
export const PLACEHOLDER_TEXT = '.'

/** Members of a body itself: each is looked at for what it may ask of the cache. */
export const MAX_MEMBERS = 1_000

export interface Body {
  text: string
  root: JsonObject
}

/** Reads a request body: strict JSON with an object at the top. Throws `invalid_request`. */
export function readBody(text: string): Body {
  const root = readJson(text, 'request')
  if (root.type !== 'object') throw invalid('request', 'must be a JSON object')
  if (root.members.length > MAX_MEMBERS)
    throw invalid('request', `has ${root.members.length} members; at most ${MAX_MEMBERS} are accepted`)
  limitTools(items(member(root, 'tools')).length)
  return { text, root }
}

export function limitTools(count: number): void {
  if (count > MAX_TOOLS) throw invalid('request.tools', `has ${count} tools; at most ${MAX_TOOLS} are accepted`)
}

export function invalid(field: string, what: string): Failure {
  return new Failure('invalid_request', `${field} ${what}.`, { field })
}

/** The model of the body, else of the envelope. They must agree where both exist. `plain` removes a prefix that the format allows. */
export function modelOf(body: Body, envelope: string | undefined, plain = (id: string): string => id): string {
  const node = member(body.root, 'model')
  if (node !== undefined && node.type !== 'string') throw invalid('request.model', 'must be a string')
  const own = node === undefined ? undefined : plain(node.value)
  const outer = envelope === undefined ? undefined : plain(envelope)
  if (own !== undefined && outer !== undefined && own !== outer) {
    throw invalid('model', "differs from the body's own model")
  }
  const model = own ?? outer
  if (model === undefined || model === '') throw invalid('request.model', 'is missing')
  return model
}

/** The objects of a list. An absent member is an empty list; everything but an array of objects is refused. */
export function objectList(root: JsonObject, key: string): JsonNode[] {
  const node = member(root, key)
  if (node === undefined || node.type === 'null') return []
  if (node.type !== 'array') throw invalid(`request.${key}`, 'must be an array')
  for (const [index, item] of node.items.entries()) {
    if (item.type !== 'object') throw invalid(`request.${key}[${index}]`, 'must be an object')
  }
  return node.items
}

/** The last item inside the prefix, and its last part. `tools` and `none` end the prefix before the list begins. */
export type Cut = { item: number; part: number | null } | 'tools' | 'none'

/** Names of the list of turns, and of the list of parts in a turn. */
export interface TurnShape {
  list: 'messages' | 'input' | 'contents'
  parts: 'content' | 'parts'
}

/** Edits that remove all turns and parts behind the cut. */
export function cutEdits(root: JsonObject, cut: Cut, shape: TurnShape): Edit[] {
  const list = member(root, shape.list)
  if (list?.type !== 'array') return []
  if (typeof cut === 'string') return arrayEdits(list, () => false)
  const edits = arrayEdits(list, (index) => index <= cut.item)
  const { part } = cut
  const parts = member(list.items[cut.item], shape.parts)
  if (part !== null && parts?.type === 'array') edits.push(...arrayEdits(parts, (index) => index <= part))
  return edits
}

/** The element at the end of a stored prefix, with its path. `node` is a string where a string means one block of text. */
export interface LastElement {
  node: JsonNode
  path: string
  /** The turn that contains it; null: none does. */
  turn: JsonNode | null
}

/** The last part of the last turn of a stored body; null: it has no turns. */
export function lastTurnElement(turns: readonly JsonNode[], shape: TurnShape): LastElement | null {
  const turn = turns.at(-1)
  if (turn === undefined) return null
  const path = `${shape.list}[${turns.length - 1}]`
  const parts = member(turn, shape.parts)
  if (parts === undefined) return { node: turn, path, turn }
  if (parts.type === 'string') return { node: parts, path: `${path}.${shape.parts}`, turn }
  const last = items(parts).at(-1)
  if (last === undefined) throw invalid(`request.${path}.${shape.parts}`, 'is empty, so no prefix can end there')
  return { node: last, path: `${path}.${shape.parts}[${items(parts).length - 1}]`, turn }
}

/** The element in front of a cut of a stored body; null: there is none. */
export function elementAt(root: JsonObject, cut: Exclude<Cut, 'none'>, shape: TurnShape): LastElement | null {
  if (cut === 'tools') return lastToolElement(root)
  const turn = items(member(root, shape.list))[cut.item]
  if (turn === undefined) return null
  const parts = member(turn, shape.parts)
  const path = `${shape.list}[${cut.item}].${shape.parts}`
  if (parts?.type === 'string') return { node: parts, path, turn }
  const index = cut.part ?? items(parts).length - 1
  const node = items(parts)[index]
  return node === undefined ? null : { node, path: `${path}[${index}]`, turn }
}

/** The last tool of a stored body that is in the prompt; null: it has none. */
export function lastToolElement(root: JsonObject): LastElement | null {
  const tools = items(member(root, 'tools'))
  const index = tools.findLastIndex((tool) => !isDeferred(tool))
  const node = tools[index]
  return node === undefined ? null : { node, path: `tools[${index}]`, turn: null }
}

/**
 * Whether a tool is loaded only when the model searches for it: it is not in the prompt, and takes no marker.
 * Source: platform.claude.com tool use with prompt caching, "defer_loading", checked 2026-11-30.
 */
export function isDeferred(tool: JsonNode): boolean {
  return member(tool, DEFER)?.type === 'true'
}

export const DEFER = 'defer_loading'

/** The canonical stream of the tools in the prompt; empty where there are none. */
export function toolStream(body: Body, rules: CanonicalRules = {}): [string, string][] {
  const list = items(member(body.root, 'tools'))
  const omit = new Set(list.filter(isDeferred))
  return omit.size === list.length ? [] : memberStream(body, 'tools', { ...rules, omit })
}

/** Index of the first item of the final user turn: the consecutive items at the end of the list for which `isUser` holds. */
export function finalUserTurn(turns: readonly JsonNode[], isUser: (turn: JsonNode) => boolean): number {
  let first = turns.length
  while (first > 0 && isUser(turns[first - 1]!)) first--
  return first
}

/**
 * Whether a marker may end the prefix: before the final user turn, or within it where a question follows in the same message. In a single
 * turn it may also follow in the next one. A marker at the very end moves from turn to turn. `isLast`: the marker ends its message.
 */
export function mayEnd(turn: number | null, isLast: boolean, finalTurn: number, turns: number): boolean {
  return turn === null || turn < finalTurn || !isLast || (finalTurn === 0 && turn < turns - 1)
}

/**
 * Members of a body, except those in `without`, in the order of their names. Unknown members count: they may be rendered into the prompt.
 */
export function otherMembers(body: Body, without: ReadonlySet<string>): [string, string][] {
  return body.root.members
    .filter((entry) => !without.has(entry.key))
    .map((entry): [string, string] => [entry.key, canonical(body.text, entry.value)])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** Joins named streams into one, in the order in which a provider renders them. */
export function joinStreams(parts: readonly (readonly [string, string])[]): string {
  return `{${parts.map(([name, tokens]) => `${JSON.stringify(name)}:${tokens}`).join(',')}}`
}

/** The canonical stream of a member; empty where the body has no such member. */
export function memberStream(body: Body, key: string, rules?: CanonicalRules): [string, string][] {
  const node = member(body.root, key)
  return node === undefined || node.type === 'null' ? [] : [[key, canonical(body.text, node, rules)]]
}

const encoder = new TextEncoder()

/** The estimate of four bytes of rendered text a token. */
export function sizeOf(streams: readonly (readonly [string, string])[]): { estimatedTokens: number } {
  const renderedBytes = streams.reduce((sum, [, text]) => sum + encoder.encode(text).byteLength, 0)
  return { estimatedTokens: Math.ceil(renderedBytes / 4) }
}

/** Edits that append an item to a list; null: the body has no such list, and the member must be added. */
export function appendTo(root: JsonObject, key: string, raw: string): Edit[] | null {
  const list = member(root, key)
  return list?.type === 'array' ? arrayEdits(list as JsonArray, () => true, [raw]) : null
}

/** The system prompt of the neutral form as the texts of its blocks: none, one, or the head that other requests begin with and the rest. */
export function systemTexts({ system = '', systemHead = 0 }: Pick<NeutralRequest, 'system' | 'systemHead'>): string[] {
  return [system.slice(0, systemHead), system.slice(systemHead)].filter((text) => text !== '')
}

/**
 * A body with nothing but what a count takes. Null: it has another member, which may add tokens that the count would leave out. `without`:
 * members that add none.
 */
export function countable(text: string, taken: ReadonlySet<string>, without: ReadonlySet<string>): string | null {
  const { root } = readBody(text)
  const others = root.members.filter(({ key }) => !taken.has(key))
  if (others.some(({ key, value }) => !without.has(key) && value.type !== 'null')) return null
  return edit(text, objectEdits(root, Object.fromEntries(others.map(({ key }) => [key, null]))))
}

/** Names of members, as a set. */
export function members(names: string): ReadonlySet<string> {
  return new Set(names.split(/\s+/))
}

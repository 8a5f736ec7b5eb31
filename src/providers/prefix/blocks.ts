import { canonical } from '../../core/prompt/json-canonical.ts'
import { arrayEdits, edit, objectEdits, replaceNode } from '../../core/prompt/json-edit.ts'
import type { Edit } from '../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import { readBody } from '../dialects/shared/body.ts'
import { asTextBlocks, markers, markerText, MAX_MARKERS, UNMARKABLE } from '../dialects/anthropic-messages/markers.ts'
import { isPoint, MAX_POINTS, points, pointText } from '../dialects/bedrock-converse/cache-points.ts'
import { hasBreakpoints, isDeveloper, MARKER_TEXT, textBlock } from '../dialects/openai/breakpoints.ts'
import { wireOf } from '../registry.ts'
import type { Card, DialectId } from '../card.ts'

/** Where a block stands: which section, which item of it, which part of that item; null where the item is whole. */
export interface Place {
  section: number
  item: number
  part: number | null
}

/** A piece of a prompt that two prompts share whole or not at all. */
export interface Block {
  place: Place
  /** What a provider would compare of it: cache markers left out, white space and the spelling of escapes evened out. */
  tokens: string
}

/** A member of the body that is rendered into the prompt; a format may have two spellings for one. */
interface Section {
  names: readonly string[]
  /** A list of blocks, one value, blocks that may be written as one string, or turns that hold blocks in `parts`. */
  kind: 'list' | 'value' | 'blocks' | 'turns'
  parts: string
  /** The member that it lies in; null: it is the body's own. */
  outer: string | null
}

const section = (kind: Section['kind'], names: string[], parts = 'content', outer: string | null = null): Section => ({
  kind,
  names,
  parts,
  outer,
})

/** Sections in the order in which they are rendered. */
const SECTIONS: Readonly<Record<DialectId, readonly Section[]>> = {
  'anthropic-messages': [section('list', ['tools']), section('blocks', ['system']), section('turns', ['messages'])],
  'openai-responses': [section('list', ['tools']), section('value', ['instructions']), section('turns', ['input'])],
  'openai-chat': [section('list', ['tools']), section('turns', ['messages'])],
  'gemini-content': [
    section('value', ['systemInstruction', 'system_instruction']),
    section('list', ['tools']),
    section('value', ['toolConfig', 'tool_config']),
    section('turns', ['contents'], 'parts'),
  ],
  'bedrock-converse': [
    section('list', ['tools'], 'content', 'toolConfig'),
    section('blocks', ['system']),
    section('turns', ['messages']),
  ],
}

const CONTROLS = new Set(['cache_control', 'prompt_cache_breakpoint'])

/** The blocks of a stored body, in the order of the prompt. */
export function blocksOf(dialect: DialectId, text: string): Block[] {
  const { root } = readBody(text)
  return SECTIONS[dialect].flatMap((one, index) => sectionBlocks(text, root, one, index))
}

function sectionBlocks(text: string, root: JsonObject, one: Section, at: number): Block[] {
  const { names, kind, parts } = one
  const node = named(root, one)
  if (node === null) return []
  const block = (item: number, part: number | null, found: JsonNode, around = ''): Block => ({
    place: { section: at, item, part },
    tokens: `${names[0]} ${around}${tokensOf(text, found)}`,
  })
  if (kind === 'value' || (kind === 'blocks' && node.type === 'string')) return [block(0, null, node)]
  return items(node).flatMap((item, index) => {
    if (isPoint(item)) return []
    const content = kind === 'turns' ? contentOf(item, parts) : null
    if (content === null) return [block(index, null, item)]
    const around = canonical(text, item, { drop: new Set([content]) })
    const inside = content.value
    if (inside.type !== 'array') return [block(index, null, inside, around)]
    return inside.items.flatMap((found, part) => (isPoint(found) ? [] : [block(index, part, found, around)]))
  })
}

function contentOf(item: JsonNode, parts: string): JsonMember | null {
  return item.type === 'object' ? (item.members.find(({ key }) => key === parts) ?? null) : null
}

function named(root: JsonObject, { names, outer }: Pick<Section, 'names' | 'outer'>): JsonNode | null {
  const around = outer === null ? root : member(root, outer)
  const node = names.map((name) => member(around, name)).find((one) => one !== undefined && one.type !== 'null')
  return node ?? null
}

function tokensOf(text: string, node: JsonNode): string {
  // A string means one block of text, whichever way it is written.
  if (node.type === 'string') return `text ${JSON.stringify(node.value)}`
  if (node.type !== 'object') return canonical(text, node)
  const drop = new Set(node.members.filter(({ key }) => CONTROLS.has(key)))
  const kept = node.members.filter((entry) => !drop.has(entry))
  const isText = kept.every(({ key }) => key === 'type' || key === 'text') && member(node, 'text')?.type === 'string'
  return isText ? `text ${JSON.stringify(stringMember(node, 'text'))}` : canonical(text, node, { drop })
}

/** Where markers stand in a stored body, in the order of the prompt, but for its end; and whether one stands there. */
export function markedPlaces(dialect: DialectId, text: string): { places: Place[]; endIsMarked: boolean } {
  const { root } = readBody(text)
  const blocks = blocksOf(dialect, text) ?? []
  const marked = blocks.map(({ place }) => {
    const one = SECTIONS[dialect]?.[place.section]
    const node = one === undefined ? undefined : find(root, one, place)?.node
    return [...CONTROLS].some((name) => member(node, name)?.type === 'object') ? place : null
  })
  const endIsMarked = marked.pop() != null
  return { places: marked.filter((place) => place !== null), endIsMarked }
}

/** The body with everything behind a block removed; the bytes in front of it stay as they are. */
export function cutBehind(dialect: DialectId, text: string, place: Place): string {
  const { root } = readBody(text)
  const edits: Edit[] = []
  const gone: Record<string, null> = {}
  for (const [index, one] of SECTIONS[dialect].entries()) {
    const { names, kind, parts } = one
    const node = named(root, one)
    if (node === null || index < place.section) continue
    if (index > place.section) {
      if (kind === 'turns' && node.type === 'array') edits.push(...arrayEdits(node, () => false))
      else for (const name of names) gone[name] = null
    } else if (node.type === 'array') {
      edits.push(...arrayEdits(node, (item) => item <= place.item))
      const inside = kind === 'turns' ? member(node.items[place.item], parts) : undefined
      const { part } = place
      if (inside?.type === 'array' && part !== null) edits.push(...arrayEdits(inside, (at) => at <= part))
    }
  }
  return edit(text, [...edits, ...objectEdits(root, gone)])
}

/** The block at a place: its node, and the turn that holds it if one does. */
function find(root: JsonObject, one: Section, { item, part }: Place) {
  const { kind, parts } = one
  const node = named(root, one)
  if (node === null) return null
  if (node.type === 'string') return { node, turn: null }
  const entry = items(node)[item]
  if (kind !== 'turns') return entry === undefined ? null : { node: entry, turn: null }
  const content = member(entry, parts)
  const block = part === null ? content : items(content)[part]
  return block === undefined || entry === undefined ? null : { node: block, turn: entry }
}

/**
 * The body with a cache marker behind a block, so that requests find an entry that ends there. Null where the wire format has
 * no markers, has none at this place, or has no room for another: providers without them find prefixes by themselves.
 */
export function markBehind(card: Pick<Card, 'dialect' | 'wire'>, text: string, place: Place, retention: string) {
  const one = SECTIONS[card.dialect][place.section]
  if (one === undefined) return null
  const { root } = readBody(text)
  const found = find(root, one, place)
  if (found === null) return null
  const { node, turn } = found
  if (card.dialect === 'anthropic-messages') {
    const marked = markers(root)
    if (marked.some(({ owner }) => owner === node)) return text
    // One is kept for the end of the prefix, which a probe marks.
    if (marked.length + 1 >= MAX_MARKERS || UNMARKABLE.has(stringMember(node, 'type') ?? '')) return null
    return withMarker(text, node, 'cache_control', markerText(retention), (raw, marker) => asTextBlocks(raw, marker))
  }
  if (card.dialect === 'bedrock-converse') {
    const marked = points(root)
    if (marked.some(({ list, index }) => list.items[index - 1] === node)) return text
    if (marked.length + 1 >= MAX_POINTS) return null
    return edit(text, [{ start: node.end, end: node.end, replacement: `,${pointText(retention)}` }])
  }
  if (wireOf(card).controls !== 'openai' || !hasBreakpoints(retention) || turn === null) return null
  const isChat = card.dialect === 'openai-chat'
  if (!isChat && !isDeveloper(turn) && stringMember(turn, 'role') !== 'user') return null
  if (member(node, 'prompt_cache_breakpoint')?.type === 'object') return text
  const textType = isChat ? 'text' : 'input_text'
  return withMarker(text, node, 'prompt_cache_breakpoint', MARKER_TEXT, (raw, marker) =>
    textBlock(raw, { textType }, { name: 'prompt_cache_breakpoint', text: marker }),
  )
}

function withMarker(
  text: string,
  node: JsonNode,
  name: string,
  marker: string,
  asBlock: (raw: string, marker: string) => string,
): string | null {
  if (node.type === 'object') return edit(text, objectEdits(node, { [name]: marker }))
  if (node.type !== 'string') return null
  return edit(text, [replaceNode(node, asBlock(text.slice(node.start, node.end), marker))])
}

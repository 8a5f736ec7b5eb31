import { canonical } from '../../core/prompt/json-canonical.ts'
import { arrayEdits, edit, objectEdits } from '../../core/prompt/json-edit.ts'
import type { Edit } from '../../core/prompt/json-edit.ts'
import { items, member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonMember, JsonNode, JsonObject } from '../../core/prompt/json-text.ts'
import { DEFER, isDeferred, readBody } from '../dialects/shared/body.ts'
import { credentialMembers } from '../dialects/shared/credentials.ts'
import type { CacheMarkers, Dialect, ReadBody, Section } from '../dialect.ts'

/** The members of a dialect that locate the blocks of a body. */
type Layout = Pick<Dialect, 'sections' | 'markers'>

/** Position of a block: section, item in the section, part of the item. `part` is null where the block is a whole item. */
export interface Place {
  section: number
  item: number
  part: number | null
}

/** The smallest piece of a prompt that two prompts can share. */
export interface Block {
  place: Place
  /** What a provider compares: without cache markers, credentials, white space and the spelling of escapes. */
  tokens: string
  /** Where it stands in the body, such as `tools[2]` or `messages[0].content[1]`. */
  path: string
  node: JsonNode
  /** True: it begins an item of its section. */
  isFirst: boolean
  /** True: a cache marker stands at its end. */
  isMarked: boolean
  /** The lifetime that this marker states; absent: none. */
  ttl?: string
}

/** The blocks of a stored body, in the order of the prompt. */
export function blocksOf({ sections, markers }: Layout, text: string): Block[] {
  const body = readBody(text)
  return sections.flatMap((one, index) => sectionBlocks(body, one, index, markers))
}

function sectionBlocks(body: ReadBody, one: Section, at: number, markers: CacheMarkers): Block[] {
  const { text, root } = body
  const { names, kind, parts, outer, roles, turnOf } = one
  const found = named(root, one)
  if (found === null) return []
  const { node } = found
  if (one.isUnsaid?.(body, node) === true || (node.type === 'string' && node.value === '')) return []
  const name = outer === null ? found.name : `${outer}.${found.name}`
  const credentials = new Set(credentialMembers(root))
  const block = (
    item: number,
    part: number | null,
    path: string,
    inside: JsonNode,
    around = '',
    { unsaid = [], next }: { unsaid?: JsonMember[] | undefined; next?: JsonNode | undefined } = {},
  ): Block => {
    const markedBy = [
      ...markers.members.map((own) => member(inside, own)),
      next === undefined || markers.element === null ? undefined : member(next, markers.element),
    ].filter((marker) => marker?.type === 'object')
    const ttl = stringMember(markedBy[0], 'ttl')
    return {
      place: { section: at, item, part },
      tokens: `${turnOf?.[0] ?? names[0]} ${around}${tokensOf(text, inside, markers.members, new Set([...credentials, ...unsaid]))}`,
      path,
      node: inside,
      isFirst: part === null || part === 0,
      isMarked: markedBy.length > 0,
      ...(ttl === undefined ? {} : { ttl }),
    }
  }
  const isMarker = (element: JsonNode): boolean =>
    markers.element !== null && member(element, markers.element)?.type === 'object'
  if (kind === 'value') {
    // One system prompt is the system's, whatever role a client gives it.
    const role = node.type === 'object' ? node.members.filter(({ key }) => key === 'role') : []
    return [block(0, null, name, node, turnOf === undefined ? '' : `{"role":${turnOf[1]}}`, { unsaid: role })]
  }
  if (kind === 'blocks' && node.type === 'string') return [block(0, null, name, node)]
  return items(node).flatMap((item, index, all) => {
    const path = `${name}[${index}]`
    if (isMarker(item) || (kind === 'list' && isDeferred(item))) return []
    const content = kind === 'turns' ? contentOf(item, parts) : null
    if (content === null)
      return [block(index, null, path, item, '', { unsaid: one.unsaidIn?.(item), next: all[index + 1] })]
    const drop = new Set([content, ...unsaidAround(item)])
    const around = canonical(text, item, { drop, replace: meantRole(item, roles) })
    const inside = content.value
    if (inside.type !== 'array') return [block(index, null, `${path}.${parts}`, inside, around)]
    return inside.items.flatMap((element, part) => {
      const next = inside.items[part + 1]
      return isMarker(element) ? [] : [block(index, part, `${path}.${parts}[${part}]`, element, around, { next })]
    })
  })
}

/** The role of a turn, where it means another. */
function meantRole(item: JsonNode, roles: Section['roles']): ReadonlyMap<JsonNode, string> {
  const role = member(item, 'role')
  const meant = role?.type === 'string' ? roles?.get(role.value) : undefined
  return role === undefined || meant === undefined ? new Map() : new Map([[role, meant]])
}

/** Members of a turn that say nothing to the model: nulls, the type that an absent one means, and what an answer says of itself. */
function unsaidAround(item: JsonNode): JsonMember[] {
  if (item.type !== 'object') return []
  return item.members.filter(
    ({ key, value }) =>
      value.type === 'null' ||
      key === 'id' ||
      key === 'status' ||
      (key === 'type' && value.type === 'string' && value.value === 'message'),
  )
}

/** What a part of an answer says of its text, and a text that was not answered does not. */
const OF_ANSWERS = new Set(['annotations', 'logprobs'])

function contentOf(item: JsonNode, parts: string): JsonMember | null {
  return item.type === 'object' ? (item.members.find(({ key }) => key === parts) ?? null) : null
}

function named(
  root: JsonObject,
  { names, outer }: Pick<Section, 'names' | 'outer'>,
): { name: string; node: JsonNode } | null {
  const around = outer === null ? root : member(root, outer)
  for (const name of names) {
    const node = member(around, name)
    if (node !== undefined && node.type !== 'null') return { name, node }
  }
  return null
}

function tokensOf(
  text: string,
  node: JsonNode,
  markers: readonly string[],
  credentials: ReadonlySet<JsonMember>,
): string {
  // A plain string and a block of text mean the same.
  if (node.type === 'string') {
    // Without escapes its spelling is the one that would be made of it.
    const isPlain = node.end - node.start === node.value.length + 2
    return `text ${isPlain ? text.slice(node.start, node.end) : JSON.stringify(node.value)}`
  }
  if (node.type !== 'object') return canonical(text, node)
  const unsaid = node.members.filter(
    ({ key, value }) =>
      markers.includes(key) ||
      value.type === 'null' ||
      (key === DEFER && value.type === 'false') ||
      (OF_ANSWERS.has(key) && value.type === 'array' && value.items.length === 0),
  )
  const drop = new Set([...credentials, ...unsaid])
  const kept = node.members.filter((entry) => !drop.has(entry))
  const isText = kept.every(({ key }) => key === 'type' || key === 'text') && member(node, 'text')?.type === 'string'
  return isText ? `text ${JSON.stringify(stringMember(node, 'text'))}` : canonical(text, node, { drop })
}

/** Positions of the markers in a stored body, in the order of the prompt, without the one at its end; and whether that one exists. */
export function markedPlaces(layout: Layout, text: string): { places: Place[]; endIsMarked: boolean } {
  const blocks = blocksOf(layout, text)
  const endIsMarked = blocks.pop()?.isMarked === true
  return { places: blocks.flatMap(({ place, isMarked }) => (isMarked ? [place] : [])), endIsMarked }
}

/** Removes everything behind a block. The bytes in front of it stay as they are. */
export function cutAfter({ sections }: Pick<Layout, 'sections'>, text: string, place: Place): string {
  const { root } = readBody(text)
  const edits: Edit[] = []
  const gone: Record<string, null> = {}
  for (const [index, one] of sections.entries()) {
    const { names, kind, parts } = one
    const node = named(root, one)?.node
    if (node === undefined || index < place.section) continue
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

/** The block at a position: its node, and the turn that contains it, or null. */
function find(root: JsonObject, one: Section, { item, part }: Place) {
  const { kind, parts } = one
  const node = named(root, one)?.node
  if (node === undefined) return null
  if (node.type === 'string') return { node, turn: null }
  const entry = items(node)[item]
  if (kind !== 'turns') return entry === undefined ? null : { node: entry, turn: null }
  const content = member(entry, parts)
  const block = part === null ? content : items(content)[part]
  return block === undefined || entry === undefined ? null : { node: block, turn: entry }
}

/**
 * Sets a cache marker at the end of a block, so that requests find an entry that ends there. Null where the wire format has no
 * markers, takes none at this position, or has its most already. Providers without markers need none to find a prefix.
 */
export function markBlock({ sections, markers }: Layout, text: string, place: Place, retention: string) {
  const one = sections[place.section]
  if (one === undefined) return null
  const body = readBody(text)
  const found = find(body.root, one, place)
  return found === null ? null : markers.markBlock(body, found, retention)
}

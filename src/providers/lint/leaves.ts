import { items, member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import { cardById, dialectOf } from '../registry.ts'
import type { Part } from '../../core/lint/prompt-view.ts'
import type { LintLayout } from '../dialect.ts'

/** A piece of a prefix for a comparison with another one: a value, or the names of an object's members in their order. */
export interface Leaf {
  /** JSON pointer into the body. */
  at: string
  part: Part
  text: string
  /** Of names: the same in alphabetical order. Null: a value. */
  sorted: string | null
}

/** Returns the pieces of a prefix in the order in which the provider renders them, without markers. */
export function leavesOf(provider: string, text: string): Leaf[] {
  const card = cardById(provider)
  if (card === undefined) return []
  const layout = dialectOf(card).lint
  const body = readJson(text)
  const leaves = new Leaves(layout, text)
  leaves.add(layout.tools.reduce<JsonNode | undefined>(member, body), `/${layout.tools.join('/')}`, 'tools')
  for (const key of layout.system) leaves.add(member(body, key), `/${key}`, 'system')
  for (const [index, turn] of items(member(body, layout.turns)).entries()) {
    const part = /^(?:system|developer)$/.test(stringMember(turn, 'role') ?? '') ? 'system' : 'turns'
    leaves.add(turn, `/${layout.turns}/${index}`, part)
  }
  return leaves.all
}

class Leaves {
  readonly all: Leaf[] = []
  readonly #marker: string | null
  readonly #source: string

  constructor({ marker }: LintLayout, source: string) {
    this.#marker = marker
    this.#source = source
  }

  add(node: JsonNode | undefined, at: string, part: Part): void {
    if (node === undefined) return
    if (node.type === 'array') {
      for (const [index, one] of node.items.entries()) this.add(one, `${at}/${index}`, part)
      return
    }
    if (node.type !== 'object') {
      this.all.push({
        at,
        part,
        text: node.type === 'string' ? node.value : this.#source.slice(node.start, node.end),
        sorted: null,
      })
      return
    }
    const members = node.members.filter(({ key }) => key !== this.#marker)
    if (members.length === 0 && node.members.length > 0) return
    // A part of text is the same as the text alone.
    const [text] = members.filter(({ key }) => key === 'text')
    const isText = members.every(({ key }) => key === 'text' || key === 'type')
    if (text !== undefined && isText) return this.add(text.value, `${at}/text`, part)
    const keys = members.map(({ key }) => key)
    this.all.push({ at, part, text: JSON.stringify(keys), sorted: JSON.stringify(keys.toSorted()) })
    for (const { key, value } of members)
      this.add(value, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, part)
  }
}

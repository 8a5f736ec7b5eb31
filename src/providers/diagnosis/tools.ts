import { textChange } from '../../core/diagnosis/text-change.ts'
import type { Change } from '../../core/diagnosis/evidence.ts'
import { firstDifference, MAX_EXCERPT } from '../../core/prompt/first-difference.ts'
import { canonical } from '../../core/prompt/json-canonical.ts'
import { items, member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import type { Block } from '../prefix/blocks.ts'
import { firstLeaf, sortedText } from './values.ts'

interface Tool {
  name: string
  path: string
  tokens: string
  value: unknown
  sorted: string
}

/** A change without its share of the prompt. */
export type Unplaced = Omit<Change, 'share'>

/** What differs between two lists of tools, in the order in which a reader of the prompt meets it. */
export function toolChanges(
  [before, text]: readonly [blocks: readonly Block[], text: string],
  [after, otherText]: readonly [blocks: readonly Block[], text: string],
  markers: readonly string[],
): Unplaced[] {
  const ours = before.flatMap((block) => toolsIn(block, text, markers))
  const theirs = after.flatMap((block) => toolsIn(block, otherText, markers))
  const index = ours.findIndex(({ tokens }, at) => tokens !== theirs[at]?.tokens)
  const at = index === -1 ? ours.length : index
  if (at === ours.length && theirs.length === ours.length) return []
  const [one, other] = [ours[at], theirs[at]]
  const path = one?.path ?? other?.path ?? before[0]?.path ?? 'tools'
  const told = (verdict: Unplaced['verdict'], confidence: number, names: readonly [string, string]): Unplaced => ({
    verdict,
    confidence,
    path,
    at: 0,
    before: short(names[0]),
    after: short(names[1]),
  })
  const [gone, added] = [missingIn(ours, theirs), missingIn(theirs, ours)]
  if (gone.length > 0 || added.length > 0) {
    return [told('tools_changed', 0.96, [gone.join(', '), added.join(', ')])]
  }
  const found: Unplaced[] = []
  if (namesOf(ours) !== namesOf(theirs)) {
    found.push(told('tool_order', 0.95, [one?.name ?? '', other?.name ?? '']))
  }
  const byName = new Map(theirs.map((tool) => [tool.name, tool]))
  const changed = ours.find(({ name, tokens }) => tokens !== byName.get(name)?.tokens)
  const mate = changed === undefined ? undefined : byName.get(changed.name)
  if (changed !== undefined && mate !== undefined) found.push(definitionChange(changed, mate))
  return found
}

/** How one tool's definition changed. */
function definitionChange(one: Tool, other: Tool): Unplaced {
  if (one.sorted === other.sorted) {
    const first = firstDifference(one.path, one.tokens, other.tokens)
    return {
      verdict: 'key_order',
      confidence: 0.95,
      path: one.path,
      at: first.at,
      before: first.registered,
      after: first.sent,
    }
  }
  const leaf = firstLeaf(one.value, other.value)
  const path = leaf === null || leaf.path === '' ? one.path : `${one.path}.${leaf.path}`
  if (leaf !== null && leaf.before !== null && leaf.after !== null && /description|title/i.test(leaf.path)) {
    // A clock or an id in a description is content, and no change of the tool.
    const { verdict, confidence, first } = textChange(path, leaf.before, leaf.after, 'tools')
    return { verdict, confidence, path, at: first.at, before: first.registered, after: first.sent }
  }
  return {
    verdict: 'tool_schema_changed',
    confidence: 0.95,
    path,
    at: 0,
    before: short(leaf?.before ?? ''),
    after: short(leaf?.after ?? ''),
  }
}

/** The tools of a block, each with its definition and its definition with members in alphabetical order. */
export function toolsIn({ node, path }: Block, text: string, markers: readonly string[]): Tool[] {
  const declared = declaredIn(node)
  if (declared !== undefined) {
    return items(member(node, declared)).map((one, index) =>
      toolOf(one, `${path}.${declared}[${index}]`, text, markers),
    )
  }
  return [toolOf(node, path, text, markers)]
}

/** The member of a block that holds several tools; undefined: it is one tool. */
export function declaredIn(node: JsonNode): string | undefined {
  return ['functionDeclarations', 'function_declarations'].find((key) => member(node, key) !== undefined)
}

function toolOf(node: JsonNode, path: string, text: string, markers: readonly string[]): Tool {
  const drop = new Set(node.type === 'object' ? node.members.filter(({ key }) => markers.includes(key)) : [])
  const tokens = canonical(text, node, { drop })
  const value: unknown = JSON.parse(tokens)
  const inner = ['function', 'toolSpec'].map((key) => member(node, key)).find((one) => one?.type === 'object') ?? node
  const name = stringMember(inner, 'name') ?? stringMember(inner, 'type') ?? tokens.slice(0, MAX_EXCERPT)
  return { name, path, tokens, value, sorted: sortedText(value) }
}

function namesOf(tools: readonly Tool[]): string {
  return JSON.stringify(tools.map(({ name }) => name))
}

/** Names that one list has and the other has not, or less often. */
function missingIn(tools: readonly Tool[], others: readonly Tool[]): string[] {
  const left = new Map<string, number>()
  for (const { name } of others) left.set(name, (left.get(name) ?? 0) + 1)
  return tools.flatMap(({ name }) => {
    const count = left.get(name) ?? 0
    left.set(name, count - 1)
    return count > 0 ? [] : [name]
  })
}

function short(text: string): string {
  return text.length <= MAX_EXCERPT ? text : `${text.slice(0, MAX_EXCERPT - 1)}…`
}

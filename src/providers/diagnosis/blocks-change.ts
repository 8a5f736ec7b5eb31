import { textChange } from '../../core/diagnosis/text-change.ts'
import type { Where } from '../../core/diagnosis/text-change.ts'
import { commonLength, firstDifference } from '../../core/prompt/first-difference.ts'
import { canonical } from '../../core/prompt/json-canonical.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import type { Block } from '../prefix/blocks.ts'
import { kindOf, textOf } from './kinds.ts'
import type { BlockKind } from './kinds.ts'
import type { Unplaced } from './tools.ts'
import { firstLeaf, isObject, sortedText } from './values.ts'

/** The blocks of one body behind its tools, and the text in which their nodes are places. */
export interface Sequence {
  text: string
  blocks: readonly Block[]
}

/** What differs at block `index` of both, where it is no other question. Null: nothing that was to be read differs there. */
export function changeAt(before: Sequence, after: Sequence, index: number, where: Where): Unplaced | null {
  const [one, other] = [before.blocks[index], after.blocks[index]]
  // The later request ends inside of the earlier one: what it has is the same.
  if (one === undefined || other === undefined) return null
  const told = (verdict: Verdict, confidence: number): Unplaced => {
    const [ours, theirs] = [shownOf(before.text, one), shownOf(after.text, other)]
    const first = firstDifference(one.path, ours, theirs)
    return { verdict, confidence, path: one.path, at: first.at, before: first.registered, after: first.sent }
  }
  if (isReordered(before, after, index)) return told('result_order', 0.94)
  const [kind, otherKind] = [kindIn(one), kindIn(other)]
  if ((kind === 'thinking') !== (otherKind === 'thinking')) return told('thinking_dropped', 0.94)
  const [ours, theirs] = [textOf(one.node), textOf(other.node)]
  if (ours !== null && theirs !== null && ours === theirs) return around(before, after, index, told)
  if (isCutOtherwise(before.blocks, after.blocks, index)) return told('block_shape', 0.92)
  if (kind === 'media' || otherKind === 'media') return told('media_changed', 0.94)
  if (kind === 'thinking') return told('thinking_dropped', 0.85)
  const odd = oddBlock(before.blocks, after.blocks, index)
  if (odd !== null) return told(odd.verdict(where), odd.confidence)
  if (ours !== null && theirs !== null) {
    const json = sameJson(ours, theirs)
    if (json) return told('key_order', 0.9)
    const changed = textChange(one.node.type === 'object' ? `${one.path}.text` : one.path, ours, theirs, where)
    const { verdict, confidence, first } = changed
    const isResult = kind === 'result' && verdict === 'text_changed'
    return {
      verdict: isResult ? 'history_rewritten' : verdict,
      confidence,
      path: first.path,
      at: first.at,
      before: first.registered,
      after: first.sent,
    }
  }
  const [value, otherValue] = [valueOf(before.text, one), valueOf(after.text, other)]
  const [whole, otherWhole] = [joinedParts(value), joinedParts(otherValue)]
  if (whole !== null && otherWhole !== null && plain(whole) === plain(otherWhole)) return told('block_shape', 0.85)
  if (sortedText(value) === sortedText(otherValue)) return told('key_order', 0.95)
  return (
    within(value, otherValue, one.path, where) ?? told(where === 'turns' ? 'history_rewritten' : 'text_changed', 0.85)
  )
}

/** The same text in another setting: another role, calls with other arguments, reasoning beside it. */
function around(
  before: Sequence,
  after: Sequence,
  index: number,
  told: (verdict: Verdict, confidence: number) => Unplaced,
): Unplaced {
  const [one, other] = [before.blocks[index], after.blocks[index]]
  const [ours, theirs] = [aroundOf(one), aroundOf(other)]
  if (ours === null || theirs === null) return told('block_shape', 0.85)
  if (sortedText(ours) === sortedText(theirs)) return told('key_order', 0.9)
  const leaf = firstLeaf(ours, theirs)
  if (leaf !== null && /reasoning|thinking/i.test(leaf.path)) return told('thinking_dropped', 0.93)
  if (leaf?.before != null && leaf.after !== null && sameJson(leaf.before, leaf.after)) return told('key_order', 0.9)
  if (leaf?.path === 'role') return told('block_shape', 0.8)
  return told('history_rewritten', 0.88)
}

/** A change inside of a value that is no text: a call, or a result with parts. */
function within(value: unknown, other: unknown, path: string, where: Where): Unplaced | null {
  const leaf = firstLeaf(value, other)
  if (leaf === null) return null
  const at = leaf.path === '' ? path : `${path}.${leaf.path}`
  const [one, two] = [JSON.stringify(value), JSON.stringify(other)]
  const first = firstDifference(at, leaf.before ?? '', leaf.after ?? '')
  const told = (verdict: Verdict, confidence: number): Unplaced => ({
    verdict,
    confidence,
    path: at,
    at: first.at,
    before: first.registered,
    after: first.sent,
  })
  if (HAS_MEDIA.test(one) !== HAS_MEDIA.test(two)) return told('media_changed', 0.92)
  if (leaf.before === null || leaf.after === null) {
    if (/reasoning|thinking/i.test(leaf.path)) return told('thinking_dropped', 0.92)
    return null
  }
  if (sameJson(leaf.before, leaf.after)) return told('key_order', 0.9)
  if (/(?:^|\.)(?:data|url|file_id|fileUri|image_url|bytes)$/.test(leaf.path)) return told('media_changed', 0.9)
  const { verdict, confidence } = textChange(at, leaf.before, leaf.after, where)
  return told(verdict, confidence)
}

const HAS_MEDIA = /"type":"(?:image|image_url|input_image|document|file|input_file)"|"(?:inlineData|fileData|image)":\{/

/** Two texts that are JSON, and equal but for the order of members, white space or escapes. */
function sameJson(one: string, other: string): boolean {
  if (!/^\s*[[{]/.test(one) || !/^\s*[[{]/.test(other)) return false
  try {
    return sortedText(JSON.parse(one)) === sortedText(JSON.parse(other))
  } catch {
    return false
  }
}

/** Results that stand in another order than before: the same blocks in one run. */
function isReordered(before: Sequence, after: Sequence, index: number): boolean {
  const [ours, theirs] = [runAt(before.blocks, index), runAt(after.blocks, index)]
  if (ours.length < 2 || ours.length !== theirs.length) return false
  return JSON.stringify(ours.toSorted()) === JSON.stringify(theirs.toSorted())
}

/** The results from a block on, until another kind of block follows. */
function runAt(blocks: readonly Block[], index: number): string[] {
  const found: string[] = []
  for (let at = index; at < blocks.length; at++) {
    const block = blocks[at]
    if (block === undefined || kindIn(block) !== 'result') break
    found.push(block.tokens)
  }
  return found
}

/** Whether the texts from a block on are the same when they are joined, but not cut at the same places. */
function isCutOtherwise(before: readonly Block[], after: readonly Block[], index: number): boolean {
  const [ours, theirs] = [joinedAt(before, index), joinedAt(after, index)]
  if (ours === null || theirs === null || (ours.blocks === 1 && theirs.blocks === 1)) return false
  const [short, long] = ours.text.length <= theirs.text.length ? [ours.text, theirs.text] : [theirs.text, ours.text]
  return short.length > 0 && ours.blocks !== theirs.blocks && plain(long) === plain(short)
}

function plain(text: string): string {
  return text.replaceAll(/\s+/g, '')
}

/** The text of a value whose parts are texts alone; null: it is another value. */
function joinedParts(value: unknown): string | null {
  const parts = isObject(value) ? value['parts'] : null
  if (!Array.isArray(parts)) return null
  const texts = parts.map((part: unknown) => (isObject(part) ? part['text'] : null))
  return texts.every((one) => typeof one === 'string') ? texts.join('') : null
}

function joinedAt(blocks: readonly Block[], index: number): { text: string; blocks: number } | null {
  const start = blocks[index]
  if (start === undefined) return null
  let [text, count] = ['', 0]
  for (let at = index; at < blocks.length; at++) {
    const block = blocks[at]
    const own = block === undefined ? null : textOf(block.node)
    if (block === undefined || own === null || block.place.section !== start.place.section) break
    // Parts of another turn are another text.
    if (block.place.part !== null && block.place.item !== start.place.item) break
    if (block.place.part === null && start.place.part !== null) break
    text += own
    count += 1
    if (block.place.part === null && /^messages|^input|^contents/.test(block.path)) break
  }
  return count === 0 ? null : { text, blocks: count }
}

interface Odd {
  verdict(where: Where): Verdict
  confidence: number
}

/** A block that one of the two has and the other has not, where the next ones are the same again. */
function oddBlock(before: readonly Block[], after: readonly Block[], index: number): Odd | null {
  const [one, other] = [before[index], after[index]]
  if (one === undefined || other === undefined) return null
  const near = (blocks: readonly Block[], tokens: string): boolean =>
    blocks.slice(index + 1, index + 1 + NEAR).some((block) => block.tokens === tokens)
  const isGone = near(before, other.tokens)
  const isNew = near(after, one.tokens)
  if (!isGone && !isNew) return null
  const block = isGone ? one : other
  const kind = kindIn(block)
  const text = textOf(block.node) ?? ''
  return {
    confidence: 0.88,
    verdict: (where) => {
      if (kind === 'thinking') return 'thinking_dropped'
      if (kind === 'media') return 'media_changed'
      if (where === 'turns') return 'history_rewritten'
      if (/x-anthropic-billing-header/.test(text)) return 'attribution_header'
      return /\b(?:memor(?:y|ies)|remembered|retrieved|search results)\b/i.test(text.slice(0, 200))
        ? 'memory_rewritten'
        : 'text_changed'
    },
  }
}

const NEAR = 40

export function kindIn({ node, tokens }: Block): BlockKind {
  return /^\w+ \{[^{}]*"role":"tool"/.test(tokens) ? 'result' : kindOf(node)
}

/** What stands around the content of a turn, as a value; null: the block has no turn around it. */
function aroundOf(block: Block | undefined): unknown {
  if (block === undefined) return null
  const text = block.tokens.slice(block.tokens.indexOf(' ') + 1)
  const end = text.lastIndexOf('}text "')
  if (end === -1) return null
  try {
    return JSON.parse(text.slice(0, end + 1))
  } catch {
    return null
  }
}

function valueOf(text: string, { node }: Block): unknown {
  return JSON.parse(canonical(text, node))
}

function shownOf(text: string, { node }: Block): string {
  return textOf(node) ?? canonical(text, node)
}

/** Whether two texts are forms of one text, and not two questions. */
export function isSameText(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length)
  if (shorter === 0) return false
  const begin = commonLength(one, other)
  let end = 0
  while (end < shorter - begin && one[one.length - 1 - end] === other[other.length - 1 - end]) end++
  return begin + end >= 0.3 * Math.max(one.length, other.length)
}

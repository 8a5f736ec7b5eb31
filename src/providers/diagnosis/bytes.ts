import type { ByteEvidence, Change } from '../../core/diagnosis/evidence.ts'
import type { Where } from '../../core/diagnosis/text-change.ts'
import { commonLength, firstDifference } from '../../core/prompt/first-difference.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { canonical } from '../../core/prompt/json-canonical.ts'
import { member, readJson } from '../../core/prompt/json-text.ts'
import type { Card } from '../card.ts'
import type { NativeRequest, Section } from '../dialect.ts'
import type { Block } from '../prefix/blocks.ts'
import { outlineOf } from '../prefix/outline.ts'
import type { Outline } from '../prefix/outline.ts'
import { outOfReach } from '../prefix/reach.ts'
import { dialectOf, entryModel } from '../registry.ts'
import { entriesOf, placementOf, routingChanges, whole } from './reading.ts'
import { changeAt, isSameText } from './blocks-change.ts'
import { textOf } from './kinds.ts'
import { settingVerdict } from './settings.ts'
import { toolChanges } from './tools.ts'
import type { Unplaced } from './tools.ts'

/** A body, and the headers of its request in lower case. */
export interface SentBody {
  request: NativeRequest
  headers: Readonly<Record<string, string>>
}

export const BETA = 'anthropic-beta'

/** Holds a later body against an earlier one, as their provider would. Throws as `outlineOf` does. */
export function compareBodies(
  card: Card,
  before: SentBody,
  after: SentBody,
  facts: (model: string) => ModelFacts,
): ByteEvidence {
  const ignored: string[] = []
  const [given, other] = [before, after].map(({ request }) => plain(card, request))
  if (given === undefined || other === undefined) throw new Error('two bodies are compared')
  if (given.text !== before.request.text && given.text === other.text) {
    ignored.push('A value differs that the provider leaves out of the comparison.')
  }
  const [ours, theirs] = [outlineOf(card, given, facts), outlineOf(card, other, facts)]
  const measure = new Measure(ours.blocks)
  const { sections, markers, lint } = dialectOf(card)
  const end = endOf(ours)
  const placed = (share: number, one: Unplaced): Change => ({ ...one, share })

  const changes: Change[] = []
  if (entryModel(card, ours.model) !== entryModel(card, theirs.model)) {
    changes.push(placed(0, whole('model_changed', 0.97, 'model', ours.model, theirs.model)))
  }
  const orders = [given, other].map(({ text }) => orderOf(sections, text))
  if (orders[0] !== orders[1]) {
    if (card.comparesMemberOrder === true) {
      changes.push(placed(0, whole('key_order', 0.88, '', orders[0] ?? '', orders[1] ?? '')))
    } else ignored.push('The members of the body stand in another order, which this provider does not compare.')
  }
  const betas = [before, after].map(({ headers }) => setOf(headers[BETA]))
  if (betas[0] !== betas[1] && (card.callerHeaders ?? [BETA]).includes(BETA)) {
    changes.push(placed(0, whole('beta_changed', 0.9, BETA, betas[0] ?? '', betas[1] ?? '')))
  }
  const names = new Set(sections.flatMap(({ names: spellings }) => spellings))
  const settings = settingChanges(ours, theirs, measure, ours.blocks[end]?.place.section ?? sections.length)
  changes.push(...settings.filter(({ path }) => !names.has(path.split(/[.[]/)[0] ?? '')))
  changes.push(...blockChanges(ours, theirs, sections, measure, end, markers.members))
  // The first in the order of the prompt decides. What is rendered in front of everything comes first.
  const ordered = changes.toSorted((a, b) => a.share - b.share)

  const sameModel = entryModel(card, ours.model) === entryModel(card, theirs.model)
  const same = sameModel ? commonHeads(ours, theirs) : 0
  const sharedShare =
    sameModel && ordered[0]?.share !== 0 ? measure.upTo(same) + partial(ours, theirs, same, measure) : 0
  const entries = entriesOf(ours)
  const readable = entries.filter((at) => at < same && outOfReach(theirs, at) === null)
  const deepest = readable.at(-1)
  return {
    changes: ordered,
    sharedShare,
    readableShare:
      ours.reads === undefined
        ? sharedShare
        : deepest === undefined || ordered[0]?.share === 0
          ? 0
          : measure.upTo(deepest + 1),
    entryShare: ours.reads === undefined ? 1 : entries.length === 0 ? 0 : measure.upTo((entries.at(-1) ?? 0) + 1),
    byMarkers: ours.reads !== undefined,
    placement: placementOf(ours, theirs, entries, same, lint.maxMarkers, ordered.length > 0, (at) =>
      outOfReach(theirs, at),
    ),
    routing: routingChanges(card, before.headers, after.headers, ours, theirs),
    ignored,
    promptTokens: measure.tokens,
    sharedTokens: Math.floor(measure.tokens * sharedShare),
  }
}

/** Tells of later bodies whether they begin with what an earlier one left to read. The earlier one is read once, whatever their number. */
export function extending(
  card: Card,
  before: SentBody,
  facts: (model: string) => ModelFacts,
): (later: SentBody) => boolean {
  const outline = (one: SentBody): Outline => outlineOf(card, plain(card, one.request), facts)
  const ours = outline(before)
  const measure = new Measure(ours.blocks)
  const entry = entriesOf(ours).at(-1)
  return (later) => {
    const theirs = outline(later)
    const same = entryModel(card, ours.model) === entryModel(card, theirs.model) ? commonHeads(ours, theirs) : 0
    return ours.reads !== undefined && entry !== undefined ? entry < same : measure.upTo(same) > 0.5
  }
}

/** Blocks that both begin with, and that the provider takes for the same. */
function commonHeads(ours: Outline, theirs: Outline): number {
  const index = ours.heads.findIndex((head, at) => head !== theirs.heads[at])
  return index === -1 ? ours.heads.length : index
}

/** A body without the values that its provider never compares. */
export function plain({ notCompared }: Card, request: NativeRequest): NativeRequest {
  if (notCompared === undefined) return request
  return { ...request, text: notCompared.reduce((text, pattern) => text.replaceAll(pattern, ''), request.text) }
}

/** Sizes of blocks, as shares of the whole. */
class Measure {
  readonly tokens: number
  readonly #ends: number[] = []
  readonly #bytes: number[]

  constructor(blocks: readonly Block[]) {
    this.#bytes = blocks.map(({ tokens }) => Buffer.byteLength(tokens))
    let sum = 0
    for (const bytes of this.#bytes) this.#ends.push((sum += bytes))
    this.tokens = Math.floor(sum / 4)
  }

  /** The share of the first `count` blocks. */
  upTo(count: number): number {
    const total = this.#ends.at(-1) ?? 0
    return count <= 0 || total === 0 ? 0 : (this.#ends[Math.min(count, this.#ends.length) - 1] ?? 0) / total
  }

  of(index: number): number {
    const total = this.#ends.at(-1) ?? 0
    return total === 0 ? 0 : (this.#bytes[index] ?? 0) / total
  }
}

/** The last block of the earlier body that a later one should read: its last entry, or all of it. */
function endOf({ blocks, reads }: Outline): number {
  if (reads === undefined) return blocks.length - 1
  const marked = blocks.findLastIndex(({ isMarked }) => isMarked)
  return reads.marksEnd || marked === -1 ? blocks.length - 1 : marked
}

function settingChanges(ours: Outline, theirs: Outline, measure: Measure, section: number): Change[] {
  const names = new Set([...ours.settings, ...theirs.settings].map(({ name }) => name))
  return [...names].flatMap((name): Change[] => {
    const [one, other] = [ours, theirs].map(({ settings }) => settings.find((setting) => setting.name === name))
    const [text, otherText] = [one?.text ?? '', other?.text ?? '']
    const from = one?.before ?? other?.before ?? 0
    if (text === otherText || from > section) return []
    const named = settingVerdict(name, text, otherText)
    const first = firstDifference(named?.path ?? name, text, otherText)
    const index = ours.blocks.findIndex(({ place }) => place.section >= from)
    return [
      {
        verdict: named?.verdict ?? 'text_changed',
        confidence: named === null ? 0.6 : 0.92,
        path: first.path,
        at: first.at,
        before: first.registered,
        after: first.sent,
        share: from === 0 ? 0 : measure.upTo(index),
      },
    ]
  })
}

function blockChanges(
  ours: Outline,
  theirs: Outline,
  sections: readonly Section[],
  measure: Measure,
  end: number,
  markers: readonly string[],
): Change[] {
  const found: Change[] = []
  const isTools = ({ place }: Block): boolean => sections[place.section]?.kind === 'list'
  const isBody = (block: Block): boolean => !isTools(block)
  for (const one of toolChanges(
    [ours.blocks.filter(isTools), ours.text],
    [theirs.blocks.filter(isTools), theirs.text],
    markers,
  )) {
    const at = ours.blocks.findIndex(({ path }) => one.path.startsWith(path))
    if (at <= end) found.push({ ...one, share: measure.upTo(Math.max(at, 0)) })
  }
  const [before, after] = [
    { text: ours.text, blocks: ours.blocks.filter(isBody) },
    { text: theirs.text, blocks: theirs.blocks.filter(isBody) },
  ]
  const index = before.blocks.findIndex((block, at) => !isSame(block, after.blocks[at]))
  const block = before.blocks[index]
  if (block === undefined) return found
  const at = ours.blocks.indexOf(block)
  if (at > end || isOtherQuestion(before.blocks, after.blocks, index)) return found
  const where: Where = sections[block.place.section]?.kind === 'turns' && !isSystem(block) ? 'turns' : 'system'
  const change = settingSection(ours, theirs, block, after.blocks[index]) ?? changeAt(before, after, index, where)
  if (change === null) return found
  return [...found, { ...change, share: measure.upTo(at) + inside(block, after.blocks[index], measure.of(at)) }]
}

/** A setting that its provider renders as a section of the prompt, such as the choice of tools. */
function settingSection(ours: Outline, theirs: Outline, one: Block, other: Block | undefined): Unplaced | null {
  if (one.node.type !== 'object' || member(one.node, 'parts') !== undefined) return null
  const [text, otherText] = [
    canonical(ours.text, one.node),
    other === undefined ? '' : canonical(theirs.text, other.node),
  ]
  const named = one.path.includes('[') ? null : settingVerdict(one.path, text, otherText)
  return named === null ? null : whole(named.verdict, 0.92, named.path, text, otherText)
}

function isSame(one: Block, other: Block | undefined): boolean {
  return other !== undefined && one.tokens === other.tokens && one.isFirst === other.isFirst
}

/** A message of the system among the turns. */
export function isSystem({ tokens }: Block): boolean {
  return /^\w+ \{[^{}]*"role":"(?:system|developer)"/.test(tokens)
}

/**
 * Whether two bodies merely ask something else behind what they share: the difference lies in the last turn of the earlier one, or the
 * conversations have nothing in common.
 */
function isOtherQuestion(before: readonly Block[], after: readonly Block[], index: number): boolean {
  const [one, other] = [before[index], after[index]]
  if (one === undefined || other === undefined || isSystem(one) || isSystem(other)) return false
  const last = before.at(-1)
  const isTurn = last !== undefined && one.place.section === last.place.section && !one.path.startsWith('system')
  if (!isTurn) return false
  const isLastTurn = one.place.item === last.place.item
  const grows = (after.at(-1)?.place.item ?? 0) > last.place.item
  if (isLastTurn && !grows) return true
  // Another conversation: nothing of the first one comes again.
  const begins = before.findIndex((block) => block.place.section === one.place.section && !isSystem(block))
  if (index !== begins) return false
  const [text, otherText] = [textOf(one.node), textOf(other.node)]
  if (text === null || otherText === null || isSameText(text, otherText)) return false
  if (/\b(?:summary|summari[sz]ed|compacted|truncated|omitted|condensed)\b/i.test(otherText.slice(0, 2_000)))
    return false
  const known = new Set(before.slice(index).map(({ tokens }) => tokens))
  return !after.slice(index).some(({ tokens }) => known.has(tokens))
}

/** The part of a block in front of its change, as a share of the whole. */
function inside(one: Block, other: Block | undefined, share: number): number {
  if (other === undefined || one.tokens.length === 0) return 0
  return (commonLength(one.tokens, other.tokens) / one.tokens.length) * share
}

/** Where entries end at tokens: the part of the first block that is not the same. */
function partial(ours: Outline, theirs: Outline, index: number, measure: Measure): number {
  const block = ours.blocks[index]
  if (ours.reads !== undefined || block === undefined) return 0
  return inside(block, theirs.blocks[index], measure.of(index))
}

/** The order in which a body names the sections of its prompt. */
export function orderOf(sections: readonly Section[], text: string): string {
  const root = readJson(text)
  if (root.type !== 'object') return ''
  const names = new Set(sections.map(({ names: spellings, outer }) => outer ?? spellings[0] ?? ''))
  return root.members
    .flatMap(({ key }) => (names.has(key) && member(root, key)?.type !== 'null' ? [key] : []))
    .join(', ')
}

/** The names of a header that lists some, in alphabetical order. */
export function setOf(header: string | undefined): string {
  const names = (header ?? '').split(',').map((name) => name.trim())
  return [...new Set(names.filter((name) => name !== ''))].toSorted().join(', ')
}

import { BY_TRAIT, TRAITS } from '../../core/diagnosis/text-traits.ts'
import type { ByteEvidence, Change } from '../../core/diagnosis/evidence.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'
import { outOfReachOf } from '../prefix/reach.ts'
import type { OutOfReach } from '../prefix/reach.ts'
import { entriesOf, placementOf } from './reading.ts'
import type { Sketch, SketchBlock, SketchTool } from './sketch.ts'

/** What two sketches show, as `compareBodies` tells it of bodies. Its differences have paths, and no values. */
export function compareSketches(before: Sketch, after: Sketch): ByteEvidence {
  const measure = new Measure(before.blocks)
  const end = endOf(before)
  const changes: Change[] = []
  const add = (verdict: Verdict, confidence: number, path: string, share: number): void => {
    changes.push({ verdict, confidence, path, at: 0, before: '', after: '', share })
  }
  const isSameModel = before.model === after.model
  if (!isSameModel) add('model_changed', 0.97, 'model', 0)
  if (before.order !== after.order) add('key_order', 0.88, '', 0)
  if (before.betas !== after.betas) add('beta_changed', 0.9, 'anthropic-beta', 0)
  const lastSection = before.blocks[end]?.section ?? before.sections.length
  const settings = changedSettings(before, after)
  for (const { path, verdict, section } of settings) {
    if (section > lastSection) continue
    const at = before.blocks.findIndex((block) => block.section >= section)
    add(verdict ?? 'text_changed', verdict === null ? 0.6 : 0.9, path, section === 0 ? 0 : measure.upTo(at))
  }
  const tools = toolChange(before.tools, after.tools)
  if (tools !== null) {
    const at = before.blocks.findIndex(({ path }) => tools.path.startsWith(path))
    if (at <= end) add(tools.verdict, tools.confidence, tools.path, measure.upTo(Math.max(at, 0)))
  }
  const block = blockChange(before, after, end)
  if (block !== null) add(block.verdict, block.confidence, block.path, measure.upTo(block.at))

  const ordered = changes.toSorted((a, b) => a.share - b.share)
  const same = isSameModel ? commonBlocks(before, after, settings) : 0
  const isWhole = ordered[0]?.share === 0
  const sharedShare = isSameModel && !isWhole ? measure.upTo(same) : 0
  const reach = (at: number): OutOfReach | null => outOfReachOf(after, at, runOf)
  const entries = entriesOf(before)
  const deepest = entries.findLast((at) => at < same && reach(at) === null)
  const byMarkers = before.reads !== undefined
  return {
    changes: ordered,
    sharedShare,
    readableShare: byMarkers ? (deepest === undefined || isWhole ? 0 : measure.upTo(deepest + 1)) : sharedShare,
    entryShare: byMarkers ? measure.upTo((entries.at(-1) ?? -1) + 1) : 1,
    byMarkers,
    placement: placementOf(before, after, entries, same, before.maxMarkers, ordered.length > 0, reach),
    routing: routingOf(before, after),
    ignored: [],
    promptTokens: measure.tokens,
    sharedTokens: Math.floor(measure.tokens * sharedShare),
  }
}

/** The share of the earlier body, by bytes and from 0 to 1, that comes again in the later one, as it was or in a changed form. */
export function likeness(before: Sketch, after: Sketch): number {
  const known = new Map(after.blocks.map((block) => [block.hash, block]))
  const byPath = new Map(after.blocks.map((block) => [block.path, block]))
  let [common, all] = [0, 0]
  for (const block of before.blocks) {
    all += block.bytes
    const mate = byPath.get(block.path)
    if (known.has(block.hash) || (mate !== undefined && isForm(block, mate))) common += block.bytes
  }
  return all === 0 ? 0 : common / all
}

/** Whether a later body begins with what an earlier one left to read, as its provider would take the two. */
export function extendsSketch(before: Sketch, after: Sketch): boolean {
  if (before.model !== after.model || before.order !== after.order || before.betas !== after.betas) return false
  const same = commonBlocks(before, after, changedSettings(before, after))
  const entry = before.reads === undefined ? undefined : entriesOf(before).at(-1)
  return entry === undefined ? new Measure(before.blocks).upTo(same) > 0.5 : entry < same
}

/**
 * Bytes of the conversation that a later body repeats, behind its first question and from a share of the earlier body on. Nobody else has them, so
 * that no other call can have written them.
 */
export function ownHistory(before: Sketch, after: Sketch, fromShare: number): { own: number; all: number } {
  const known = new Set(after.blocks.map(({ hash }) => hash))
  const measure = new Measure(before.blocks)
  const turns = before.blocks.findIndex(({ kind }) => kind !== 's' && kind !== 'd')
  const answered = before.blocks.findIndex(({ isFirst }, at) => turns >= 0 && at > turns && isFirst)
  let [own, all] = [0, 0]
  for (const [at, { bytes, hash }] of before.blocks.entries()) {
    all += bytes
    if (answered >= 0 && at >= answered && measure.upTo(at) >= fromShare && known.has(hash)) own += bytes
  }
  return { own, all }
}

/** Whether a later body begins its turns with the same one. */
export function isSameQuestion(before: Sketch, after: Sketch): boolean {
  const [one, other] = [before, after].map(({ blocks }) => blocks.find(({ kind }) => kind !== 's' && kind !== 'd'))
  return one !== undefined && one.hash === other?.hash
}

function isForm(one: SketchBlock, other: SketchBlock): boolean {
  if (one.kind !== other.kind || one.traits === '' || other.traits === '') return false
  return TRAITS.some(
    (_, at) => traitAt(one.traits, at) !== null && traitAt(one.traits, at) === traitAt(other.traits, at),
  )
}

function traitAt(traits: string, at: number): string | null {
  const own = traits.slice(at * 5, at * 5 + 5)
  return own === '' || own === '-----' ? null : own
}

/** What the forms of two texts say of their difference; null: nothing. */
function byTraits(one: string, other: string): { verdict: Verdict; confidence: number } | null {
  return (
    BY_TRAIT.find(({ trait }) => {
      const own = traitAt(one, TRAITS.indexOf(trait))
      return own !== null && own === traitAt(other, TRAITS.indexOf(trait))
    }) ?? null
  )
}

function runOf({ kind }: Pick<SketchBlock, 'kind'>): string | null {
  return kind === 'u' ? 'use' : kind === 'r' ? 'result' : null
}

/** The last block of the earlier body that a later one should read: its last entry, or all of it. */
function endOf({ blocks, reads }: Sketch): number {
  const marked = blocks.findLastIndex(({ isMarked }) => isMarked)
  return reads === undefined || reads.marksEnd || marked === -1 ? blocks.length - 1 : marked
}

interface ChangedSetting {
  path: string
  verdict: Verdict | null
  section: number
}

function changedSettings({ settings }: Sketch, { settings: others }: Sketch): ChangedSetting[] {
  return [...new Set([...settings, ...others].map(({ path }) => path))].flatMap((path): ChangedSetting[] => {
    const [one, other] = [settings, others].map((all) => all.find((setting) => setting.path === path))
    if (one?.hash === other?.hash) return []
    return [{ path, verdict: one?.verdict ?? other?.verdict ?? null, section: one?.before ?? other?.before ?? 0 }]
  })
}

/** Blocks that both begin with, as their provider takes them. */
function commonBlocks(before: Sketch, after: Sketch, settings: readonly ChangedSetting[]): number {
  const from = Math.min(...settings.map(({ section }) => section))
  const at = before.blocks.findIndex((block, index) => block.section >= from || !isSame(block, after.blocks[index]))
  return at === -1 ? before.blocks.length : at
}

function isSame(one: SketchBlock, other: SketchBlock | undefined): boolean {
  return other !== undefined && one.hash === other.hash && one.isFirst === other.isFirst
}

type Found = { verdict: Verdict; confidence: number; path: string }

function toolChange(ours: readonly SketchTool[], theirs: readonly SketchTool[]): Found | null {
  const at = ours.findIndex(({ hash }, index) => hash !== theirs[index]?.hash)
  if (at === -1 && ours.length === theirs.length) return null
  const path = ours[at === -1 ? ours.length : at]?.path ?? theirs[ours.length]?.path ?? ours.at(-1)?.path ?? 'tools'
  const names = (tools: readonly SketchTool[]): string => JSON.stringify(tools.map(({ name }) => name).toSorted())
  if (names(ours) !== names(theirs)) return { verdict: 'tools_changed', confidence: 0.95, path }
  const changed = ours.find(({ name, hash }) => !theirs.some((tool) => tool.name === name && tool.hash === hash))
  // Sorted alike, so that only their order differs.
  if (changed === undefined) return { verdict: 'tool_order', confidence: 0.95, path }
  const mate = theirs.find(({ name }) => name === changed.name)
  if (mate?.sorted === changed.sorted) return { verdict: 'key_order', confidence: 0.94, path: changed.path }
  const content = mate === undefined ? null : byTraits(changed.traits, mate.traits)
  return { verdict: 'tool_schema_changed', confidence: 0.9, ...content, path: changed.path }
}

function blockChange(before: Sketch, after: Sketch, end: number): (Found & { at: number }) | null {
  const isBody = ({ kind }: SketchBlock): boolean => kind !== 'd'
  const [ours, theirs] = [before.blocks.filter(isBody), after.blocks.filter(isBody)]
  const index = ours.findIndex((block, at) => !isSame(block, theirs[at]))
  const [one, other] = [ours[index], theirs[index]]
  // The later request ends inside of the earlier one: what it has is the same.
  if (one === undefined || other === undefined) return null
  const at = before.blocks.indexOf(one)
  if (at > end || isOtherQuestion(before, ours, theirs, index)) return null
  const found = namedChange(ours, theirs, index, before.system !== null && before.system === after.system)
  return { ...found, path: one.path, at }
}

function namedChange(
  ours: readonly SketchBlock[],
  theirs: readonly SketchBlock[],
  index: number,
  isSameSystem: boolean,
): { verdict: Verdict; confidence: number } {
  const [one, other] = [ours[index], theirs[index]]
  if (one === undefined || other === undefined) return { verdict: 'text_changed', confidence: 0.5 }
  const [runs, otherRuns] = [resultsFrom(ours, index), resultsFrom(theirs, index)]
  if (runs.length > 1 && JSON.stringify(runs) === JSON.stringify(otherRuns))
    return { verdict: 'result_order', confidence: 0.94 }
  const isSystem = one.kind === 's'
  if (isSystem && isSameSystem) return { verdict: 'block_shape', confidence: 0.92 }
  if ((one.kind === 'h') !== (other.kind === 'h')) return { verdict: 'thinking_dropped', confidence: 0.93 }
  if (one.kind === 'm' || other.kind === 'm') return { verdict: 'media_changed', confidence: 0.92 }
  if (one.kind === 'h') return { verdict: 'thinking_dropped', confidence: 0.8 }
  const isNear = (blocks: readonly SketchBlock[], hash: string): boolean =>
    blocks.slice(index + 1, index + 1 + NEAR).some((block) => block.hash === hash)
  if (isNear(ours, other.hash) || isNear(theirs, one.hash)) {
    const odd = isNear(ours, other.hash) ? one : other
    const hasMemory = isSystem && traitAt(odd.traits, TRAITS.indexOf('memory')) !== null
    return {
      verdict: isSystem ? (hasMemory ? 'memory_rewritten' : 'text_changed') : 'history_rewritten',
      confidence: 0.82,
    }
  }
  if (one.kind === 'u' || one.kind === 'c') {
    const isSorted = one.traits !== '' && one.traits === other.traits
    return isSorted ? { verdict: 'key_order', confidence: 0.9 } : { verdict: 'history_rewritten', confidence: 0.85 }
  }
  return (
    byTraits(one.traits, other.traits) ??
    (isSystem ? { verdict: 'text_changed', confidence: 0.82 } : { verdict: 'history_rewritten', confidence: 0.85 })
  )
}

const NEAR = 40

/** The results from a block on, in alphabetical order of their hashes. */
function resultsFrom(blocks: readonly SketchBlock[], index: number): string[] {
  const rest = blocks.slice(index)
  const end = rest.findIndex(({ kind }) => kind !== 'r' && kind !== 'q')
  return rest
    .slice(0, end === -1 ? rest.length : end)
    .map(({ hash }) => hash)
    .toSorted()
}

/** Whether two bodies merely ask something else behind what they share. */
function isOtherQuestion(
  { sections }: Sketch,
  ours: readonly SketchBlock[],
  theirs: readonly SketchBlock[],
  index: number,
): boolean {
  const [one, other, last] = [ours[index], theirs[index], ours.at(-1)]
  if (one === undefined || other === undefined || last === undefined) return false
  if (one.kind === 's' || other.kind === 's' || sections[one.section] !== 't') return false
  const isLastTurn = !ours.slice(index + 1).some(({ isFirst }) => isFirst)
  const turns = (blocks: readonly SketchBlock[]): number => blocks.filter(({ isFirst }) => isFirst).length
  if (isLastTurn && turns(theirs) <= turns(ours)) return true
  // Another conversation: nothing of the first one comes again.
  const begins = ours.findIndex(({ kind, section }) => sections[section] === 't' && kind !== 's')
  if (index !== begins) return false
  const known = new Set(ours.slice(index).map(({ hash }) => hash))
  const isText = byTraits(one.traits, other.traits) !== null
  return !isText && !theirs.slice(index).some(({ hash }) => known.has(hash))
}

/** What chooses the machine or the cache, where it differs. */
function routingOf(before: Sketch, after: Sketch): Change[] {
  const found: Change[] = []
  const compare = (path: string, one: string | null, other: string | null, confidence: number): void => {
    if (one === other) return
    const verdict = one === null || other === null ? 'cache_key_missing' : 'cache_key_changed'
    found.push({ verdict, confidence, path, at: 0, before: '', after: '', share: 0 })
  }
  compare('cache.key', before.cacheKey, after.cacheKey, 0.88)
  compare('headers', before.affinity, after.affinity, 0.8)
  if (before.routing !== after.routing)
    found.push({
      verdict: 'provider_flipped',
      confidence: 0.75,
      path: 'provider',
      at: 0,
      before: '',
      after: '',
      share: 0,
    })
  return found
}

/** Sizes of blocks, as shares of the whole. */
class Measure {
  readonly tokens: number
  readonly #ends: number[] = [0]

  constructor(blocks: readonly SketchBlock[]) {
    let sum = 0
    for (const { bytes } of blocks) this.#ends.push((sum += bytes))
    this.tokens = Math.floor(sum / 4)
  }

  /** The share of the first `count` blocks. */
  upTo(count: number): number {
    const total = this.#ends.at(-1) ?? 0
    return total === 0 ? 0 : (this.#ends[Math.max(0, Math.min(count, this.#ends.length - 1))] ?? 0) / total
  }
}

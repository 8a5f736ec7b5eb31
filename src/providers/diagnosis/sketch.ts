import { formsOf } from '../../core/diagnosis/text-traits.ts'
import { canonical } from '../../core/prompt/json-canonical.ts'
import type { Card } from '../card.ts'
import type { MarkerReads } from '../compared.ts'
import type { Block } from '../prefix/blocks.ts'
import { shortHash } from '../prefix/outline.ts'
import type { Outline } from '../prefix/outline.ts'
import { runOf } from '../prefix/reach.ts'
import { dialectOf, entryModel, wireOf } from '../registry.ts'
import { kindIn } from './blocks-change.ts'
import { BETA, isSystem, orderOf, setOf } from './bytes.ts'
import { textOf } from './kinds.ts'
import { partsOf, verdictAt } from './settings.ts'
import { sortedText } from './values.ts'
import { declaredIn, toolsIn } from './tools.ts'
import type { Verdict } from '../../core/diagnosis/verdicts.ts'

/** What is remembered of a body, to find later why another one missed: hashes under a key of its account, lengths, and paths of the wire format. */
export interface Sketch {
  model: string
  /** Order of the members of the body; null: its provider does not compare it. */
  order: string | null
  betas: string | null
  cacheKey: string | null
  /** The header by which its provider keeps a conversation on one machine. */
  affinity: string | null
  routing: string | null
  settings: readonly SketchSetting[]
  /** Absent: a request needs no marker to read. */
  reads?: MarkerReads
  maxMarkers: number | null
  /** The kind of each section, by its first letter: list, blocks, value, turns. */
  sections: string
  blocks: readonly SketchBlock[]
  tools: readonly SketchTool[]
  /** The texts of the system prompt as one, without white space; null: there is none. */
  system: string | null
}

export interface SketchSetting {
  path: string
  verdict: Verdict | null
  /** It belongs to each prefix that ends in this section or behind it. */
  before: number
  hash: string
}

/** `s`: text of the system, `t`: other text, `d`: a tool, `m`: media, `h`: thinking, `u` and `c`: calls, `r` and `q`: results, `o`: anything else. */
export type SketchKind = 's' | 't' | 'd' | 'm' | 'h' | 'u' | 'c' | 'r' | 'q' | 'o'

export interface SketchBlock {
  section: number
  isFirst: boolean
  isMarked: boolean
  kind: SketchKind
  bytes: number
  hash: string
  path: string
  /** Hashes of the forms of its text (`TRAITS`), five characters each, a blank form as dashes; of a call, of its sorted form. Empty: none. */
  traits: string
}

export interface SketchTool {
  path: string
  name: string
  hash: string
  sorted: string
  traits: string
}

/** Most blocks of a body that is remembered. A longer one is not. */
export const MOST_BLOCKS = 800
/** Texts of the turns whose forms are remembered: the first. */
const TURNS_WITH_TRAITS = 6
/** Longest text whose forms are remembered. */
const MOST_TRAIT_CHARS = 65_536

/** How a sketch is made. `once` remembers what was made of a block that comes again and again. */
export interface SketchOptions {
  salt: string
  headers: Readonly<Record<string, string>>
  once: (key: string, make: () => string) => string
}

/** The sketch of a body; null: it is too long. */
export function sketchOf(card: Card, outline: Outline, { salt, headers, once }: SketchOptions): Sketch | null {
  const { blocks, settings, reads, cacheKey, routing, text, model } = outline
  if (blocks.length === 0 || blocks.length > MOST_BLOCKS) return null
  const { sections, markers, lint } = dialectOf(card)
  const hash = (value: string, length = 7): string => shortHash(salt, value).slice(0, length)
  const hashOrNull = (value: string): string | null => (value === '' ? null : hash(value))
  const plain = (tokens: string): string =>
    (card.notCompared ?? []).reduce((left, pattern) => left.replaceAll(pattern, ''), tokens)
  const isSaid = (card.callerHeaders ?? [BETA]).includes(BETA)
  const { keyHeader } = wireOf(card)
  const affinity = keyHeader === null ? '' : (headers[keyHeader.toLowerCase()] ?? '')
  let turns = 0
  const made = blocks.map((block): SketchBlock => {
    const tokens = plain(block.tokens)
    const own = hash(tokens)
    const sectionKind = sections[block.place.section]?.kind
    const kind = kindOfSketch(block, sectionKind)
    const isText = kind === 's' || (kind === 't' && turns++ < TURNS_WITH_TRAITS)
    const traits = (): string => {
      if (isText && tokens.length <= MOST_TRAIT_CHARS) return traitsOf(plain(textOf(block.node) ?? ''), hash)
      return kind === 'u' || kind === 'c' ? hash(sortedText(JSON.parse(canonical(text, block.node))), 5) : ''
    }
    return {
      section: block.place.section,
      isFirst: block.isFirst,
      isMarked: block.isMarked,
      kind,
      bytes: Buffer.byteLength(tokens),
      hash: own,
      path: block.path,
      traits: isText || kind === 'u' || kind === 'c' ? once(`${salt} ${kind} ${own}`, traits) : '',
    }
  })
  const systemText = blocks
    .filter((_, at) => made[at]?.kind === 's')
    .map(({ node }) => plain(textOf(node) ?? ''))
    .join('')
  return {
    model: entryModel(card, model),
    order: card.comparesMemberOrder === true ? hash(orderOf(sections, text)) : null,
    betas: isSaid ? hashOrNull(setOf(headers[BETA])) : null,
    cacheKey: cacheKey === null ? null : hash(cacheKey),
    affinity: hashOrNull(affinity),
    routing: hashOrNull(routing ?? ''),
    settings: settings.flatMap(({ name, text: value, before }) =>
      partsOf(name, value).map((part) => ({
        path: part.path,
        verdict: verdictAt(part.path),
        before,
        hash: hash(part.text),
      })),
    ),
    ...(reads === undefined ? {} : { reads }),
    maxMarkers: lint.maxMarkers,
    sections: sections.map(({ kind }) => kind[0] ?? '').join(''),
    blocks: made,
    tools: blocks.flatMap((block, at) =>
      made[at]?.kind === 'd' ? sketchTools(block, text, markers.members, hash, once, `${salt} ${made[at].hash}`) : [],
    ),
    system: hashOrNull(systemText.replaceAll(/\s+/g, '')),
  }
}

function kindOfSketch(block: Block, section: string | undefined): SketchKind {
  if (section === 'list') return 'd'
  const kind = kindIn(block)
  const run = runOf(block.node)
  if (kind === 'result') return run === 'result' ? 'r' : 'q'
  if (kind === 'call') return run === 'use' ? 'u' : 'c'
  if (kind === 'media') return 'm'
  if (kind === 'thinking') return 'h'
  if (kind === 'text') return section !== 'turns' || isSystem(block) ? 's' : 't'
  return section !== 'turns' ? 's' : 'o'
}

function sketchTools(
  block: Block,
  text: string,
  markers: readonly string[],
  hash: (value: string, length?: number) => string,
  once: SketchOptions['once'],
  key: string,
): SketchTool[] {
  const made = once(`tools ${key}`, () =>
    toolsIn(block, text, markers)
      .map(({ name, tokens, sorted }) => [hash(name, 5), hash(tokens), hash(sorted), traitsOf(tokens, hash)].join(','))
      .join(' '),
  )
  const all = made === '' ? [] : made.split(' ')
  const declared = declaredIn(block.node)
  return all.map((one, at) => {
    const [name = '', own = '', sorted = '', traits = ''] = one.split(',')
    return {
      path: declared === undefined ? block.path : `${block.path}.${declared}[${at}]`,
      name,
      hash: own,
      sorted,
      traits,
    }
  })
}

function traitsOf(text: string, hash: (value: string, length: number) => string): string {
  return formsOf(text)
    .map((form) => (form === null ? '-----' : hash(form, 5)))
    .join('')
}

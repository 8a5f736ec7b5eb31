import { createHash } from 'node:crypto'
import type { ModelFacts } from '../../core/model/facts.ts'
import { piecesOf, sampleOf } from '../../core/prompt/resemblance.ts'
import type { Pieces } from '../../core/prompt/resemblance.ts'
import { withoutCredentials } from '../dialects/shared/credentials.ts'
import { settingsUpTo } from '../dialects/shared/settings.ts'
import { joinStreams } from '../dialects/shared/body.ts'
import { dialectOf } from '../registry.ts'
import type { Card } from '../card.ts'
import type { MarkerReads, Setting } from '../compared.ts'
import type { NativeRequest } from '../dialect.ts'
import { blocksOf } from './blocks.ts'
import type { Block } from './blocks.ts'

/** A body as a chain of blocks: each end of a block is the end of a prefix that the body begins with. */
export interface Outline {
  /** The body without credentials, in the spelling of its dialect. The nodes of its blocks are places in it. */
  text: string
  model: string
  cacheKey: string | null
  settings: readonly Setting[]
  blocks: readonly Block[]
  /**
   * For each block, a hash of everything that decides about an entry that ends there, but for provider, model, key and credential. Two
   * bodies with the same hash begin with the same prefix.
   */
  heads: readonly string[]
  /** One of `heads`, by the place of its block. Who needs a few of a long body asks for those alone. */
  headAt: (index: number) => string | undefined
  /** See `Compared`. */
  routing?: string
  retention?: string
  reads?: MarkerReads
}

/** Characters of a hash: 128 bits. */
const HASH_LENGTH = 22

/** The outline of a whole body, or of a stored prefix. Throws as `Dialect.compared` does. */
export function outlineOf(
  card: Pick<Card, 'dialect' | 'wire'>,
  request: NativeRequest,
  facts: (model: string) => ModelFacts,
): Outline {
  const dialect = dialectOf(card)
  const { text: given } = withoutCredentials(request.text)
  const text = dialect.spelled?.(given) ?? given
  const { model, cacheKey, settings, routing, retention, reads } = dialect.compared({ ...request, text }, facts)
  const blocks = blocksOf(dialect, text)
  const compared = dialect.sections.map((_, section) => joinStreams(settingsUpTo(settings, section)))
  let chain = ''
  const chains = blocks.map(({ tokens, isFirst }) => (chain = shortHash(chain, isFirst ? 'item' : 'part', tokens)))
  const known: string[] = []
  let all: readonly string[] | null = null
  const headAt = (index: number): string | undefined => {
    const at = chains[index]
    if (at === undefined) return undefined
    return (known[index] ??= shortHash(compared[blocks[index]?.place.section ?? 0] ?? '', at))
  }
  return {
    text,
    model,
    cacheKey,
    settings,
    blocks,
    get heads() {
      return (all ??= chains.map((_, index) => headAt(index) ?? ''))
    },
    headAt,
    ...(routing === undefined ? {} : { routing }),
    ...(retention === undefined ? {} : { retention }),
    ...(reads === undefined ? {} : { reads }),
  }
}

/** Where texts become bytes. Fresh memory for each text costs several times the hash of it. */
const bytes = new Uint8Array(32 * 1024)
const encoder = new TextEncoder()
/** Bytes from which a part is hashed, so that a length and a character have room behind it. */
const FULL = bytes.length - 64

/** A hash of texts. The length of each precedes it, so that two different lists never give the same input. */
export function shortHash(...texts: readonly string[]): string {
  const hash = createHash('sha256')
  let filled = 0
  for (const text of texts) {
    const length = `${text.length};`
    for (let at = 0; at < length.length; at++) bytes[filled++] = length.charCodeAt(at)
    let left = text
    for (;;) {
      const { read, written } = encoder.encodeInto(left, bytes.subarray(filled))
      filled += written
      if (read === left.length && filled < FULL) break
      hash.update(bytes.subarray(0, filled))
      filled = 0
      if (read === left.length) break
      left = left.slice(read)
    }
  }
  if (filled > 0) hash.update(bytes.subarray(0, filled))
  return hash.digest('base64url').slice(0, HASH_LENGTH)
}

/** The sentences of a body. */
export function piecesIn({ blocks }: Pick<Outline, 'blocks'>): Pieces {
  return piecesOf(blocks.map(({ tokens }) => tokens))
}

/** Sentences by which a prefix is found again after a change. */
const SAMPLE = 6

/** A sample of the sentences of a registered prefix. */
export function sampleOfPrefix(outline: Pick<Outline, 'blocks'>): number[] {
  return sampleOf(piecesIn(outline), SAMPLE)
}

/** Sentences of a request that are looked up: those of its fixed beginning, and of all of it, which may be much longer than a prefix. */
const LOOKED_UP = { beginning: 12, whole: 48 }

/** A sample that contains those of the prefixes that the request resembles, and more. */
export function sampleOfRequest({ blocks }: Pick<Outline, 'blocks'>): number[] {
  const turns = Math.max(...blocks.map(({ place }) => place.section))
  const beginning = { blocks: blocks.filter(({ place }, index) => place.section < turns || index === 0) }
  return [
    ...new Set([
      ...sampleOf(piecesIn(beginning), LOOKED_UP.beginning),
      ...sampleOf(piecesIn({ blocks }), LOOKED_UP.whole),
    ]),
  ]
}

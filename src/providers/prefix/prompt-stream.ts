import { dialectOf } from '../registry.ts'
import type { Card } from '../card.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import type { PreparedPrefix } from '../dialect.ts'
import { blocksOf } from './blocks.ts'
import type { Block } from './blocks.ts'

/** A prompt as one text, in the order in which it is compared: each block, and the settings in front of the section that they belong to. */
export interface PromptStream {
  text: string
  pieces: readonly Piece[]
}

interface Piece {
  /** Where it stands in the text, in UTF-16 units. */
  start: number
  end: number
  /** Null: a setting, which is no text of the prompt. */
  block: Block | null
}

const SEPARATOR = '\u0001'

export function streamOf(
  card: Pick<Card, 'dialect' | 'wire'>,
  { text: body, model }: Pick<PreparedPrefix, 'text' | 'model'>,
  facts: ModelFacts,
): PromptStream {
  const dialect = dialectOf(card)
  const { settings } = dialect.compared({ text: body, model }, () => facts)
  const blocks = blocksOf(dialect, body)
  let text = ''
  const pieces: Piece[] = []
  const add = (said: string, block: Block | null): void => {
    pieces.push({ start: text.length, end: text.length + said.length, block })
    text += said + SEPARATOR
  }
  for (const section of dialect.sections.keys()) {
    for (const one of settings) if (one.before === section) add(`${one.name}=${one.text}`, null)
    for (const block of blocks) if (block.place.section === section) add(block.tokens, block)
  }
  return { text, pieces }
}

/** Estimated tokens of the blocks in the first `length` units: bytes ÷ 4. */
export function tokensWithin({ text, pieces }: PromptStream, length: number): number {
  let bytes = 0
  for (const { start, end, block } of pieces) {
    if (block !== null && start < length) bytes += Buffer.byteLength(text.slice(start, Math.min(end, length)))
  }
  return Math.floor(bytes / 4)
}

/** The block in which the first `length` units end; undefined: they end behind the last block, or in a setting. */
export function blockAt({ pieces }: PromptStream, length: number): Block | undefined {
  return pieces.find(({ start, end }) => start <= length && length < end)?.block ?? undefined
}

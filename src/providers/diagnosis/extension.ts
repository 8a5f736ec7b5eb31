import type { Difference } from '../../core/diagnosis/evidence.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { firstDifference } from '../../core/prompt/first-difference.ts'
import type { Card } from '../card.ts'
import { outlineOf } from '../prefix/outline.ts'
import { plain } from './bytes.ts'
import type { SentBody } from './bytes.ts'

/** The first block of an earlier body with which a later one does not begin; null: the later one goes on behind all of it. */
export function unextended(
  card: Card,
  before: SentBody,
  after: SentBody,
  facts: (model: string) => ModelFacts,
): Difference | null {
  const [ours, theirs] = [before, after].map(({ request }) => outlineOf(card, plain(card, request), facts))
  if (ours === undefined || theirs === undefined) throw new Error('two bodies are compared')
  const at = ours.heads.findIndex((head, index) => head !== theirs.heads[index])
  const block = ours.blocks[at]
  if (block === undefined) return null
  const shown = firstDifference(block.path, block.tokens, theirs.blocks[at]?.tokens ?? '')
  return { path: shown.path, at: 0, before: shown.registered, after: shown.sent }
}

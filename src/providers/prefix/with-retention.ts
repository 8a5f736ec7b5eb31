import { edit } from '../../core/prompt/json-edit.ts'
import { readBody } from '../dialects/shared/body.ts'
import { dialectOf } from '../registry.ts'
import type { Card } from '../card.ts'
import type { Breakpoint } from '../../core/model/advice.ts'

/**
 * A stored body with its cache markers at another retention, and where the prefix then ends. Markers are controls, so it is the same
 * prefix. A body without markers, or in a format where they say no lifetime, is as it was.
 */
export function withRetention(
  card: Pick<Card, 'dialect' | 'wire'>,
  { text, breakpoint }: { text: string; breakpoint: Breakpoint },
  retention: string,
): { text: string; breakpoint: Breakpoint } {
  const edits = dialectOf(card).markers.atRetention(readBody(text), retention)
  const bytes = (piece: string): number => new TextEncoder().encode(piece).length
  const moved = edits
    .filter(({ start }) => bytes(text.slice(0, start)) < breakpoint.byte)
    .reduce((sum, { start, end, replacement }) => sum + bytes(replacement) - bytes(text.slice(start, end)), 0)
  return { text: edit(text, edits), breakpoint: { ...breakpoint, byte: breakpoint.byte + moved } }
}

import type { Breakpoint } from '../../core/model/advice.ts'
import { edit } from '../../core/prompt/json-edit.ts'
import { readBody } from '../dialects/shared/body.ts'
import { dialectOf } from '../registry.ts'
import type { Card } from '../card.ts'

/**
 * A stored body as real requests should begin to write and find the entry of its probes: with a marker at the end of the prefix, and all
 * markers at `retention`. Null where the body has that already, and in wire formats whose markers state no lifetime.
 */
export function withMarkers(card: Pick<Card, 'dialect' | 'wire'>, text: string, retention: string): string | null {
  const edits = dialectOf(card).markers.markEnd(readBody(text), retention)
  return edits.length === 0 ? null : edit(text, edits)
}

/**
 * Sets the cache markers of a stored body to another retention, and moves the end of the prefix accordingly. Markers are controls: it
 * stays the same prefix. A body without markers stays as it is, as in formats whose markers state no lifetime.
 */
export function withRetention(
  card: Pick<Card, 'dialect' | 'wire'>,
  { text, breakpoint }: { text: string; breakpoint: Breakpoint },
  retention: string,
): { text: string; breakpoint: Breakpoint } {
  const edits = dialectOf(card).markers.setRetention(readBody(text), retention)
  const bytes = (piece: string): number => new TextEncoder().encode(piece).length
  const moved = edits
    .filter(({ start }) => bytes(text.slice(0, start)) < breakpoint.byte)
    .reduce((sum, { start, end, replacement }) => sum + bytes(replacement) - bytes(text.slice(start, end)), 0)
  return { text: edit(text, edits), breakpoint: { ...breakpoint, byte: breakpoint.byte + moved } }
}

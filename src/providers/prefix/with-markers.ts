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

import { edit } from '../../core/prompt/json-edit.ts'
import { readBody } from '../dialects/shared/body.ts'
import { markers, retentionEdits } from '../dialects/anthropic-messages/markers.ts'
import { pointEdits, points } from '../dialects/bedrock-converse/cache-points.ts'
import type { Card } from '../card.ts'
import type { Breakpoint } from '../../core/model/advice.ts'

/**
 * A stored body with its cache markers at another retention, and where the prefix then ends. Markers are controls, so it is the same
 * prefix. A body without markers, or in a format where they say no lifetime, is as it was.
 */
export function withRetention(
  { dialect }: Pick<Card, 'dialect'>,
  { text, breakpoint }: { text: string; breakpoint: Breakpoint },
  retention: string,
): { text: string; breakpoint: Breakpoint } {
  if (dialect !== 'anthropic-messages' && dialect !== 'bedrock-converse') return { text, breakpoint }
  const { root } = readBody(text)
  const edits =
    dialect === 'bedrock-converse'
      ? points(root).flatMap((point) => pointEdits(point, retention))
      : markers(root).flatMap(({ value }) => retentionEdits(value, retention))
  const bytes = (piece: string): number => new TextEncoder().encode(piece).length
  const moved = edits
    .filter(({ start }) => bytes(text.slice(0, start)) < breakpoint.byte)
    .reduce((sum, { start, end, replacement }) => sum + bytes(replacement) - bytes(text.slice(start, end)), 0)
  return { text: edit(text, edits), breakpoint: { ...breakpoint, byte: breakpoint.byte + moved } }
}

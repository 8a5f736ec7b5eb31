import { arrayEdits, edit, objectEdits } from '../core/json-edit.ts'
import type { Edit } from '../core/json-edit.ts'
import { member } from '../core/json-text.ts'
import type { JsonObject } from '../core/json-text.ts'
import { readBody } from './body.ts'
import { MARKER, markerEdits, markers, MAX_MARKERS, retentionEdits } from './dialects/anthropic-markers.ts'
import * as anthropic from './dialects/anthropic-messages.ts'
import * as bedrock from './dialects/bedrock-converse.ts'
import { MAX_POINTS, pointEdits, points, pointText } from './dialects/bedrock-points.ts'
import { markersOver } from './strategy.ts'
import type { Card } from './types.ts'

/**
 * A stored body as real requests should begin, so that they write and find the entry of its probes: a marker at the end of the prefix, and
 * all markers at `retention`. Null where it says so already, and in wire formats other than Anthropic's Messages and Bedrock's Converse.
 */
export function markedBody({ dialect }: Pick<Card, 'dialect'>, text: string, retention: string): string | null {
  if (dialect !== 'anthropic-messages' && dialect !== 'bedrock-converse') return null
  const { root } = readBody(text)
  const edits = dialect === 'bedrock-converse' ? pointed(root, retention) : marked(text, root, retention)
  return edits.length === 0 ? null : edit(text, edits)
}

function marked(text: string, root: JsonObject, retention: string): Edit[] {
  const all = markers(root)
  const last = anthropic.lastElement(root)
  const isEndMarked = anthropic.isMarked(last, all)
  // The one at the top stays, and takes one of the places.
  const top = member(root, MARKER)
  const automatic = top?.type === 'object' ? top : null
  const over = markersOver(all.length, isEndMarked, MAX_MARKERS - (automatic === null ? 0 : 1))
  return [
    ...(automatic === null ? [] : retentionEdits(automatic, retention)),
    ...all.flatMap(({ owner, value }, index) =>
      index < over ? objectEdits(owner, { [MARKER]: null }) : retentionEdits(value, retention),
    ),
    ...(isEndMarked ? [] : markerEdits(last, text.slice(last.node.start, last.node.end), retention)),
  ]
}

function pointed(root: JsonObject, retention: string): Edit[] {
  const all = points(root)
  const end = bedrock.lastElement(root)
  const isEndMarked = bedrock.isMarked(end)
  const over = markersOver(all.length, isEndMarked, MAX_POINTS)
  const dropped = all.slice(0, over)
  const lists = new Set([...dropped.map(({ list }) => list), ...(isEndMarked ? [] : [end.list])])
  return [
    ...all.slice(over).flatMap((point) => pointEdits(point, retention)),
    ...[...lists].flatMap((list) =>
      arrayEdits(
        list,
        (index) => !dropped.some((point) => point.list === list && point.index === index),
        list === end.list && !isEndMarked ? [pointText(retention)] : [],
      ),
    ),
  ]
}

import { edit } from '../../core/prompt/json-edit.ts'
import type { Edit } from '../../core/prompt/json-edit.ts'
import { member } from '../../core/prompt/json-text.ts'
import { readBody } from '../dialects/shared/body.ts'
import type { Body } from '../dialects/shared/body.ts'
import { MARKER, MAX_MARKERS, retentionEdits } from '../dialects/anthropic-messages/markers.ts'
import * as anthropic from '../dialects/anthropic-messages/dialect.ts'
import * as bedrock from '../dialects/bedrock-converse/dialect.ts'
import type { Card } from '../card.ts'

/**
 * A stored body as real requests should begin, so that they write and find the entry of its probes: a marker at the end of the prefix, and
 * all markers at `retention`. Null where it says so already, and in wire formats other than Anthropic's Messages and Bedrock's Converse.
 */
export function withMarkers({ dialect }: Pick<Card, 'dialect'>, text: string, retention: string): string | null {
  if (dialect !== 'anthropic-messages' && dialect !== 'bedrock-converse') return null
  const body = readBody(text)
  const edits = dialect === 'bedrock-converse' ? bedrock.levelled(body.root, retention) : marked(body, retention)
  return edits.length === 0 ? null : edit(text, edits)
}

function marked(body: Body, retention: string): Edit[] {
  // A probe leaves out the one at the top. Here it stays, and takes one of the places.
  const top = member(body.root, MARKER)
  if (top?.type !== 'object') return anthropic.levelled(body, retention)
  return [...retentionEdits(top, retention), ...anthropic.levelled(body, retention, MAX_MARKERS - 1)]
}

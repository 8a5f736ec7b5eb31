import { edit } from '../core/json-edit.ts'
import type { Edit } from '../core/json-edit.ts'
import { member } from '../core/json-text.ts'
import { readBody } from './body.ts'
import type { Body } from './body.ts'
import { MARKER, MAX_MARKERS, retentionEdits } from './dialects/anthropic-markers.ts'
import * as anthropic from './dialects/anthropic-messages.ts'
import * as bedrock from './dialects/bedrock-converse.ts'
import type { Card } from './types.ts'

/**
 * A stored body as real requests should begin, so that they write and find the entry of its probes: a marker at the end of the prefix, and
 * all markers at `retention`. Null where it says so already, and in wire formats other than Anthropic's Messages and Bedrock's Converse.
 */
export function markedBody({ dialect }: Pick<Card, 'dialect'>, text: string, retention: string): string | null {
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

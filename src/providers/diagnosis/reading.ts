import type { ByteEvidence, Change } from '../../core/diagnosis/evidence.ts'
import { firstDifference } from '../../core/prompt/first-difference.ts'
import type { Card } from '../card.ts'
import type { Outline } from '../prefix/outline.ts'
import type { MarkerReads } from '../compared.ts'
import type { Block } from '../prefix/blocks.ts'
import type { OutOfReach } from '../prefix/reach.ts'
import { wireOf } from '../registry.ts'
import type { Unplaced } from './tools.ts'

/** Headers by which clients keep a conversation on one machine. Source: documents of xAI, Fireworks and Cloudflare; checked 2026-11-30. */
const AFFINITY = [
  'x-grok-conv-id',
  'x-session-affinity',
  'session_id',
  'conversation_id',
  'x-conversation-id',
  'x-session-id',
]

/** Headers of two requests, in lower case. */
export type HeaderValues = Readonly<Record<string, string>>

/** What placement looks at: an outline, or a sketch of one. */
export interface Markable {
  blocks: readonly Pick<Block, 'isMarked' | 'path'>[]
  reads?: MarkerReads
}

/** Blocks at which a request leaves entries, where they end at markers. */
export function entriesOf({ blocks, reads }: Markable): number[] {
  const marksEnd = reads?.marksEnd === true
  return blocks.flatMap(({ isMarked }, at) => (isMarked || (marksEnd && at === blocks.length - 1) ? [at] : []))
}

/** Why the later request cannot find an entry whose bytes it has; null: it can. */
export function placementOf(
  ours: Markable,
  theirs: Markable,
  entries: readonly number[],
  same: number,
  maxMarkers: number | null,
  isChanged: boolean,
  reach: (end: number) => OutOfReach | null,
): ByteEvidence['placement'] {
  if (ours.reads === undefined) return null
  const asked = entriesOf(theirs)
  if (maxMarkers !== null && asked.length > maxMarkers) {
    return { verdict: 'too_many_markers', confidence: 0.96, path: theirs.blocks[asked.at(-1) ?? 0]?.path ?? '' }
  }
  if (entries.length === 0 || asked.length === 0) return { verdict: 'marker_missing', confidence: 0.95, path: '' }
  const deepest = entries.findLast((at) => at < same)
  if (deepest === undefined) {
    // Only what differs from request to request has a marker.
    return isChanged ? null : { verdict: 'marker_missing', confidence: 0.85, path: ours.blocks[same - 1]?.path ?? '' }
  }
  const reason = reach(deepest)
  const path = ours.blocks[deepest]?.path ?? ''
  if (reason === 'no_marker') return { verdict: 'marker_missing', confidence: 0.95, path }
  if (reason === 'behind_marker') return { verdict: 'marker_moved', confidence: 0.92, path }
  return reason === null ? null : { verdict: 'lookback_exceeded', confidence: 0.94, path }
}

/** What chooses the machine or the cache, where it differs. */
export function routingChanges(
  card: Card,
  before: HeaderValues,
  after: HeaderValues,
  ours: Outline,
  theirs: Outline,
): Change[] {
  const found: Change[] = []
  const compare = (path: string, one: string | undefined, other: string | undefined, confidence: number): void => {
    if (one === other) return
    const isMissing = one === undefined || other === undefined
    const verdict = isMissing ? 'cache_key_missing' : 'cache_key_changed'
    found.push({ ...whole(verdict, confidence, path, one ?? '', other ?? ''), share: 0 })
  }
  const { keyHeader, keyMember } = wireOf(card)
  compare(keyMember ?? 'cache.key', ours.cacheKey ?? undefined, theirs.cacheKey ?? undefined, 0.88)
  for (const name of new Set([...(keyHeader === null ? [] : [keyHeader.toLowerCase()]), ...AFFINITY])) {
    compare(name, before[name], after[name], 0.85)
  }
  const [route, other] = [ours.routing ?? '', theirs.routing ?? '']
  if (route !== other) found.push({ ...whole('provider_flipped', 0.75, 'provider', route, other), share: 0 })
  return found
}

/** A change of a value as a whole. */
export function whole(
  verdict: Change['verdict'],
  confidence: number,
  path: string,
  one: string,
  other: string,
): Unplaced {
  const first = firstDifference(path, one, other)
  return { verdict, confidence, path, at: first.at, before: first.registered, after: first.sent }
}

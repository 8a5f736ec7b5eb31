import { member, stringMember } from '../../core/prompt/json-text.ts'
import type { JsonNode } from '../../core/prompt/json-text.ts'
import type { MarkerReads } from '../compared.ts'
import type { Block } from './blocks.ts'
import type { Outline } from './outline.ts'

/** Why a request cannot read an entry that ends at one of its blocks. */
export type OutOfReach = 'no_marker' | 'behind_marker' | 'beyond_lookback'

/**
 * Whether a request can read an entry that ends at its block `end`. Null: it can. A lookup begins at each marker and goes back a number of
 * positions; consecutive uses of tools, and consecutive results, are one position.
 * Source: platform.claude.com prompt caching, "lookback", checked 2026-11-21.
 */
export function outOfReach({ blocks, reads }: Pick<Outline, 'blocks' | 'reads'>, end: number): OutOfReach | null {
  return outOfReachOf({ blocks, ...(reads === undefined ? {} : { reads }) }, end, ({ node }) => runOf(node))
}

/** The same for blocks that are known without their text. `run`: as `runOf` tells it. */
export function outOfReachOf<One extends Pick<Block, 'isMarked'>>(
  { blocks, reads }: { blocks: readonly One[]; reads?: MarkerReads },
  end: number,
  run: (block: One) => string | null,
): OutOfReach | null {
  if (reads === undefined) return null
  const { lookback, marksEnd } = reads
  const last = blocks.length - 1
  const marked = blocks.flatMap(({ isMarked }, index) => (isMarked || (marksEnd && index === last) ? [index] : []))
  if (marked.length === 0) return 'no_marker'
  const behind = marked.filter((index) => index >= end)
  if (behind.length === 0) return 'behind_marker'
  const nearest = Math.min(...behind)
  return positions(blocks.slice(end, nearest + 1).map(run)) - 1 <= lookback ? null : 'beyond_lookback'
}

/** Positions of a lookup. */
function positions(kinds: readonly (string | null)[]): number {
  let count = 0
  let run: string | null = null
  for (const kind of kinds) {
    if (kind === null || kind !== run) count += 1
    run = kind
  }
  return count
}

/** The kind of a block that stands for one position together with its neighbours; null: it is a position of its own. */
export function runOf(node: JsonNode): string | null {
  const type = stringMember(node, 'type')
  if (type === 'tool_use' || member(node, 'toolUse') !== undefined) return 'use'
  return type === 'tool_result' || member(node, 'toolResult') !== undefined ? 'result' : null
}

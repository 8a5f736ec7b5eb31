import type { Advice } from '../../core/model/advice.ts'
import { outOfReach } from '../../providers/prefix/reach.ts'
import type { OutOfReach } from '../../providers/prefix/reach.ts'
import { dialectOf } from '../../providers/registry.ts'
import { entryLookup } from '../../registration/lookup.ts'
import type { Lookup } from '../../registration/lookup.ts'
import type { ObservedBody } from '../../registration/observation.ts'

/**
 * Why a request cannot read the entry of the prefix that it begins with, whatever became of that entry; null: it can. `entry`: the lookup that
 * found the prefix. `routing`: what the registered body says of the server that answers; undefined: not known.
 */
export function whyUnread(body: ObservedBody, entry: Lookup, routing: string | undefined): Advice | null {
  const { card, outline, identity } = body
  if (routing !== undefined && outline.routing !== undefined && routing !== outline.routing) {
    return otherUpstream(card.wire?.routing ?? [])
  }
  const end = outline.heads.findIndex((head) => entryLookup(identity.entryFor(head, outline)) === entry)
  const why = end < 0 ? null : outOfReach(outline, end)
  if (why === null) return null
  const { markers } = dialectOf(card)
  const path = outline.blocks[end]?.path ?? ''
  return unmarked(why, markers.element ?? markers.members[0] ?? '', path)
}

function otherUpstream(members: readonly string[]): Advice {
  const names = members.join(' or ')
  return {
    cause: 'other_upstream',
    severity: 'warning',
    message: `This request names another server than the registered body does (${names}). Servers share no cache: that it read nothing says nothing of the entry.`,
    fix: `Write ${names} as it is registered, or register the body as real requests write it.`,
  }
}

const WHY: Readonly<Record<OutOfReach, (marker: string) => string>> = {
  no_marker: (marker) => `This request has no ${marker}, from which entries are found.`,
  behind_marker: (marker) => `Each ${marker} of this request stands in front of the end of the prefix.`,
  beyond_lookback: (marker) => `A lookup goes back 20 blocks from a ${marker}, and the end of the prefix is further.`,
}

function unmarked(why: OutOfReach, marker: string, path: string): Advice {
  return {
    cause: why,
    severity: 'warning',
    message: `${WHY[why](marker)} That it read nothing says nothing of the entry.`,
    fix: `Set a ${marker} at the end of ${path}, as GET /prefixes/{id}/request shows it.`,
    at: path,
  }
}

import { readFailure } from '../../contract/failure.ts'
import { unpack } from '../../runtime/bytes.ts'
import { driftedFrom, otherOwner } from './nearest.ts'
import type { Nearest, Unmatched } from './nearest.ts'
import type { ObservedBody } from '../../registration/observation.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { orOlder } from '../server/older-object.ts'

/** Bodies of prefixes that one call reads to compare requests with. */
const MOST_BODIES = 8

/** Why a request was not matched, and the prefix that it comes closest to; null: none. */
export interface UnmatchedReason {
  reason: Unmatched
  nearest: Nearest | null
}

const NOTHING: UnmatchedReason = { reason: 'no_such_content', nearest: null }

/** Says of requests that belong to no prefix why they do not, in order. Null: the object cannot tell yet. */
export async function unmatchedReasons(c: Call, bodies: readonly ObservedBody[]): Promise<(UnmatchedReason | null)[]> {
  if (bodies.length === 0) return []
  const registry = registryOf(c)
  const now = clockOf(c).now()
  const sought = bodies.map((body) => body.sought())
  const candidates = await orOlder('nearest', registry.nearest(sought), null)
  if (candidates === null) return bodies.map(() => null)
  const wanted = [...new Set(candidates.flatMap((one) => (one === null || one.sameContent ? [] : [one.id])))]
  const texts = new Map(
    await Promise.all(wanted.slice(0, MOST_BODIES).map(async (id) => [id, await textOf(registry, id)] as const)),
  )
  return bodies.map((body, index) => {
    const candidate = candidates[index] ?? null
    if (candidate === null) return NOTHING
    const owned = otherOwner(body, candidate)
    if (owned !== null) return owned
    const text = texts.get(candidate.id)
    const from = text === undefined || text === null ? null : driftedFrom(body, candidate, text, now)
    return from === null ? NOTHING : { reason: 'drifted', nearest: from }
  })
}

/** The body of a prefix; null: it was deleted meanwhile. */
async function textOf(registry: ReturnType<typeof registryOf>, id: string): Promise<string | null> {
  try {
    return unpack(await registry.body(id))
  } catch (thrown) {
    if (readFailure(thrown)?.kind !== 'not_found') throw thrown
    return null
  }
}

import type { Upstream } from '../../prefix/parts.ts'

/** The standing at which an upstream is the usual one: fifteen answers, of which the first answer of another takes three tenths. And answers of others in a row that tell a flip. */
const USUAL_AFTER = 10
const TELLS = 5
/** After so many answers of others they are the usual ones. */
const ACCEPTED_AFTER = 200
const LONGEST_NAME = 64

/** The upstream behind a router after one more answer. A router that spreads requests has no usual one, and none flips. */
export function upstreamAfter(before: Upstream | undefined, given: string, at: number): Upstream {
  const name = given.slice(0, LONGEST_NAME)
  if (before === undefined) return { name, requests: 1, others: 0, otherSinceAt: 0 }
  if (name === before.name) {
    const { flip: _ended, ...rest } = before
    return { ...rest, requests: Math.min(before.requests + 1, ACCEPTED_AFTER), others: 0 }
  }
  const others = before.others + 1
  const otherSinceAt = before.others === 0 ? at : before.otherSinceAt
  // Where answers take turns, the usual one loses its standing.
  const requests =
    before.flip === undefined && before.others === 0 ? Math.floor(before.requests * 0.7) : before.requests
  if (requests < USUAL_AFTER && before.flip === undefined) return { name, requests: 1, others: 0, otherSinceAt: 0 }
  if (others >= ACCEPTED_AFTER) return { name, requests: others, others: 0, otherSinceAt: 0 }
  const next: Upstream = { ...before, requests, others, otherSinceAt }
  if (others < TELLS || before.flip !== undefined) return next
  return { ...next, flip: { at, sinceAt: otherSinceAt, to: name, requests: others } }
}

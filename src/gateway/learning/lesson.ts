import { member, readJson, stringMember } from '../../core/prompt/json-text.ts'
import { shortHash } from '../../providers/prefix/outline.ts'
import type { Outline } from '../../providers/prefix/outline.ts'
import { entryModel } from '../../providers/registry.ts'
import { agentNameIn } from '../agents.ts'
import type { SeenLesson } from '../observation.ts'
import type { Reading } from '../seen-ends.ts'

/** Blocks at the beginning of the turns at which a beginning may end that others share. */
const FIRST_TURNS = 8
/** Most ends of one body that are counted. */
const MOST_CUTS = 12

/** Headers in which clients name the session of a call, the first that is there. */
const SESSION_HEADERS = ['x-pilotlight-session', 'x-claude-code-session-id', 'session_id', 'session-id', 'x-session-id']

/** What a body teaches: where a beginning that others share may end in it, and whose session it is. */
export function lessonOf({ card, outline, entryAt }: Reading, headers: Headers): SeenLesson {
  const cuts = cutsOf(outline)
  const last = outline.blocks.length - 1
  let bytes = 0
  const tokens = outline.blocks.map((block) => {
    bytes += Buffer.byteLength(block.tokens)
    return Math.floor(bytes / 4)
  })
  return {
    model: entryModel(card, outline.model),
    session: sessionOf(outline, headers),
    ends: cuts.map((index) => ({ entry: entryAt(index), tokens: tokens[index] ?? 0 })),
    whole: last < 0 || cuts.includes(last) ? null : entryAt(last),
  }
}

/**
 * Places of the blocks at whose ends a beginning may end: those with a marker, the ends of sections, the blocks of the system prompt, and the first of
 * the turns. Never the last block of the turns: with it the body is nobody else's.
 */
export function cutsOf({ blocks }: Pick<Outline, 'blocks'>): number[] {
  const last = blocks.length - 1
  const turns = blocks[last]?.place.section ?? 0
  const firstTurn = blocks.findIndex(({ place }) => place.section === turns)
  const isOnlySection = firstTurn === 0 && blocks.every(({ place }) => place.section === turns)
  const all = blocks
    .keys()
    .toArray()
    .filter((index) => index < last || (last === 0 && !isOnlySection))
  const isEnd = (index: number): boolean => blocks[index + 1]?.place.section !== blocks[index]?.place.section
  const strong = all.filter((index) => isEnd(index) || blocks[index]?.isMarked === true)
  const near = all.filter((index) => index >= firstTurn && index < firstTurn + FIRST_TURNS)
  const before = all.filter((index) => index < firstTurn).toReversed()
  return [...new Set([...strong, ...near, ...before])].slice(0, MOST_CUTS).toSorted((a, b) => a - b)
}

function sessionOf(outline: Outline, headers: Headers): number {
  return Buffer.from(shortHash(sessionNamed(outline, headers)), 'base64url').readUInt32BE()
}

/** The session: as a header or the body names it, else what its first question is. */
export function sessionNamed({ text, blocks, headAt }: Outline, headers: Headers): string {
  const asked = blocks.findIndex(({ tokens }) => /"role":"user"/.test(tokens.slice(0, 200)))
  return namedSession(text, headers) ?? headAt(asked) ?? headAt(blocks.length - 1) ?? ''
}

/** The session as a header or the body names it; null: neither does. */
export function namedSession(text: string, headers: Headers): string | null {
  const named = SESSION_HEADERS.map((name) => agentNameIn(headers, name)).find((name) => name !== null)
  return named ?? stringMember(member(readJson(text, 'request'), 'metadata'), 'user_id') ?? null
}

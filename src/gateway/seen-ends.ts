import { readFailure } from '../contract/failure.ts'
import { RawJson } from '../contract/raw-json.ts'
import { outlineOf, shortHash } from '../providers/prefix/outline.ts'
import type { Outline } from '../providers/prefix/outline.ts'
import { outOfReach } from '../providers/prefix/reach.ts'
import type { Card } from '../providers/card.ts'
import { cardById } from '../runtime/cards.ts'
import { placeOf } from '../runtime/env.ts'
import type { Vars } from '../runtime/env.ts'
import { factsOf } from '../runtime/facts.ts'
import type { CredentialUse } from '../registration/credential-use.ts'
import { identityOf } from '../registration/identity.ts'
import { entryLookup } from '../registration/lookup.ts'
import type { Lookup } from '../registration/lookup.ts'
import { cardOf } from '../registration/native.ts'
import { retentionSent } from './bodies/sent.ts'
import type { Seen, SeenEnd } from './observation.ts'

/** A call through the gateway, before its answer. */
export interface Called {
  provider: string
  region: string | null
  /** The model that its path names; null: its body does. */
  model: string | null
  headers: Headers
  /** Text of its body. */
  text: string
  credential: CredentialUse
}

/** What the body of a call shows: whose it is, and where a registered prefix may end in it. */
export type Body = Pick<Seen, 'provider' | 'ends' | 'routing' | 'handle'>

/** A body as it was read. */
export interface Reading {
  body: Body
  card: Card
  outline: Outline
  /** Headers of the call that decide about its entry; absent: none. */
  headers?: Record<string, string>
  /** Lookup of the prefix that ends with a block, by its place among the blocks. */
  entryAt: (index: number) => Lookup
}

/** Most ends of one call that are looked up. */
const MOST_ENDS = 20
/** Blocks at the beginning and at the end of the turns that are among them. */
const FIRST_TURNS = 8
const LAST_TURNS = 8

/** What the body of a call shows. Null: it is no body of that provider. */
export function bodySeen(called: Called, vars: Vars, now: number): Body | null {
  return readCall(called, vars, now)?.body ?? null
}

/** Reads the body of a call. Null: it is no body of that provider. */
export function readCall(called: Called, vars: Vars, now: number): Reading | null {
  try {
    const card = cardOf({ provider: called.provider, request: new RawJson(called.text) }, 'provider')
    const native = { text: called.text, ...(called.model === null ? {} : { model: called.model }) }
    const outline = outlineOf(card, native, (model) => factsOf(card.id, model, now))
    const destination = {
      credential: called.credential,
      placeOf: (one: Card): string | null => placeOf(one, vars, called.region ?? undefined),
    }
    const headers = compared(card, called.headers)
    const exact = identityOf(card, headers, destination)
    const plain = exact.headers === null ? null : identityOf(card, undefined, destination)
    const entries = new Map<number, Lookup>()
    const entryAt = (index: number): Lookup => {
      const entry = entries.get(index) ?? entryLookup(exact.entryFor(outline.headAt(index) ?? '', outline))
      entries.set(index, entry)
      return entry
    }
    const { retentions } = factsOf(card.id, outline.model, now)
    const ends = chosen(outline).flatMap((index): SeenEnd[] => {
      const head = outline.headAt(index) ?? ''
      const sent = retentionSent(outline, index, retentions)
      const carried = sent === undefined ? {} : { sent }
      const far = outOfReach(outline, index) === null ? {} : { far: true as const }
      const entry = { entry: entryAt(index), ...far, ...carried }
      // Prefixes are mostly registered without headers. That such a call reads nothing may come from what it sends beside.
      return plain === null
        ? [entry]
        : [{ entry: entryLookup(plain.entryFor(head, outline)), far: true, ...carried }, entry]
    })
    const handle = cardById(called.provider)?.managedCaches?.references.handleIn(called.text) ?? null
    const body = {
      provider: card.id,
      ends: ends.toReversed(),
      ...(outline.routing === undefined ? {} : { routing: shortHash(outline.routing) }),
      ...(handle === null ? {} : { handle }),
    }
    return { body, card, outline, entryAt, ...(headers === undefined ? {} : { headers }) }
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

/** Credential under which nothing is registered: a subscription's caches are not those of any key. */
export const SUBSCRIPTION: CredentialUse = { name: 'subscription', generation: 0 }

/** Headers that decide about an entry, as the card names them. */
function compared(card: Card, headers: Headers): Record<string, string> | undefined {
  const given = (card.callerHeaders ?? []).flatMap((name) => {
    const value = headers.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

/** Whether a call writes an entry at the end of this block where there is none. */
export function isWrittenAt({ blocks, reads }: Outline, index: number): boolean {
  return reads === undefined || blocks[index]?.isMarked === true || (reads.marksEnd && index === blocks.length - 1)
}

/**
 * Places of the blocks at whose ends prefixes are registered: marked ones, the ends of the sections and of the blocks of the system prompt, and the
 * first and the last of the turns. In the order of the prompt.
 */
export function chosen({ blocks }: Pick<Outline, 'blocks'>): number[] {
  const last = blocks.length - 1
  const turns = blocks[last]?.place.section ?? 0
  const firstTurn = blocks.findIndex(({ place }) => place.section === turns)
  const wanted = new Set<number>()
  const add = (index: number): void => {
    if (index >= 0 && index <= last && wanted.size < MOST_ENDS) wanted.add(index)
  }
  blocks.forEach(({ place }, index) => {
    if (index === last || blocks[index + 1]?.place.section !== place.section) add(index)
  })
  blocks.forEach(({ isMarked }, index) => isMarked && add(index))
  for (let near = 0; near < LAST_TURNS; near++) add(last - near)
  for (let near = 0; near < FIRST_TURNS; near++) add(firstTurn + near)
  for (let near = 0; near < FIRST_TURNS; near++) add(firstTurn - 1 - near)
  return [...wanted].toSorted((a, b) => a - b)
}

import { readFailure } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { blocksOf, cutBehind, markBehind } from './blocks.ts'
import type { Block, Place } from './blocks.ts'
import { dialectOf } from '../registry.ts'
import type { Card } from '../card.ts'
import type { CacheRequest, PreparedPrefix } from '../dialect.ts'

/**
 * What the agents of a crew share: found on whole blocks, tools included, and measured in tokens. A cut inside of a block would
 * end where no provider compares, and one below the model's minimum would be paid for and never kept.
 */
export interface CrewAgent {
  card: Card
  facts: ModelFacts
  prefix: PreparedPrefix
  /** Whose cache it is: what two keys wrote is never shared. */
  scope: string
}

/** Agents that a provider would serve from one cache. `head` is null where nothing long enough is shared, and `why` says so. */
export interface CrewGroup {
  members: number[]
  head: { prefix: PreparedPrefix; place: Place } | null
  why: string
}

/** The minimum that counts where no card states the model's own. */
export const ASSUMED_MINIMUM_TOKENS = 1_024

/** Fewer blocks are tried where the longest head may not end there, such as between a tool call and its result. */
const TRIES = 8

/** Every agent in one group. `minSharedTokens` raises the model's own minimum and never lowers it. */
export function groupCrew(agents: readonly CrewAgent[], minSharedTokens = 0): CrewGroup[] {
  const groups: CrewGroup[] = []
  for (const members of byKey(agents.keys(), (index) => scopeOf(agents[index]!))) {
    const first = agents[members[0]!]!
    const { minimumTokens } = first.facts
    const minimum = Math.max(minSharedTokens, minimumTokens ?? ASSUMED_MINIMUM_TOKENS)
    const blocks = new Map(members.map((index) => [index, blocksOf(dialectOf(first.card), agents[index]!.prefix.text)]))
    const alone: number[] = []
    for (const cluster of byKey(members, (index) => beginning(blocks.get(index) ?? [], minimum, index))) {
      const sharing = cluster.length < 2 ? [] : headsOf(agents, cluster, blocks, minimum)
      groups.push(...sharing)
      alone.push(...cluster.filter((index) => !sharing.some((group) => group.members.includes(index))))
    }
    if (alone.length > 0)
      groups.push({ members: alone.toSorted((a, b) => a - b), head: null, why: whyNone(alone, minimum) })
  }
  return groups.toSorted((a, b) => (a.members[0] ?? 0) - (b.members[0] ?? 0))
}

function whyNone(alone: readonly number[], minimum: number): string {
  if (alone.length === 1) return 'no other agent shares its provider, model, credential, key and beginning'
  return `they share no whole blocks of at least ${minimum} tokens, the least that is worth an entry here`
}

/** All markers of a request carry one retention, so that agents at different ones do not share a head. */
function scopeOf({ card, prefix, scope }: CrewAgent): string {
  return JSON.stringify([card.id, prefix.model, scope, prefix.cacheKey, prefix.retention])
}

function byKey(indices: Iterable<number>, keyOf: (index: number) => string): number[][] {
  const groups = new Map<string, number[]>()
  for (const index of indices) {
    const key = keyOf(index)
    groups.set(key, [...(groups.get(key) ?? []), index])
  }
  return [...groups.values()]
}

/** The first blocks that are long enough together; a prompt that never is has a beginning of its own. */
function beginning(blocks: readonly Block[], minimum: number, index: number): string {
  let bytes = 0
  for (const [at, { tokens }] of blocks.entries()) {
    bytes += Buffer.byteLength(tokens)
    if (bytes / 4 >= minimum) return JSON.stringify(blocks.slice(0, at + 1).map((block) => block.tokens))
  }
  return `too short: ${index}`
}

function headsOf(
  agents: readonly CrewAgent[],
  cluster: readonly number[],
  blocks: ReadonlyMap<number, Block[]>,
  minimum: number,
): CrewGroup[] {
  const lists = new Map(cluster.map((index) => [index, blocks.get(index) ?? []]))
  const [first = [], ...others] = lists.values()
  let shared = 0
  while (shared < first.length && others.every((other) => other[shared]?.tokens === first[shared]?.tokens)) shared++
  for (let tries = 0; shared > 0 && tries < TRIES; shared--, tries++) {
    const placed = (index: number): Place | undefined => lists.get(index)?.[shared - 1]?.place
    const heads = new Map(cluster.map((index) => [index, prepared(agents[index]!, placed(index))]))
    if ([...heads.values()].every((head) => head === null)) continue
    // Settings that are rendered into the prompt count too: only the same stream is the same entry.
    return byKey(cluster, (index) => heads.get(index)?.canonical ?? `none: ${index}`).flatMap((members) => {
      const [leader = 0] = members
      const prefix = heads.get(leader)
      const place = placed(leader)
      if (members.length < 2 || prefix == null || place === undefined || prefix.estimatedTokens < minimum) return []
      const blocksShared = shared === 1 ? 'block' : `${shared} blocks`
      const why = `${members.length} agents begin with the same ${blocksShared}, about ${prefix.estimatedTokens} tokens`
      return [{ members, head: { prefix, place }, why }]
    })
  }
  return []
}

/** The head as a prefix of its own; null where the wire format cannot end one there. */
function prepared({ card, facts, prefix }: CrewAgent, place: Place | undefined): PreparedPrefix | null {
  if (place === undefined) return null
  const dialect = dialectOf(card)
  try {
    const text = cutBehind(dialect, prefix.text, place)
    const head = wholePrefix(prefix, text, card, facts)
    // It has to be possible to write it: some formats have no marker where it would end.
    const primitive = dialect.primitives(head.text, facts)[0]
    if (primitive === undefined) return null
    dialect.probe(head, { primitive, retention: head.retention })
    return head
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

/** A body that begins with the same blocks as a prepared one, as a prefix of its own: all of it. */
export function wholePrefix(
  prefix: PreparedPrefix,
  text: string,
  card: Pick<Card, 'dialect' | 'wire'>,
  facts: ModelFacts,
): PreparedPrefix {
  const { model, retention, cacheKey } = prefix
  const cache: CacheRequest = {
    mode: 'best_effort',
    strategy: 'automatic',
    retention,
    ...(cacheKey === null ? {} : { key: cacheKey }),
  }
  return dialectOf(card).prepare({ text, model, whole: true, cache }, () => facts)
}

/**
 * The agent's prefix with a marker where the shared head ends, so that its request looks for the head's entry there. A marker is
 * no prompt: it stays the same prefix. Unchanged where the format needs none, or has no room.
 */
export function withHeadMarked({ card, facts, prefix }: CrewAgent, place: Place): PreparedPrefix {
  const text = markBehind(dialectOf(card), prefix.text, place, prefix.retention)
  if (text === null || text === prefix.text) return prefix
  try {
    const marked = wholePrefix(prefix, text, card, facts)
    if (marked.canonical !== prefix.canonical) return prefix
    return { ...prefix, text: marked.text, breakpoint: marked.breakpoint }
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return prefix
  }
}

import { readFailure } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { blocksOf, cutAfter, markBlock } from './blocks.ts'
import { groupsByTokens } from './common-tokens.ts'
import { byKey, minimumOf, scopeOf } from './crew-agent.ts'
import type { CrewAgent, CrewGroup } from './crew-agent.ts'
import type { Block, Place } from './blocks.ts'
import { dialectOf } from '../registry.ts'
import type { Card } from '../card.ts'
import type { CacheRequest, PreparedPrefix } from '../dialect.ts'

/** A prefix may not end at some blocks, such as between a tool call and its result. This many ends are tried, longest first. */
const MAX_ENDS_TRIED = 8

/** Puts each agent into one group. `minSharedTokens` raises the model's own minimum and never lowers it. */
export function groupCrew(agents: readonly CrewAgent[], minSharedTokens = 0): CrewGroup[] {
  const groups: CrewGroup[] = []
  for (const members of byKey(agents.keys(), (index) => scopeOf(agents[index]!))) {
    const first = agents[members[0]!]!
    const minimum = minimumOf(first, minSharedTokens)
    const addAlone = (alone: readonly number[]): void => {
      if (alone.length > 0)
        groups.push({ members: alone.toSorted((a, b) => a - b), common: null, why: whyNone(first, alone, minimum) })
    }
    if (first.facts.sharedBy === 'tokens') {
      const sharing = groupsByTokens(agents, members, minimum)
      groups.push(...sharing)
      addAlone(members.filter((index) => !sharing.some((group) => group.members.includes(index))))
      continue
    }
    const blocks = new Map(members.map((index) => [index, blocksOf(dialectOf(first.card), agents[index]!.prefix.text)]))
    const alone: number[] = []
    for (const cluster of byKey(members, (index) => beginning(blocks.get(index) ?? [], minimum, index))) {
      const sharing = cluster.length < 2 ? [] : commonPrefixesOf(agents, cluster, blocks, minimum)
      groups.push(...sharing)
      alone.push(...cluster.filter((index) => !sharing.some((group) => group.members.includes(index))))
    }
    addAlone(alone)
  }
  return groups.toSorted((a, b) => (a.members[0] ?? 0) - (b.members[0] ?? 0))
}

function whyNone({ facts }: CrewAgent, alone: readonly number[], minimum: number): string {
  if (alone.length === 1) return 'no other agent has the same provider, model, credential, key and beginning'
  const what = facts.sharedBy === 'tokens' ? 'no beginning' : 'no whole blocks'
  return `they share ${what} of at least ${minimum} tokens, the minimum of this model`
}

/** Key of the first blocks that reach the minimum together. A shorter prompt has a key of its own. */
function beginning(blocks: readonly Block[], minimum: number, index: number): string {
  let bytes = 0
  for (const [at, { tokens }] of blocks.entries()) {
    bytes += Buffer.byteLength(tokens)
    if (bytes / 4 >= minimum) return JSON.stringify(blocks.slice(0, at + 1).map((block) => block.tokens))
  }
  return `too short: ${index}`
}

function commonPrefixesOf(
  agents: readonly CrewAgent[],
  cluster: readonly number[],
  blocks: ReadonlyMap<number, Block[]>,
  minimum: number,
): CrewGroup[] {
  const lists = new Map(cluster.map((index) => [index, blocks.get(index) ?? []]))
  const [first = [], ...others] = lists.values()
  let shared = 0
  while (shared < first.length && others.every((other) => other[shared]?.tokens === first[shared]?.tokens)) shared++
  for (let tried = 0; shared > 0 && tried < MAX_ENDS_TRIED; shared--, tried++) {
    const placed = (index: number): Place | undefined => lists.get(index)?.[shared - 1]?.place
    const prefixes = new Map(cluster.map((index) => [index, prepared(agents[index]!, placed(index))]))
    if ([...prefixes.values()].every((one) => one === null)) continue
    // Settings may be rendered into the prompt as well: only equal streams are one entry.
    return byKey(cluster, (index) => prefixes.get(index)?.canonical ?? `none: ${index}`).flatMap((members) => {
      const [leader = 0] = members
      const prefix = prefixes.get(leader)
      const place = placed(leader)
      if (members.length < 2 || prefix == null || place === undefined || prefix.estimatedTokens < minimum) return []
      const blocksShared = shared === 1 ? 'block' : `${shared} blocks`
      const why = `${members.length} agents begin with the same ${blocksShared}, about ${prefix.estimatedTokens} tokens`
      return [{ members, common: { prefix, place }, why }]
    })
  }
  return []
}

/** The common prefix as a prepared prefix; null where the wire format cannot end one there. */
function prepared({ card, facts, prefix }: CrewAgent, place: Place | undefined): PreparedPrefix | null {
  if (place === undefined) return null
  const dialect = dialectOf(card)
  try {
    const text = cutAfter(dialect, prefix.text, place)
    const common = wholePrefix(prefix, text, card, facts)
    // A probe must be able to write it: some formats take no marker at this end.
    const primitive = dialect.primitives(common.text, facts)[0]
    if (primitive === undefined) return null
    dialect.probe(common, { primitive, retention: common.retention })
    return common
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

/** Prepares all of `text`, which begins with the same blocks as `prefix`, as a prefix of its own. */
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
  const whole = dialectOf(card).prepare({ text, model, whole: true, cache }, () => facts)
  // A beginning of a body holds the first of its credentials, in the same order.
  return prefix.credentials === undefined ? whole : { ...whole, credentials: prefix.credentials }
}

/**
 * The agent's prefix with a marker at the end of the common prefix, so that its requests read that entry. A marker is no prompt: the
 * prefix stays the same. Unchanged where the format needs no marker, or has its most already.
 */
export function withCommonPrefixMarked({ card, facts, prefix }: CrewAgent, place: Place): PreparedPrefix {
  const text = markBlock(dialectOf(card), prefix.text, place, prefix.retention)
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

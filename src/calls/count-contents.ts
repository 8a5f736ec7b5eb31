import { boundByCount } from '../core/prompt/token-bound.ts'
import type { TokenBound } from '../core/prompt/token-bound.ts'
import { dialectOf } from '../providers/registry.ts'
import { freeCountOf, isCounted } from '../providers/tokens/count.ts'
import { unpack } from '../runtime/bytes.ts'
import { cardById } from '../runtime/cards.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import { factsOf } from '../runtime/facts.ts'
import { registryAt } from '../runtime/objects.ts'
import { countedBy } from './count-tokens.ts'

/** A managed cache whose creation was refused, as far as it matters here. */
export interface RefusedContents {
  k: number
  record: {
    provider: string
    model: string
    credential: string
    credentialGeneration?: number
    region?: string
    bound?: TokenBound
  }
  /** Tokens that the provider has counted already: no count is lower than that. */
  state: { live: { tokens: number | null } | null; measuredTokens?: number }
}

/** `lowered`: the contents have a lower bound now. `why`: a clause that says why the provider gave no count; null: it gave one, or none is asked for. */
export interface CountedContents {
  lowered: boolean
  why: string | null
}

/**
 * Asks the provider how many tokens the contents of a managed cache have, and stores that as their bound: in a request that begins with them,
 * so that the count has a few tokens more.
 */
export async function countContents(
  { env, clock }: { env: Environment; clock: Clock },
  account: string,
  { k, record, state }: RefusedContents,
): Promise<CountedContents> {
  const none = { lowered: false, why: null }
  const card = cardById(record.provider)
  const isKnown = state.measuredTokens !== undefined || (state.live !== null && state.live.tokens !== null)
  if (card === undefined || isKnown || !isCounted(card, record.model)) return none
  const registry = registryAt(env, account)
  const [contents, grants] = await Promise.all([registry.handleContents(k), registry.grantsForCount(record.credential)])
  // Contents with credentials of their own are counted by nobody.
  if (contents === null || contents.credentials !== null || grants === null) return none
  const probe = dialectOf(card).probe(
    { text: unpack(contents.bytes), model: record.model, breakpoint: { path: '', byte: 0 } },
    { primitive: 'one_token', retention: '' },
  )
  const count = freeCountOf(card, record.model, probe)
  if (count === null) return none
  const { credential, credentialGeneration = 1, region, bound = { most: null, unbounded: '' } } = record
  const { contextTokens } = factsOf(card.id, record.model, clock.now())
  const use = { credential, credentialGeneration }
  const answer = await countedBy({ env, clock, account, card, region, use, grants, contextTokens }, count)
  if (answer.tokens === null) return { lowered: false, why: answer.why }
  const counted = boundByCount(bound, answer.tokens, count.margin)
  await registry.contentsCounted(k, counted)
  return { lowered: counted.most !== bound.most, why: null }
}

/** Why a creation is refused, with the reason why the provider's count did not help. */
export function whyUncounted(why: string, counted: CountedContents | null): string {
  return counted?.why == null
    ? why
    : `${why}; the provider was asked to count the tokens, but ${counted.why}, so their bytes limit what it may cost`
}

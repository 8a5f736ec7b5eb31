import { Failure } from '../../contract/failure.ts'
import { countedBy } from '../../calls/count-tokens.ts'
import type { Grants } from '../../calls/credential.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { worstCallNanos } from '../../core/model/price.ts'
import { boundByCount } from '../../core/prompt/token-bound.ts'
import type { TokenBound } from '../../core/prompt/token-bound.ts'
import type { Card } from '../../providers/card.ts'
import type { ProbeRequest } from '../../providers/dialect.ts'
import { boundOf } from '../../providers/tokens/bound.ts'
import { freeCountOf } from '../../providers/tokens/count.ts'
import { registryAt } from '../../runtime/objects.ts'
import type { BotCache, BotConfig } from '../registry/records/bot.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'

/** Parts of the bot's object that are used here. */
interface Shell {
  env: Environment
  clock: Clock
  /** Id of the bot. */
  id: string
}

/** A call that is about to be made, as far as it limits what it may cost. */
export interface Reserved {
  /** Id of the call. */
  id: string
  card: Card
  facts: ModelFacts
  cache: BotCache | null
  maxOutputTokens: number
  /** The request without what a handle stands for. */
  request: ProbeRequest
  /** Tokens of the contents that a handle stands for, 0 without one; null: nobody limits them. */
  besideTokens: number | null
}

/**
 * Reserves the most that a call can cost in the account's budget: the most tokens of its body, all of them written, and the longest answer. Where
 * the budget does not hold that, the provider is asked for its own count, free of charge. Throws the failure of a call that may not be made.
 * `worstNanos` null: no price is known, or no limit of the tokens.
 */
export async function reserve(
  shell: Shell,
  config: BotConfig,
  call: Reserved,
): Promise<{ grants: Grants; worstNanos: number | null }> {
  const { card, request } = call
  const begin = async (worstNanos: number | null) => {
    const begun = { bot: shell.id, call: call.id, worstNanos }
    const grants = await registryAt(shell.env, config.account).beginBotCall(begun, config.credential.name)
    if (grants === null) throw new Failure('unauthenticated', 'The account was deleted.')
    if (grants.killed) throw new Failure('forbidden', 'The kill switch is on.')
    return grants
  }
  const bound = boundOf(card, config.model, request.body)
  const worst = worstOf(call, bound)
  const grants = await begin(worst)
  if (grants.refused === null) return { grants, worstNanos: worst }
  const counted = await countOf(shell, config, call, grants)
  if (counted === null) throw refusal(grants.refused)
  if ('why' in counted)
    throw refusal(`${grants.refused}; the provider was asked to count the tokens, but ${counted.why}`)
  const lower = worstOf(call, boundByCount(bound, counted.tokens, counted.margin))
  const again = await begin(lower)
  if (again.refused !== null) throw refusal(again.refused)
  return { grants: again, worstNanos: lower }
}

/** The provider's count of a call, or why there is none; null: it does not count it, or no price makes use of it. */
async function countOf(
  { env, clock }: Shell,
  config: BotConfig,
  { card, facts, request }: Reserved,
  grants: Grants & { killed: boolean },
) {
  const count = facts.price === null ? null : freeCountOf(card, config.model, request)
  if (count === null) return null
  const use = { credential: config.credential.name, credentialGeneration: config.credential.generation }
  const { account, region } = config
  const asking = { env, clock, account, card, region, use, grants, contextTokens: facts.contextTokens }
  const answer = await countedBy(asking, count)
  return answer.tokens === null ? answer : { tokens: answer.tokens, margin: count.margin }
}

function refusal(why: string): Failure {
  return new Failure('budget_exhausted', `The model was not called: ${why}.`)
}

/** The most that a call can cost; null: no price is known, or no limit of its tokens. */
function worstOf({ facts, cache, maxOutputTokens, besideTokens }: Reserved, { most }: TokenBound): number | null {
  const tokens = most === null || besideTokens === null ? null : most + besideTokens
  return worstCallNanos(facts.price, tokens, cache?.retention ?? null, maxOutputTokens)
}

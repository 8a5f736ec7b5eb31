import { createHash } from 'node:crypto'
import { readFailure } from '../contract/failure.ts'
import { believablePrompt } from '../core/model/usage.ts'
import { boundByCount } from '../core/prompt/token-bound.ts'
import type { TokenBound } from '../core/prompt/token-bound.ts'
import { MINUTE_MS } from '../core/time/time.ts'
import type { Card } from '../providers/card.ts'
import { fields } from '../providers/dialects/shared/usage.ts'
import { dialectOf } from '../providers/registry.ts'
import { freeCountOf, isCounted } from '../providers/tokens/count.ts'
import type { FreeCount } from '../providers/tokens/count.ts'
import { unpack } from '../runtime/bytes.ts'
import { cardById } from '../runtime/cards.ts'
import type { Clock } from '../runtime/clock.ts'
import { accessTo } from '../runtime/env.ts'
import type { Environment } from '../runtime/env.ts'
import { factsOf } from '../runtime/facts.ts'
import { heldByKillSwitch } from '../runtime/kill-switch.ts'
import { registryAt } from '../runtime/objects.ts'
import { sendWith, within } from './access-token.ts'
import type { Sending, SentWith } from './access-token.ts'
import { secretFor } from './credential.ts'
import type { Grants } from './credential.ts'
import { transport } from './send.ts'

/** Longest time that a count may delay the call that waits for it, with the exchange for an access token. */
export const COUNT_MS = 5_000
/** A count that failed is not asked for again in this time. */
const FAILED_MS = MINUTE_MS
const MOST_REMEMBERED = 1_024

/** Who asks for a count, and with what. */
export interface CountContext {
  env: Environment
  clock: Clock
  account: string
  card: Card
  /** Region or location of the address; undefined: the deployment's. */
  region: string | undefined
  /** The credential of the call itself: counts are asked with no other. */
  use: { credential: string; credentialGeneration?: number }
  grants: Grants & { killed: boolean }
  /** Headers of the caller's requests that the call carries; absent: none. */
  headers?: Record<string, string>
  /** The context window of the model; absent: not known. */
  contextTokens?: number | undefined
}

/** What a provider said of a request. `why`: a clause that says why there is no count. `passing`: it was not asked, and may be at once. */
export type CountAnswer = { tokens: number } | { tokens: null; why: string; passing?: true }

/** Answers of this isolate, by a hash of the account, the address, the credential and the request. They may be dropped at any time. */
const answers = new Map<string, { answer: CountAnswer; untilAt: number }>()
/** Counts under way, which others with the same request wait for. */
const running = new Map<string, Promise<CountAnswer>>()

/**
 * Asks a provider how many tokens a request has, free of charge: once for each request, with the credential of the call. It takes `COUNT_MS` at
 * most, and is not sent under the kill switch. Never throws: whoever asks has a bound without it.
 */
export async function countedBy(context: CountContext, count: FreeCount): Promise<CountAnswer> {
  const { env, clock, card, region, use, grants } = context
  if (grants.killed) return uncounted('the kill switch is on')
  const access = accessTo(card, env, region)
  let credential: string
  try {
    credential = secretFor(use, access, grants.allowedSecrets, grants.credentials, env)
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    // The call itself fails for the same reason, and says which.
    return uncounted('its credential cannot be used')
  }
  const { request } = count
  const parts = [context.account, access.baseUrl, credential, context.headers ?? {}, request.path, request.body]
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('base64')
  const known = answers.get(key)
  if (known !== undefined && clock.now() < known.untilAt) return known.answer
  const other = running.get(key)
  // It belongs to another invocation, which may end at any time.
  if (other !== undefined) return (await within(other, COUNT_MS)) ?? uncounted('it did not answer in time')
  const held = (): Promise<string | null> => heldByKillSwitch(env, clock)
  const own = asked(context, count, { access, credential, clock, timeoutMs: COUNT_MS * clock.rate, held })
  running.set(key, own)
  try {
    const answer = await own
    remember(key, answer, clock.now())
    return answer
  } finally {
    if (running.get(key) === own) running.delete(key)
  }
}

async function asked(
  { headers = {}, contextTokens }: CountContext,
  { request, member, leastTokens }: FreeCount,
  sending: Sending & { access: { baseUrl: string } },
): Promise<CountAnswer> {
  try {
    const { card, baseUrl } = sending.access
    const sent = await sendWith(sending, (credential, timeoutMs) =>
      transport.send({ card, baseUrl, credential, request: { ...request, headers }, timeoutMs }),
    )
    return read(sent, member, leastTokens, contextTokens)
  } catch {
    return uncounted('it could not be asked')
  }
}

function read(result: SentWith, member: string, least: number, contextTokens: number | undefined): CountAnswer {
  if (result.kind === 'held') return { ...uncounted(result.why), passing: true }
  if (result.kind !== 'sent') return uncounted('there was no access token in time')
  const { sent } = result
  if (sent.kind === 'failed')
    return uncounted(sent.failure.kind === 'provider_timeout' ? 'it did not answer in time' : 'it did not answer')
  if (sent.status !== 200) return uncounted(`it refused with status ${sent.status}`)
  let tokens: unknown
  try {
    tokens = fields(JSON.parse(sent.text))?.[member]
  } catch {
    return uncounted('its answer cannot be read')
  }
  if (typeof tokens !== 'number') return uncounted('its answer has no count')
  const count = believablePrompt(tokens, contextTokens)
  if (count === null) return uncounted('no prompt can have the count that it answered')
  return count < least ? uncounted('it counted fewer tokens than the texts can have') : { tokens: count }
}

function remember(key: string, answer: CountAnswer, now: number): void {
  if ('passing' in answer) return
  answers.delete(key)
  answers.set(key, { answer, untilAt: answer.tokens === null ? now + FAILED_MS : Infinity })
  const [oldest] = answers.keys()
  if (answers.size > MOST_REMEMBERED && oldest !== undefined) answers.delete(oldest)
}

function uncounted(why: string): { tokens: null; why: string } {
  return { tokens: null, why }
}

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

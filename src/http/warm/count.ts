import { countedBy } from '../../calls/count-tokens.ts'
import type { CountAnswer } from '../../calls/count-tokens.ts'
import { Failure, readFailure } from '../../contract/failure.ts'
import type { Advice } from '../../core/model/advice.ts'
import { callLimit, mostTokens, worstNanos, worstNanosAt } from '../../core/planning/budget.ts'
import { boundByCount } from '../../core/prompt/token-bound.ts'
import type { TokenBound } from '../../core/prompt/token-bound.ts'
import type { Card } from '../../providers/card.ts'
import type { PreparedPrefix, ProbeRequest } from '../../providers/dialect.ts'
import { dialectOf } from '../../providers/registry.ts'
import { freeCountOf, isCounted } from '../../providers/tokens/count.ts'
import type { FreeCount } from '../../providers/tokens/count.ts'
import { factsModelOf, retentionInForce, sizeOf } from '../../registration/record.ts'
import type { PrefixRecord } from '../../registration/record.ts'
import type { Preparation } from '../../registration/prepare.ts'
import { unpack } from '../../runtime/bytes.ts'
import { cardById } from '../../runtime/cards.ts'
import { factsOf } from '../../runtime/facts.ts'
import type { BegunWarm } from './follow.ts'
import type { ReceivedView } from '../present/prefix.ts'
import { clockOf, registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { leftToday } from '../server/credential.ts'

/** A preparation, with the provider's own count as its bound where that was asked for. */
export interface Counted {
  preparation: Preparation
  /** Whether the provider was asked, or need not be. False: it may still be. */
  asked: boolean
  /** Why it did not count; null: it did, or was not asked. */
  uncounted: string | null
}

/**
 * The same preparation, with the provider's own count as its bound where its budget does not hold the bound without it. The provider is asked
 * once for a content, free of charge; if it does not answer, the bound stays. `leftNanos`: what the account may still spend today; null: no
 * matter.
 */
export async function counted(c: Call, preparation: Preparation, leftNanos: number | null = null): Promise<Counted> {
  const { card, registration } = preparation
  const asItIs = { preparation, uncounted: null }
  if (!isCounted(card, factsModelOf(registration))) return { ...asItIs, asked: true }
  if (!isTooMuch(preparation, registration, leftNanos)) return { ...asItIs, asked: false }
  const known = await registryOf(c).findByFingerprint(registration.fingerprint)
  if (known?.state.countedTokens !== undefined) return { ...asItIs, asked: true }
  if (known !== null && !isTooMuch(preparation, known.record, leftNanos)) return { ...asItIs, asked: false }
  return countedAnyway(c, preparation)
}

/** The same, whatever its budget holds: a call was refused for what the account, or the day, had left. */
export async function countedAnyway(c: Call, preparation: Preparation): Promise<Counted> {
  const { prefix, registration } = preparation
  const count = prefix.credentials === undefined ? countOf(preparation.card, registration, prefix) : null
  const answer = count === null ? null : await asked(c, preparation.card, registration, count)
  if (count === null || answer === null || answer.tokens === null || registration.bound === undefined)
    return { preparation, asked: true, uncounted: answer?.tokens === null ? answer.why : null }
  const bound = boundByCount(registration.bound, answer.tokens, count.margin)
  return { preparation: { ...preparation, registration: { ...registration, bound } }, asked: true, uncounted: null }
}

/**
 * Begins the warm of a registered prefix. Where the budget refuses it, or may refuse it later (`later`), the provider is asked for a count, and the
 * warm begins with that as its bound.
 */
export async function countedIfRefused(
  c: Call,
  seen: Pick<ReceivedView, 'record' | 'state'>,
  begin: () => Promise<BegunWarm>,
  later: boolean,
): Promise<{ warmed: BegunWarm; uncounted: string | null }> {
  const before = later && (await isTooMuchAgain(c, seen)) ? await countedAgain(c, seen) : null
  const warmed = await begin()
  const { flight } = warmed
  if (before !== null || flight.role !== 'refused' || flight.kind !== 'budget_exhausted')
    return { warmed, uncounted: before?.uncounted ?? null }
  const { lowered, uncounted } = await countedAgain(c, seen)
  return { warmed: lowered ? await begin() : warmed, uncounted }
}

/** Whether budgets do not hold a call of a registered prefix, as far as that is known before its time. */
async function isTooMuchAgain(c: Call, { record, state }: Pick<ReceivedView, 'record' | 'state'>): Promise<boolean> {
  const facts = factsOf(record.provider, factsModelOf(record), clockOf(c).now())
  if (facts.price === null) return false
  const worst = worstNanos(state, { facts, ...sizeOf(record), outputFloor: record.outputFloors[0] ?? 0 })
  if (worst === null) return true
  return worst > Math.min(callLimit(record.keepWarm), (await leftToday(c)) ?? Infinity)
}

/** Asks for the count of a registered prefix, and stores the bound. `lowered`: it is lower than before. */
async function countedAgain(
  c: Call,
  { record, state }: Pick<ReceivedView, 'record' | 'state'>,
): Promise<{ lowered: boolean; uncounted: string | null }> {
  const card = cardById(record.provider)
  const none = { lowered: false, uncounted: null }
  if (card === undefined || state.countedTokens !== undefined || !isCounted(card, factsModelOf(record))) return none
  const bytes = await registryOf(c).prefixToCount(record.id)
  const prefix = { text: bytes === null ? '' : unpack(bytes), breakpoint: record.breakpoint }
  const count = bytes === null ? null : countOf(card, { ...record, retention: retentionInForce(record, state) }, prefix)
  const answer = count === null ? null : await asked(c, card, record, count)
  if (count === null || answer === null) return none
  if (answer.tokens === null) return { lowered: false, uncounted: answer.why }
  const before = mostTokens(state, sizeOf(record))
  const bound = boundByCount(record.bound ?? { most: null, unbounded: '' }, answer.tokens, count.margin)
  await registryOf(c).prefixCounted(record.id, bound)
  return { lowered: before === null || (bound.most !== null && bound.most < before), uncounted: null }
}

/** Advice where a provider was asked for a count and gave none. */
export function uncountedAdvice(uncounted: string | null): Advice[] {
  return uncounted === null ? [] : [{ cause: 'not_counted', message: `${sentence(uncounted)}.`, at: '' }]
}

/** A failure of the budget, with the reason why the provider's count did not help. Others stay as they are. */
export function withUncounted(thrown: unknown, uncounted: string | null): unknown {
  const failure = readFailure(thrown)
  if (failure === null || uncounted === null || failure.kind !== 'budget_exhausted') return thrown
  return new Failure(failure.kind, `${failure.message} ${sentence(uncounted)}.`, { ...failure.detail, uncounted })
}

export function isOverBudget(thrown: unknown): boolean {
  return readFailure(thrown)?.kind === 'budget_exhausted'
}

function sentence(uncounted: string): string {
  return `The provider was asked to count the tokens of this request, but ${uncounted}; its bytes limit what the call may cost`
}

/** Whether the budget of a day, the cap of a call or the account does not hold the first write. An unknown price is no reason to count. */
function isTooMuch(
  { facts, keepWarm, registration }: Preparation,
  size: { estimatedTokens: number; bound?: TokenBound },
  leftNanos: number | null,
): boolean {
  const context = { facts, ...sizeOf(size), outputFloor: registration.outputFloors[0] ?? 0 }
  if (facts.price === null) return false
  if (mostTokens({ measuredTokens: null }, context) === null) return true
  const worst = worstNanosAt(registration.retention, { measuredTokens: null }, context)
  return worst !== null && worst > Math.min(callLimit(keepWarm), leftNanos ?? Infinity)
}

/** The count of the probe that would be sent; null: the provider does not count it. */
function countOf(
  card: Card,
  record: Pick<PrefixRecord, 'model' | 'baseModel' | 'retention' | 'primitives'>,
  { text, breakpoint }: Pick<PreparedPrefix, 'text' | 'breakpoint'>,
): FreeCount | null {
  const [primitive] = record.primitives
  if (primitive === undefined) return null
  let probe: ProbeRequest
  try {
    probe = dialectOf(card).probe({ text, model: record.model, breakpoint }, { primitive, retention: record.retention })
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
  return freeCountOf(card, factsModelOf(record), probe)
}

/** Asks the provider, with the credential of the prefix. Null: the account was erased. */
async function asked(
  c: Call,
  card: Card,
  record: Pick<PrefixRecord, 'credential' | 'credentialGeneration' | 'region' | 'headers' | 'model' | 'baseModel'>,
  count: FreeCount,
): Promise<CountAnswer | null> {
  const { credential, credentialGeneration = 1, region, headers } = record
  const grants = await registryOf(c).grantsForCount(credential)
  if (grants === null) return null
  const clock = clockOf(c)
  return countedBy(
    {
      env: c.env,
      clock,
      account: c.var.account,
      card,
      region,
      use: { credential, credentialGeneration },
      grants,
      ...(headers === undefined ? {} : { headers }),
      contextTokens: factsOf(card.id, factsModelOf(record), clock.now()).contextTokens,
    },
    count,
  )
}

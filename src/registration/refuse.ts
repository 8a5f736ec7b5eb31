import { Failure, invalid, readFailure } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'
import { SETTING_NAMES } from '../contract/neutral-settings.ts'
import { warmBody } from '../contract/warm.ts'
import type { WarmBody } from '../contract/warm.ts'
import type { Advice, Finding } from '../core/model/advice.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import { member, readJson } from '../core/prompt/json-text.ts'
import type { JsonNode } from '../core/prompt/json-text.ts'
import type { TokenBound } from '../core/prompt/token-bound.ts'
import type { Card } from '../providers/card.ts'
import type { CacheRequest, PreparedPrefix } from '../providers/dialect.ts'
import { meantProvider, spelledModel } from '../providers/meant.ts'
import { cardRecognising } from '../providers/registry.ts'
import { cardById } from '../runtime/cards.ts'
import { FATAL, SECRET } from './findings.ts'
import { MAX_PREFIX_BYTES, tooLargeFailure } from './json-body.ts'

/** Why a body is not registered. `prepareWarm` calls these in the order in which callers learn of their mistakes. */

/** Refuses fields that belong to a model pool, and neutral fields beside a native body. */
export function refuseMisplaced(body: WarmBody): void {
  for (const field of ['gateway', 'model_preference', 'gateway_models'] as const) {
    if (body[field] !== undefined)
      throw new Failure('unsupported', `${field}: is supported only by POST /warm.`, { field })
  }
  if (body.request === undefined) return
  for (const field of ['system', 'tools', 'messages', ...SETTING_NAMES] as const) {
    if (body[field] !== undefined)
      throw invalid(field, 'must be absent if request is given, because request is the whole body')
  }
}

/** `given`: what the caller wrote. */
export function unknownProvider(field: string, known: string[], given: string): Failure {
  const meant = meantProvider(given, known)
  const hint = meant === null ? '' : ` Did you mean "${meant}"?`
  return new Failure('invalid_request', `${field}: must be one of ${known.join(', ')}.${hint}`, { field, known })
}

/** Refuses a model that the provider writes otherwise: it would answer that there is no such model. */
export function refuseMisspelt(card: Card, model: string, isInBody: boolean): void {
  const spelled = spelledModel(card, model)
  if (spelled === null) return
  throw invalid(isInBody ? 'request.model' : 'model', `is written "${spelled}" at ${card.id}`)
}

export function refuseDisabled({ mode }: CacheRequest): void {
  if (mode === 'disabled') throw invalid('cache.mode', 'must not be disabled, because then nothing can be warmed')
}

/** Refuses a neutral form without content, and one beside a handle: a handle holds system, tools and messages already. */
export function refuseEmptyNeutral({ system, tools, messages }: WarmBody): void {
  if (system !== undefined || tools !== undefined || messages !== undefined) return
  throw invalid('request', "is missing; give the provider's own body, or system, tools and messages")
}

/** Providers without handles ignore one: `prepare` advises on it and goes on. */
export function refuseHandleBesideContents(card: Card, cache: CacheRequest | undefined): void {
  const strategy = cache?.strategy
  if (card.managedCaches === undefined || typeof strategy !== 'object' || !('handle' in strategy)) return
  const what = 'cannot be combined with system, tools or messages; create managed caches with POST /caches'
  throw invalid(strategy.at ?? 'cache.strategy.handle', what)
}

export function refuseTooLarge(prefix: PreparedPrefix, field: string): void {
  if (Buffer.byteLength(prefix.text) > MAX_PREFIX_BYTES) throw tooLargeFailure('The prefix', MAX_PREFIX_BYTES, field)
}

/** Refuses a prefix that is below the model's minimum even with the most tokens that it can have. */
export function refuseTooShort(
  { estimatedTokens }: PreparedPrefix,
  { most }: TokenBound,
  { minimumTokens }: ModelFacts,
): void {
  if (minimumTokens === null || most === null || most >= minimumTokens) return
  throw new Failure(
    'prefix_too_short',
    `The prefix has about ${estimatedTokens} tokens, and ${most} at most; the minimum of this model is ${minimumTokens}.`,
    { field: 'request', estimated_tokens: estimatedTokens, most_tokens: most, minimum_tokens: minimumTokens },
  )
}

/** Refuses certain cache misses. The failure names each place and quotes nothing of the prompt. */
export function refuseFindings(findings: readonly Finding[], advice: readonly Advice[]): void {
  refuseAdvice([
    ...advice.filter(({ cause }) => FATAL.has(cause)),
    ...findings.filter(({ severity }) => severity === 'warning'),
  ])
}

/** What callers can do about the refusal of a secret. */
const REGISTER_ANYWAY = 'To register it all the same, send "lint": "advice".'

/** Refuses secrets in the prompt; `how`: what to do about it. A credential of an MCP server is where it belongs, which is a hint and refuses nothing. */
export function refuseSecrets(findings: readonly Finding[], how = REGISTER_ANYWAY): void {
  const secrets = findings.filter(({ cause, severity }) => cause === SECRET && severity === 'warning')
  refuseAdvice(secrets, ` ${how}`)
}

function refuseAdvice(fatal: readonly Advice[], how = ''): void {
  const [first] = fatal
  if (first === undefined) return
  const field = first.at ?? ''
  const others = fatal.length === 1 ? '' : ` ${fatal.length - 1} more findings are in detail.findings.`
  throw new Failure(
    'invalid_request',
    `${field}: ${first.message}${first.fix === undefined ? '' : ` ${first.fix}`}${how}${others}`,
    {
      field,
      cause: first.cause,
      findings: fatal.map(({ cause, at = '', line }) => `${cause} ${at}${line === undefined ? '' : ` line ${line}`}`),
    },
  )
}

/** Members of which every provider's body has one. */
const TURNS = ['messages', 'contents', 'input']
/** Members that the neutral form shares with bodies of providers. */
const SHARED = /^(?:system|tools|messages|model)\b/

/**
 * The refusal of a body of `POST /warm`, with where a provider's own body belongs, if that is what stands at the top. Any other failure comes
 * back as it was.
 */
export function misplacedBody(thrown: unknown, text: string): unknown {
  const failure = readFailure(thrown)
  if (failure?.kind !== 'invalid_request') return thrown
  const root = rootOf(text)
  if (root?.type !== 'object' || member(root, 'request') !== undefined) return thrown
  if (!TURNS.some((name) => member(root, name) !== undefined)) return thrown
  const field = String(failure.detail?.['field'] ?? '')
  const isForeign = !Object.hasOwn(warmBody.shape, field.split(/[.[]/)[0] ?? '')
  if (!isForeign && !SHARED.test(field)) return thrown
  const named = member(root, 'provider')
  const given = named?.type === 'string' ? cardById(named.value) : undefined
  const { id } = given ?? cardRecognising(root)
  const hint = `If this is a body of ${id}, put it under "request", beside "provider": "${id}".`
  return added(failure, hint)
}

/** The refusal of a provider's own body, with whose it looks like, where that is another one's. */
export function foreignBody(thrown: unknown, card: Card, text: string): unknown {
  const failure = readFailure(thrown)
  if (failure?.kind !== 'invalid_request' && failure?.kind !== 'unsupported') return thrown
  const root = rootOf(text)
  if (root?.type !== 'object' || !TURNS.some((name) => member(root, name) !== undefined)) return thrown
  const other = cardRecognising(root)
  return other.dialect === card.dialect ? thrown : added(failure, `The body looks like one of ${other.id}.`)
}

function added({ kind, message, detail }: FailureValue, hint: string): Failure {
  return new Failure(kind, `${message} ${hint}`, detail)
}

function rootOf(text: string): JsonNode | null {
  try {
    return readJson(text)
  } catch {
    return null
  }
}

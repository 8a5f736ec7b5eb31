import { cacheValue } from '../contract/cache.ts'
import type { CacheInput } from '../contract/cache.ts'
import { Failure, readFailure } from '../contract/failures.ts'
import { keepWarmOver } from '../contract/keep-warm.ts'
import type { RawJson } from '../contract/raw-json.ts'
import { NOT_YET } from '../contract/warm.ts'
import type { WarmBody } from '../contract/warm.ts'
import { fingerprint } from '../core/fingerprint.ts'
import { member, readJson } from '../core/json-text.ts'
import type { KeepWarm } from '../core/plan.ts'
import type { ModelFacts, Primitive } from '../core/types.ts'
import { DEFAULT_CREDENTIAL } from '../durable/records.ts'
import { DEFAULT_KEEP_WARM } from '../durable/registration.ts'
import type { Registration } from '../durable/registration.ts'
import { prepareNeutral } from '../providers/neutral.ts'
import { cardById, cards, dialectOf } from '../providers/registry.ts'
import type { CacheRequest, Card, Dialect, NeutralRequest, PreparedPrefix } from '../providers/types.ts'
import { pack } from '../runtime/bytes.ts'
import { factsOf } from '../runtime/facts.ts'
import { MAX_PREFIX_BYTES, tooLargeFailure } from './body.ts'

/** Which credential a prefix is warmed with: its scope keeps what two keys wrote apart. */
export interface CredentialUse {
  name: string
  generation: number
}

export const DEFAULT_USE: CredentialUse = { name: DEFAULT_CREDENTIAL, generation: 1 }

/** Everything about a warm that is decided at the door, before anything is stored or sent. */
export interface Preparation {
  card: Card
  facts: ModelFacts
  prefix: PreparedPrefix
  fingerprint: string
  mode: CacheRequest['mode']
  keepWarm: KeepWarm
  registration: Omit<Registration, 'body'>
  background: boolean
  dryRun: boolean
}

export function prepareWarm(body: WarmBody, now: number, credential: CredentialUse = DEFAULT_USE): Preparation {
  refuseNotYet(body)
  const card = cardForBody(cardFor(body.provider, 'provider'), body.request?.text)
  const cache = cacheFor(body.cache)
  const prefix =
    body.request === undefined ? preparedNeutral(card, body, cache, now) : preparedNative(card, body, cache, now)
  const facts = factsOf(card.id, prefix.model, now)
  const mode = cache?.mode ?? 'best_effort'
  limitPrefix(prefix, body.request === undefined ? '' : 'request')
  refuseTooShort(prefix, facts, mode)
  const advice = prefix.advice
  const maxOutputTokens = body.max_output_tokens ?? null
  const { primitives, outputFloors } = buildable(dialectOf(card), prefix, facts, maxOutputTokens)
  const print = fingerprintOf(card, prefix, credential)
  return {
    card,
    facts,
    prefix,
    fingerprint: print,
    mode,
    keepWarm: keepWarmOver(body.keep_warm ?? {}, DEFAULT_KEEP_WARM),
    registration: {
      fingerprint: print,
      provider: card.id,
      model: prefix.model,
      name: body.name ?? null,
      credential: credential.name,
      credentialGeneration: credential.generation,
      cacheKey: prefix.cacheKey,
      retention: prefix.retention,
      breakpoint: prefix.breakpoint,
      estimatedTokens: prefix.estimatedTokens,
      bodyBytes: Buffer.byteLength(prefix.text),
      advice,
      maxOutputTokens,
      outputFloors,
      primitives,
      keepWarm: body.keep_warm === undefined ? null : keepWarmOver(body.keep_warm, DEFAULT_KEEP_WARM),
    },
    background: body.background ?? false,
    dryRun: body.dry_run ?? false,
  }
}

/** With its body, compressed: only for what is going to be stored. */
export function registrationOf({ registration, prefix }: Preparation): Registration {
  return { ...registration, body: pack(prefix.text) }
}

/** The fingerprint of an observed request, by the same rules as its registration. */
export function observedFingerprint(
  observed: { provider: string; request: RawJson; model?: string | undefined; cache?: CacheInput | undefined },
  field: string,
  now: number,
  credential: CredentialUse = DEFAULT_USE,
): string {
  const card = cardForBody(cardFor(observed.provider, `${field}.provider`), observed.request.text)
  const prefix = preparedNative(card, observed, cacheFor(observed.cache), now)
  limitPrefix(prefix, `${field}.request`)
  return fingerprintOf(card, prefix, credential)
}

export function cardFor(id: string, field: string): Card {
  const card = cardById(id)
  if (card !== undefined) return card
  const known = cards.map((one) => one.id)
  throw new Failure('invalid_request', `${field}: must be one of ${known.join(', ')}.`, { field, known })
}

/**
 * A vendor with two wire formats is often called by its one name: `openai` with a body that has `messages` and no `input`
 * is a Chat Completions request, and can be nothing else.
 */
function cardForBody(card: Card, text: string | undefined): Card {
  const chat = card.dialect === 'openai-responses' ? cardById(`${card.id}-chat`) : undefined
  if (chat === undefined || text === undefined) return card
  const root = readJson(text, 'request')
  const isChat = member(root, 'messages') !== undefined && member(root, 'input') === undefined
  return isChat ? chat : card
}

function refuseNotYet(body: WarmBody): void {
  for (const field of NOT_YET) {
    if (body[field] !== undefined) throw new Failure('unsupported', `${field}: is not supported yet.`, { field })
  }
  if (body.request === undefined) return
  for (const field of ['system', 'tools', 'messages'] as const) {
    if (body[field] !== undefined) {
      throw new Failure('invalid_request', `${field}: stands beside request, which holds the whole body already.`, {
        field,
      })
    }
  }
}

function cacheFor(given: CacheInput | undefined): CacheRequest | undefined {
  if (given === undefined) return undefined
  const cache = cacheValue(given)
  if (cache.mode === 'disabled') {
    throw new Failure('invalid_request', 'cache.mode: with the cache disabled there is nothing to warm.', {
      field: 'cache.mode',
    })
  }
  return cache
}

function preparedNative(
  card: Card,
  given: { request?: RawJson | undefined; model?: string | undefined },
  cache: CacheRequest | undefined,
  now: number,
): PreparedPrefix {
  const { request, model } = given
  return dialectOf(card).prepare(
    {
      text: request?.text ?? '',
      ...(model === undefined ? {} : { model }),
      ...(cache === undefined ? {} : { cache }),
    },
    (id) => factsOf(card.id, id, now),
  )
}

function preparedNeutral(card: Card, body: WarmBody, cache: CacheRequest | undefined, now: number): PreparedPrefix {
  const { model, system, tools, messages } = body
  if (system === undefined && tools === undefined && messages === undefined) {
    throw new Failure(
      'invalid_request',
      "request: is missing; give the provider's own body, or system, tools and messages.",
      { field: 'request' },
    )
  }
  if (model === undefined) throw new Failure('invalid_request', 'model: is missing.', { field: 'model' })
  refuseHandleBesideContents(card, cache)
  const request: NeutralRequest = {
    model,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            name,
            ...(description === undefined ? {} : { description }),
            parametersText: parameters?.text ?? '{"type":"object","properties":{}}',
          })),
        }),
    ...(messages === undefined ? {} : { messages }),
    ...(cache === undefined ? {} : { cache }),
  }
  return prepareNeutral(dialectOf(card), request, (id) => factsOf(card.id, id, now))
}

/** A handle holds system, tools and messages already. Where a provider has no handles, `prepare` goes on without. */
function refuseHandleBesideContents(card: Card, cache: CacheRequest | undefined): void {
  const strategy = cache?.strategy
  if (!card.supportsHandles || typeof strategy !== 'object' || !('handle' in strategy)) return
  const field = strategy.at ?? 'cache.strategy.handle'
  const message = `${field}: cannot stand beside system, tools or messages, which a handle already holds; keep a handle with POST /caches.`
  throw new Failure('invalid_request', message, { field })
}

function limitPrefix(prefix: PreparedPrefix, field: string): void {
  if (Buffer.byteLength(prefix.text) > MAX_PREFIX_BYTES) throw tooLargeFailure('The prefix', MAX_PREFIX_BYTES, field)
}

/** A token is two bytes at the least in the texts that providers bill: below half the bytes nothing can help it. */
function refuseTooShort(prefix: PreparedPrefix, facts: ModelFacts, mode: CacheRequest['mode']): void {
  const minimum = facts.minimumTokens
  if (minimum === null) return
  const most = mode === 'required' ? prefix.estimatedTokens : prefix.renderedBytes / 2
  if (most >= minimum) return
  throw new Failure(
    'prefix_too_short',
    `The prefix has about ${prefix.estimatedTokens} tokens; this model caches from ${minimum}.`,
    { field: 'request', estimated_tokens: prefix.estimatedTokens, minimum_tokens: minimum },
  )
}

/** The primitives whose probe this very body allows to be built, and the most output that one of them may bill. */
function buildable(
  dialect: Dialect,
  prefix: PreparedPrefix,
  facts: ModelFacts,
  maxOutputTokens: number | null,
): { primitives: Primitive[]; outputFloors: number[] } {
  const primitives: Primitive[] = []
  const outputFloors: number[] = []
  let refusal: unknown = null
  for (const primitive of dialect.primitives(prefix.text, facts)) {
    try {
      const options = { primitive, retention: prefix.retention }
      const probe = dialect.probe(
        prefix,
        maxOutputTokens === null ? options : { ...options, outputTokens: maxOutputTokens },
      )
      primitives.push(primitive)
      outputFloors.push(probe.outputTokens ?? maxOutputTokens ?? 0)
    } catch (thrown) {
      if (readFailure(thrown) === null) throw thrown
      refusal ??= thrown
    }
  }
  if (primitives.length > 0) return { primitives, outputFloors }
  throw refusal ?? new Failure('unsupported', 'No request that warms this body is known.', { field: 'request' })
}

function fingerprintOf(card: Card, prefix: PreparedPrefix, credential: CredentialUse): string {
  return fingerprint({
    provider: card.id,
    model: prefix.model,
    // Name and generation: entries are never shared between two secrets.
    credentialScope: `${credential.name}:${credential.generation}`,
    cacheKey: prefix.cacheKey,
    canonical: prefix.canonical,
  })
}

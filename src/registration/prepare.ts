import type { CacheInput } from '../contract/cache.ts'
import { Failure } from '../contract/failure.ts'
import { keepWarmOver } from '../contract/keep-warm.ts'
import type { RawJson } from '../contract/raw-json.ts'
import type { WarmBody } from '../contract/warm.ts'
import type { KeepWarm } from '../core/planning/plan.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import { DEFAULT_KEEP_WARM } from './registration.ts'
import type { Registration } from './registration.ts'
import { buildableProbes } from '../providers/prefix/buildable-probes.ts'
import { callerHeaders } from '../providers/prefix/caller-headers.ts'
import { nestedPrefixes } from '../providers/prefix/nested-prefixes.ts'
import { prepareNeutral } from '../providers/prefix/neutral.ts'
import { dialectOf } from '../providers/registry.ts'
import type { Card } from '../providers/card.ts'
import { pack } from '../runtime/bytes.ts'
import { factsOf } from '../runtime/facts.ts'
import { besideOf, fingerprintOf } from '../providers/prefix/identity.ts'
import { DEFAULT_USE, ITS_CARDS } from './credential-use.ts'
import type { CredentialUse, PlaceOf } from './credential-use.ts'
import { findingsOf, refuseFindings } from './findings.ts'
import { withChoice } from './first-retention.ts'
import { neutralRequest } from './neutral-form.ts'
import type { Advice } from '../core/model/advice.ts'
import type { CacheRequest, PreparedPrefix } from '../providers/dialect.ts'
import type { RawPath } from './json-body.ts'
import { cardFor, cardForBody, cacheFor, preparedNative } from './native.ts'
import { refuseOutOfPlace, limitPrefix, refuseTooShort } from './refuse.ts'

/** The provider's body, and the schemas inside the neutral form. */
export const WARM_RAW: RawPath = (path) =>
  (path.length === 1 && path[0] === 'request') || (path.length === 3 && path[0] === 'tools' && path[2] === 'parameters')

/** Everything about a warm that is decided at the door, before anything is stored or sent. */
export interface Preparation {
  card: Card
  facts: ModelFacts
  prefix: PreparedPrefix
  fingerprint: string
  /** The fingerprint that another prefix of the same request would have. */
  fingerprintFor: (prefix: PreparedPrefix) => string
  /** Headers that probes carry beside the card's own. */
  headers: Record<string, string>
  /** What stands beside the body and counts, as text: headers and address; null: nothing but what the card says. */
  beside: string | null
  mode: CacheRequest['mode']
  keepWarm: KeepWarm
  registration: Omit<Registration, 'body'>
  background: boolean
  dryRun: boolean
}

export function prepareWarm(
  body: WarmBody,
  now: number,
  credential: CredentialUse = DEFAULT_USE,
  placeOf: PlaceOf = ITS_CARDS,
  /** Where nothing will be sent, size is a finding and no refusal. */
  { anySize = false }: { anySize?: boolean } = {},
): Preparation {
  refuseOutOfPlace(body)
  const { provider } = body
  if (provider === undefined) throw new Failure('invalid_request', 'provider: is missing.', { field: 'provider' })
  const card = cardForBody(cardFor(provider, 'provider'), body.request?.text)
  const cache = cacheFor(body.cache)
  const keepWarm = keepWarmOver(body.keep_warm ?? {}, DEFAULT_KEEP_WARM)
  const neutral = body.request === undefined ? neutralRequest(card, body, cache) : null
  const prepare = (wished: CacheRequest | undefined): PreparedPrefix =>
    neutral === null
      ? preparedNative(card, body, wished, now)
      : prepareNeutral(dialectOf(card), { ...neutral, ...(wished === undefined ? {} : { cache: wished }) }, (id) =>
          factsOf(card.id, id, now),
        )
  const asked = prepare(cache)
  const facts = factsOf(card.id, asked.model, now)
  const mode = cache?.mode ?? 'best_effort'
  limitPrefix(asked, body.request === undefined ? '' : 'request')
  if (!anySize) refuseTooShort(asked, facts, mode)
  const maxOutputTokens = body.max_output_tokens ?? facts.outputFloorTokens ?? null
  const { primitives, outputFloors } = buildableProbes(dialectOf(card), asked, facts, maxOutputTokens)
  const prefix = withChoice(asked, { keepWarm, facts, outputFloor: outputFloors[0] ?? 0, now }, (retention) =>
    prepare({ mode: 'best_effort', strategy: 'automatic', ...cache, retention }),
  )
  const findings = body.lint === 'off' ? [] : findingsOf(card, prefix, facts, neutral)
  if (body.lint === 'error') refuseFindings(findings, prefix.advice)
  const advice = [...prefix.advice, ...findings]
  const headers = callerHeaders(card, body.headers)
  const place = placeOf(card)
  const beside = besideOf(headers, place)
  const fingerprintFor = (of: PreparedPrefix): string => fingerprintOf(card, of, credential, beside)
  const print = fingerprintFor(prefix)
  return {
    card,
    facts,
    prefix,
    fingerprint: print,
    fingerprintFor,
    headers: headers.sent,
    beside,
    mode,
    keepWarm,
    registration: {
      fingerprint: print,
      provider: card.id,
      model: prefix.model,
      name: body.name ?? null,
      credential: credential.name,
      credentialGeneration: credential.generation,
      cacheKey: prefix.cacheKey,
      place,
      ...(headers.compared === null ? {} : { headers: headers.sent }),
      retention: prefix.retention,
      ...(prefix.retentionOpen === true ? { retentionOpen: true as const, unmarked: true as const } : {}),
      breakpoint: prefix.breakpoint,
      estimatedTokens: prefix.estimatedTokens,
      bodyBytes: Buffer.byteLength(prefix.text),
      advice,
      maxOutputTokens,
      outputFloors,
      primitives,
      ...breakpointsOf(cache),
      required: requiredBy(body.cache),
      keepWarm: body.keep_warm === undefined ? null : keepWarm,
    },
    background: body.background ?? false,
    dryRun: body.dry_run ?? false,
  }
}

/** Several breakpoints that were asked for, the same text in whatever order they were named. */
function breakpointsOf(cache: CacheRequest | undefined): { breakpoints?: string } {
  const strategy = cache?.strategy
  if (typeof strategy !== 'object' || !('explicit' in strategy)) return {}
  const places = [...new Set(strategy.explicit.map((point) => JSON.stringify(point)))].toSorted()
  return places.length < 2 ? {} : { breakpoints: `[${places.join(',')}]` }
}

/** Whether a caller requires the cache; null: the mode was not named. */
function requiredBy(given: CacheInput | undefined): boolean | null {
  const mode = typeof given === 'object' ? given.mode : undefined
  return mode === undefined ? null : mode === 'required'
}

/** With its body, compressed: only for what is going to be stored. */
export function registrationOf({ registration, card, facts, prefix, fingerprintFor }: Preparation): Registration {
  const heads = nestedPrefixes(card, facts, prefix).map(fingerprintFor)
  return { ...registration, ...(heads.length === 0 ? {} : { heads }), body: pack(prefix.text) }
}

/** The same preparation with another body: one that carries a further marker, or one that ends earlier. */
export function reshaped(preparation: Preparation, prefix: PreparedPrefix, advice: Advice[]): Preparation {
  const { fingerprint: print, card, facts, registration } = preparation
  const { breakpoint, estimatedTokens, text } = prefix
  const built = buildableProbes(dialectOf(card), prefix, facts, registration.maxOutputTokens)
  const bodyBytes = Buffer.byteLength(text)
  const next = { ...registration, ...built, fingerprint: print, breakpoint, estimatedTokens, bodyBytes, advice }
  return { ...preparation, prefix, registration: next }
}

/** The fingerprint of an observed request, by the same rules as its registration. */
export function observedFingerprint(
  observed: {
    provider: string
    request: RawJson
    model?: string | undefined
    cache?: CacheInput | undefined
    headers?: Record<string, string> | undefined
  },
  field: string,
  now: number,
  credential: CredentialUse = DEFAULT_USE,
  placeOf: PlaceOf = ITS_CARDS,
): string {
  const card = cardForBody(cardFor(observed.provider, `${field}.provider`), observed.request.text)
  const prefix = preparedNative(card, observed, cacheFor(observed.cache), now)
  limitPrefix(prefix, `${field}.request`)
  const headers = callerHeaders(card, observed.headers, `${field}.headers`)
  return fingerprintOf(card, prefix, credential, besideOf(headers, placeOf(card)))
}

import type { LintSetting } from '../contract/account.ts'
import { cacheValue } from '../contract/cache.ts'
import type { CacheInput } from '../contract/cache.ts'
import { keepWarmOver } from '../contract/keep-warm.ts'
import type { WarmBody } from '../contract/warm.ts'
import type { Advice, Finding } from '../core/model/advice.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import type { KeepWarm } from '../core/planning/plan.ts'
import type { TemplateWork } from '../core/prompt/template.ts'
import type { TokenBound } from '../core/prompt/token-bound.ts'
import type { Card } from '../providers/card.ts'
import type { CacheRequest, PreparedPrefix } from '../providers/dialect.ts'
import { buildableProbes } from '../providers/prefix/buildable-probes.ts'
import { boundOf } from '../providers/tokens/bound.ts'
import { nestedPrefixes } from '../providers/prefix/nested-prefixes.ts'
import { dialectOf } from '../providers/registry.ts'
import { pack } from '../runtime/bytes.ts'
import { factsOf } from '../runtime/facts.ts'
import { checkedCut, faultFindings, refuseFaults } from './faults.ts'
import type { CheckedCut } from './faults.ts'
import { findingsOf } from './findings.ts'
import { atChosenRetention, atOfferedRetention } from './first-retention.ts'
import { identityOf } from './identity.ts'
import type { Destination, Identity } from './identity.ts'
import { lookupsOf, storedOutline } from './lookup.ts'
import { cut, sourceOf } from './native.ts'
import type { Source } from './native.ts'
import { lintPolicy } from '../core/lint/policy.ts'
import type { LintPolicy } from '../core/lint/policy.ts'
import { foreignBody, refuseFindings, refuseMisspelt, refuseSecrets, refuseTooLarge, refuseTooShort } from './refuse.ts'
import { factsModelOf } from './record.ts'
import { DEFAULT_KEEP_WARM } from './registration.ts'
import type { Registration } from './registration.ts'

/** What a body asks of the cache that does not name it. */
const NO_WISH = { mode: 'best_effort', strategy: 'automatic' } as const

/** A body read to its end, before anything is stored or sent. */
export interface Preparation {
  card: Card
  facts: ModelFacts
  prefix: PreparedPrefix
  /** The system prompt of the neutral form, as it is rendered; null: the body came in the native form, or has none. */
  neutralSystem: string | null
  /** The fingerprint that another prefix of the same request would have. */
  fingerprintFor: Identity['fingerprintFor']
  entryFor: Identity['entryFor']
  /** The plan in force if this prefix is new. */
  keepWarm: KeepWarm
  registration: Omit<Registration, 'body'>
}

export type PrepareOptions = Destination & {
  /** Nothing will be stored or sent, so that nothing is refused for its size, for what the provider would say, or for what the account forbids. */
  anySize?: boolean
  /** What the account does with findings; absent: nothing is set. */
  lint?: LintSetting
  /** What to do where a secret refuses the body; absent: what callers of `POST /warm` can do. */
  aboutSecrets?: string
  /** UTF-16 units of the neutral form's system prompt that become a block of their own. Absent: it is one block. */
  systemHead?: number
  /** What the templates of the same request have done so far; absent: nothing. */
  templateWork?: TemplateWork
}

/** What `read` returns of a provider's own body. A refusal says whose it looks like. */
function ownBody<Read>({ request }: WarmBody, card: Card, read: () => Read): Read {
  try {
    return read()
  } catch (thrown) {
    throw request === undefined ? thrown : foreignBody(thrown, card, request.text)
  }
}

/**
 * Turns a body into what is stored of it: card and native text, cut, faults, refusals, retention, lint, identity, registration.
 * Throws the first `Failure` in that order.
 */
export function prepareWarm(body: WarmBody, now: number, options: PrepareOptions = {}): Preparation {
  const source = sourceOf(body, now, options)
  const { card } = source
  const checked = (cache: Source['cache']): CheckedCut => checkedCut(card, source.native(cache), now, body.base_model)
  const { prefix: asked, faults } = ownBody(body, card, () =>
    atOfferedRetention(checked(source.cache), source, (retention) =>
      checked({ ...NO_WISH, ...source.cache, retention }),
    ),
  )
  if (options.anySize !== true && body.base_model === undefined)
    refuseMisspelt(card, asked.model, body.request !== undefined && body.model === undefined)
  if (options.anySize !== true) refuseFaults(faults, source.neutral !== null)
  const facts = factsOf(card.id, body.base_model ?? asked.model, now)
  const required = requiredBy(body.cache)
  refuseTooLarge(asked, body.request === undefined ? '' : 'request')
  const bound = boundOf(card, body.base_model ?? asked.model, asked.text)
  if (options.anySize !== true) refuseTooShort(asked, bound, facts)

  const keepWarm = keepWarmOver(body.keep_warm ?? {}, DEFAULT_KEEP_WARM)
  const maxOutputTokens = body.max_output_tokens ?? facts.outputFloorTokens ?? null
  const probes = buildableProbes(dialectOf(card), asked, facts, maxOutputTokens)
  const prefix = atChosenRetention(
    asked,
    { keepWarm, facts, bound, outputFloor: probes.outputFloors[0] ?? 0, lifetime: body.lifetime, now },
    (retention) => cut(card, source.native({ ...NO_WISH, ...source.cache, retention }), now, body.base_model),
  )
  const policy = options.anySize === true ? shownOnly(body.lint) : lintPolicy(body.lint, options.lint ?? null)
  const advice = adviceOf(policy, source, { prefix, faults }, facts, options.aboutSecrets)

  const { credential, place, headers, fingerprintFor, entryFor } = identityOf(card, body.headers, options)
  return {
    card,
    facts,
    prefix,
    neutralSystem: source.neutral?.system ?? null,
    fingerprintFor,
    entryFor,
    keepWarm,
    registration: {
      fingerprint: fingerprintFor(prefix),
      provider: card.id,
      model: prefix.model,
      ...(body.base_model === undefined ? {} : { baseModel: body.base_model }),
      name: body.name ?? null,
      credential: credential.name,
      credentialGeneration: credential.generation,
      cacheKey: prefix.cacheKey,
      ...(prefix.routing === undefined ? {} : { routing: prefix.routing }),
      place,
      ...(options.region === undefined ? {} : { region: options.region }),
      ...(headers === null ? {} : { headers }),
      retention: prefix.retention,
      ...(prefix.layout === undefined ? {} : { layout: prefix.layout }),
      ...(prefix.retentionOpen === true ? { retentionOpen: true as const, unmarked: true as const } : {}),
      ...shapeOf(prefix, bound),
      advice,
      maxOutputTokens,
      ...probes,
      ...breakpointsOf(source.cache),
      ...opennessOf(card, body.cache),
      required,
      ...(body.lifetime === undefined ? {} : { lifetime: body.lifetime }),
      keepWarm: body.keep_warm === undefined ? null : keepWarm,
    },
  }
}

/** The policy where a body is only shown: its caller alone may ask that findings are refused. */
function shownOnly(wish: WarmBody['lint']): LintPolicy {
  return wish === undefined ? 'advise' : lintPolicy(wish, null)
}

/** Advice of the wire format, then lint findings. Throws `invalid_request` where the policy refuses them. */
function adviceOf(
  policy: LintPolicy,
  { card, neutral, advice }: Source,
  { prefix, faults }: CheckedCut,
  facts: ModelFacts,
  aboutSecrets: string | undefined,
): Advice[] {
  const found = (): Finding[] => [
    ...faultFindings(faults, neutral !== null),
    ...findingsOf(card, prefix, facts, neutral),
  ]
  const findings = policy === 'off' ? [] : found()
  if (policy === 'refuse') refuseFindings(findings, prefix.advice)
  if (policy === 'secrets') refuseSecrets(findings, aboutSecrets)
  return [...prefix.advice, ...advice, ...findings]
}

function shapeOf({ breakpoint, estimatedTokens, text }: PreparedPrefix, bound: TokenBound) {
  return { breakpoint, estimatedTokens, bound, bodyBytes: Buffer.byteLength(text) }
}

/** Breakpoints as text, where the caller asked for several: sorted, so that their order does not matter. */
function breakpointsOf(cache: CacheRequest | undefined): { breakpoints?: string } {
  const strategy = cache?.strategy
  if (typeof strategy !== 'object' || !('explicit' in strategy)) return {}
  const places = [...new Set(strategy.explicit.map((point) => JSON.stringify(point)))].toSorted()
  return places.length < 2 ? {} : { breakpoints: `[${places.join(',')}]` }
}

/** Whether the caller requires the cache; null: the body names no mode. */
function requiredBy(given: CacheInput | undefined): boolean | null {
  const mode = typeof given === 'object' ? given.mode : undefined
  return mode === undefined ? null : mode === 'required'
}

/** Whether the caller leaves the choice between the provider's own cache and a managed one to the planner. An empty object: the body does not say. */
function opennessOf(card: Card, given: CacheInput | undefined): { cacheOpen?: boolean } {
  if (card.managedCaches === undefined || given === undefined) return {}
  const { mode, strategy, retention } = cacheValue(given)
  if (strategy !== 'automatic' || retention !== undefined || mode === 'required') return { cacheOpen: false }
  const isAsked = typeof given === 'string' || given.strategy !== undefined
  return isAsked ? { cacheOpen: true } : {}
}

/** The registration with its compressed body. Compression costs time: only for a prefix that will be stored. */
export function registrationOf({
  registration,
  card,
  facts,
  prefix,
  fingerprintFor,
  entryFor,
}: Preparation): Registration {
  const heads = nestedPrefixes(card, facts, prefix).map(fingerprintFor)
  return {
    ...registration,
    ...(heads.length === 0 ? {} : { heads }),
    lookups: lookupsOf(storedOutline(card, prefix, facts), { entryFor }),
    ...(prefix.credentials === undefined ? {} : { credentials: prefix.credentials }),
    body: pack(prefix.text),
  }
}

/** The preparation of a changed body: one with a further marker, or one that ends earlier. */
export function reshaped(preparation: Preparation, prefix: PreparedPrefix, advice: Advice[]): Preparation {
  const { card, facts, registration } = preparation
  const probes = buildableProbes(dialectOf(card), prefix, facts, registration.maxOutputTokens)
  const bound = boundOf(card, factsModelOf(registration), prefix.text)
  return { ...preparation, prefix, registration: { ...registration, ...probes, ...shapeOf(prefix, bound), advice } }
}

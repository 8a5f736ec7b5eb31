import type * as z from 'zod'
import type { NamedCredential } from '../calls/credential.ts'
import { invalid, readFailure } from '../contract/failure.ts'
import { parseWith } from '../contract/issues.ts'
import { normalisedUsage } from '../contract/observation.ts'
import type { observation } from '../contract/observation.ts'
import type { Usage } from '../core/model/usage.ts'
import type { Card } from '../providers/card.ts'
import { frameworkUsage, innerUsage, rawUsageIn } from '../providers/dialects/shared/framework-usage.ts'
import { outlineOf, sampleOfRequest } from '../providers/prefix/outline.ts'
import type { Outline } from '../providers/prefix/outline.ts'
import { cards, dialectOf } from '../providers/registry.ts'
import { cardById } from '../runtime/cards.ts'
import { factsOf } from '../runtime/facts.ts'
import { useOf } from './credential-use.ts'
import { identityOf } from './identity.ts'
import type { Identity, PlaceOf } from './identity.ts'
import { contentLookup, entryLookup, sampleLookup } from './lookup.ts'
import type { Lookup, Sought } from './lookup.ts'
import { cacheOf, cardFor, cardOf, cut, nativeRequest } from './native.ts'

/** Most ends of blocks that are looked up for one request: the first and the last of them. */
const MOST_HEADS = 256

/** The body of an observed request, ready to be looked up. */
export interface ObservedBody {
  card: Card
  outline: Outline
  identity: Identity
  /** Lookups of every prefix that it begins with, the longest first. */
  entries: readonly Lookup[]
  /** The fingerprint of the prefix that a registration of it would be; null: it would be refused. */
  fingerprint: () => string | null
  sought: () => Sought
}

/**
 * What an observation says about its prefix: the body to find it by, or null when it gives an id. Throws `invalid_request` at a field
 * below `[index]`.
 */
export function observedBody(
  one: z.output<typeof observation>,
  index: number,
  now: number,
  known: ReadonlyMap<string, NamedCredential>,
  placeOf: PlaceOf,
): ObservedBody | null {
  const field = `[${index}]`
  const { provider, request } = one
  if (one.prefix_id !== undefined) {
    if (request !== undefined)
      throw invalid(`${field}.request`, 'is given together with prefix_id; give only one of them')
    if (provider !== undefined) cardFor(provider, `${field}.provider`)
    return null
  }
  if (request === undefined) throw invalid(`${field}.prefix_id`, 'is missing; give prefix_id, or provider and request')
  if (provider === undefined) throw invalid(`${field}.provider`, 'is required with request')
  const credential = useOf(one.credential, known, `${field}.credential`)
  const card = cardOf({ provider, request }, `${field}.provider`)
  const native = nativeRequest({ ...one, request }, cacheOf(one.cache))
  const outline = outlineOf(card, native, (model) => factsOf(card.id, model, now))
  const identity = identityOf(card, one.headers, { credential, placeOf }, `${field}.headers`)
  const { model, cacheKey } = outline
  const heads = outline.heads.length <= MOST_HEADS ? outline.heads : ends(outline.heads)
  return {
    card,
    outline,
    identity,
    entries: heads.map((head) => entryLookup(identity.entryFor(head, outline))).toReversed(),
    fingerprint: () => {
      try {
        return identity.fingerprintFor(cut(card, native, now))
      } catch (thrown) {
        if (readFailure(thrown) === null) throw thrown
        return null
      }
    },
    sought: () => ({
      provider: card.id,
      model,
      cacheKey,
      contents: heads.map(contentLookup).toReversed(),
      samples: sampleOfRequest(outline).map(sampleLookup),
    }),
  }
}

/** The handle that the body of an observation refers to; null: none, or it cannot be read, which its own reading then says. */
export function handleOf({ provider, request }: z.output<typeof observation>): string | null {
  if (provider === undefined || request === undefined) return null
  try {
    return cardById(provider)?.managedCaches?.references.handleIn(request.text) ?? null
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return null
  }
}

function ends(heads: readonly string[]): string[] {
  return [...heads.slice(0, MOST_HEADS / 2), ...heads.slice(-MOST_HEADS / 2)]
}

const NORMALISED = [
  'uncached_input_tokens',
  'cached_input_tokens',
  'cache_write_input_tokens',
  'cache_write_by_retention',
]

/** Reads a usage object: the provider's own, a framework's, or the normalised one. Throws `invalid_request` at `field`. */
export function usageOf(provider: string, usage: Record<string, unknown>, field: string): Usage {
  if (NORMALISED.some((name) => name in usage)) {
    const given = parseWith(normalisedUsage, usage, field)
    return {
      inputTokens: given.input_tokens ?? null,
      uncachedTokens: given.uncached_input_tokens ?? null,
      cacheReadTokens: given.cached_input_tokens ?? null,
      cacheWriteTokens: given.cache_write_input_tokens ?? null,
      cacheWriteByRetention: given.cache_write_by_retention ?? {},
      outputTokens: given.output_tokens ?? null,
      reasoningTokens: given.reasoning_tokens ?? null,
    }
  }
  const card = cardFor(provider, field)
  const other = cards.find(({ chatOf, onlyModels }) => chatOf === card.id && onlyModels !== undefined) ?? card
  const readUsage = (object: unknown): Usage | null =>
    dialectOf(card).readUsage(object) ?? dialectOf(other).readUsage(object) ?? null
  const inner = innerUsage(usage)
  const own = readUsage(rawUsageIn(inner))
  if (own !== null) return own
  const plain = readUsage(inner)
  const read = frameworkUsage(inner, plain) ?? plain
  if (read === null)
    throw invalid(field, `must be the usage object of ${provider} or of a known framework, or the normalised one`)
  return read
}

/** Whether a usage object says nothing of the cache. In the normalised one an absent count is told to be unknown. */
export function hasNoCacheCount(given: Record<string, unknown>, read: Usage): boolean {
  if (NORMALISED.some((name) => name in given)) return false
  return read.cacheReadTokens === null && read.cacheWriteTokens === null
}

/** Names of token counts, in every spelling. A provider's usage also holds prices and durations. */
const COUNT = /tokens?$|token_?count$/i

/** The path of the first token count that is no whole number from 0 on, in a usage of any shape; null: none. */
export function wrongCount(usage: unknown, path: readonly PropertyKey[] = []): readonly PropertyKey[] | null {
  if (typeof usage === 'object' && usage !== null) {
    for (const [name, value] of Object.entries(usage)) {
      const found = wrongCount(value, [...path, Array.isArray(usage) ? Number(name) : name])
      if (found !== null) return found
    }
    return null
  }
  if (usage === null || !COUNT.test(String(path.at(-1) ?? ''))) return null
  const right = typeof usage === 'number' && Number.isSafeInteger(usage) && usage >= 0
  return right ? null : path
}

import type * as z from 'zod'
import type { NamedCredential } from '../calls/credential.ts'
import { invalid } from '../contract/failure.ts'
import { parseWith } from '../contract/issues.ts'
import { MOST_TOKENS, normalisedUsage } from '../contract/observation.ts'
import type { observation } from '../contract/observation.ts'
import type { Usage } from '../core/model/usage.ts'
import { dialectOf } from '../providers/registry.ts'
import { useOf } from './credential-use.ts'
import { identityOf } from './identity.ts'
import type { PlaceOf } from './identity.ts'
import { cacheOf, cardFor, cardOf, cut, nativeRequest } from './native.ts'
import { refuseTooLarge } from './refuse.ts'

/**
 * The fingerprint of an observation that names its prefix by the request, by the rules of `prepareWarm`; null when it gives an id.
 * Throws `invalid_request` at a field below `[index]`.
 */
export function observedFingerprint(
  one: z.output<typeof observation>,
  index: number,
  now: number,
  known: ReadonlyMap<string, NamedCredential>,
  placeOf: PlaceOf,
): string | null {
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
  const prefix = cut(card, nativeRequest({ ...one, request }, cacheOf(one.cache)), now)
  refuseTooLarge(prefix, `${field}.request`)
  return identityOf(card, one.headers, { credential, placeOf }, `${field}.headers`).fingerprintFor(prefix)
}

const NORMALISED = [
  'uncached_input_tokens',
  'cached_input_tokens',
  'cache_write_input_tokens',
  'cache_write_by_retention',
]

/** Reads a usage object: the provider's own, or the normalised one. Throws `invalid_request` at `field`. */
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
  const read = dialectOf(cardFor(provider, field)).readUsage(usage)
  if (read === null) throw invalid(field, `must be the usage object of ${provider} or the normalised one`)
  return read
}

/** Names of token counts, in every spelling. A provider's usage also holds prices and durations. */
const COUNT = /tokens?$|token_?count$/i

/** The path of the first token count that is no whole number from 0 to `MOST_TOKENS`, in a usage of any shape; null: none. */
export function wrongCount(usage: unknown, path: readonly PropertyKey[] = []): readonly PropertyKey[] | null {
  if (typeof usage === 'object' && usage !== null) {
    for (const [name, value] of Object.entries(usage)) {
      const found = wrongCount(value, [...path, Array.isArray(usage) ? Number(name) : name])
      if (found !== null) return found
    }
    return null
  }
  if (usage === null || !COUNT.test(String(path.at(-1) ?? ''))) return null
  const right = typeof usage === 'number' && Number.isSafeInteger(usage) && usage >= 0 && usage <= MOST_TOKENS
  return right ? null : path
}

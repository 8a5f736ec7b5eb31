import type * as z from 'zod'
import { Failure, readFailure } from '../contract/failures.ts'
import type { FailureValue } from '../contract/failures.ts'
import { fieldPath, parseWith } from '../contract/issues.ts'
import { MOST_TOKENS, normalisedUsage, observations as observationsBody } from '../contract/observation.ts'
import type { observation } from '../contract/observation.ts'
import type { Arrival } from '../core/arrivals.ts'
import type { Usage } from '../core/types.ts'
import { dialectOf } from '../providers/registry.ts'
import type { NamedCredential } from '../durable/records.ts'
import { placeOf } from '../runtime/env.ts'
import { account } from './auth.ts'
import { readBody } from './body.ts'
import type { RawPath } from './body.ts'
import { clockOf, registryOf, room } from './context.ts'
import { credentialsNamed, useOf } from './credentials.ts'
import { idempotent } from './idempotency.ts'
import { cardFor, observedFingerprint } from './preparation.ts'
import type { PlaceOf } from './same-content.ts'
import { failureJson } from './present.ts'

const raw: RawPath = (path) => path.length === 2 && path[1] === 'request'

/** One observation, read as far as it could be: the prefix it names, or why it was refused. */
type Taken = { prefixId: string | null; provider: string | null; arrival: Arrival | null; refused: FailureValue | null }

export const observations = room().post('/observations', account, idempotent, async (c) => {
  const given = await readBody(c, observationsBody, { raw })
  const registry = registryOf(c)
  const now = clockOf(c).now()
  const credentials = await credentialsNamed(
    c,
    given.map(({ credential }) => credential),
  )
  const prints = given.map((one, index) =>
    attempt(() => printOf(one, index, now, credentials, (card) => placeOf(card, c.env))),
  )
  const wanted = [...new Set(prints.flatMap((print) => (typeof print === 'string' ? [print] : [])))]
  const byPrint = new Map(Object.entries(wanted.length === 0 ? {} : await registry.idsOf(wanted)))
  const ids = [
    ...new Set([
      ...byPrint.values(),
      ...given.flatMap(({ prefix_id }) => (prefix_id === undefined ? [] : [prefix_id])),
    ]),
  ]
  const providers = new Map(Object.entries(ids.length === 0 ? {} : await registry.providersOf(ids)))

  const taken = given.map((one, index): Taken => {
    const print = prints[index] ?? null
    if (print !== null && typeof print !== 'string') return refusedItem(print)
    const wrong = wrongCount(one.usage)
    if (wrong !== null) {
      const field = fieldPath(wrong, `[${index}].usage`)
      return refusedItem(bad(field, `must be a whole number of tokens, from 0 to ${MOST_TOKENS}`).value)
    }
    const prefixId = one.prefix_id ?? byPrint.get(print ?? '') ?? null
    // Whose usage it is, the registration says: a vendor's one name may stand for two wire formats.
    const provider = providers.get(prefixId ?? '') ?? null
    if (prefixId === null || provider === null) return { prefixId, provider, arrival: null, refused: null }
    const usage = attempt(() => usageOf(provider, one.usage, `[${index}].usage`))
    if ('kind' in usage) return refusedItem(usage)
    return {
      prefixId,
      provider,
      refused: null,
      arrival: { startedAt: one.started_at, usage, ttftMs: one.ttft_ms == null ? null : Math.round(one.ttft_ms) },
    }
  })
  const refused = taken.flatMap((one) => (one.refused === null ? [] : [one.refused]))
  // Nothing of it could be read: that is an answer to the whole call.
  if (refused[0] !== undefined && refused.length === taken.length) {
    throw new Failure(refused[0].kind, refused[0].message, refused[0].detail)
  }
  const groups = new Map<string, Arrival[]>()
  for (const { prefixId, arrival } of taken) {
    if (prefixId !== null && arrival !== null) groups.set(prefixId, [...(groups.get(prefixId) ?? []), arrival])
  }
  const observed = [...groups].map(([id, arrivals]) => ({ id, arrivals }))
  const known = observed.length === 0 ? [] : await registry.observe(observed)
  const matched = new Set(observed.flatMap(({ id }, index) => (known[index] === true ? [id] : [])))
  return c.json({
    data: taken.map(({ prefixId, refused: failure, arrival }) => ({
      prefix_id: prefixId,
      matched: prefixId !== null && arrival !== null && matched.has(prefixId),
      ...(failure === null ? {} : { error: failureJson(failure) }),
    })),
    next_cursor: null,
  })
})

function refusedItem(refused: FailureValue): Taken {
  return { prefixId: null, provider: null, arrival: null, refused }
}

/** A failure of one item as a value; anything else is thrown on. */
function attempt<Value>(work: () => Value): Value | FailureValue {
  try {
    return work()
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return failure
  }
}

/** The fingerprint of an observation that names its prefix by the request; null when it gives an id. */
function printOf(
  one: z.output<typeof observation>,
  index: number,
  now: number,
  known: ReadonlyMap<string, NamedCredential>,
  places: PlaceOf,
): string | null {
  const field = `[${index}]`
  const { provider, request } = one
  if (one.prefix_id !== undefined) {
    if (request !== undefined) throw bad(`${field}.request`, 'stands beside prefix_id; give one of them')
    if (provider !== undefined) cardFor(provider, `${field}.provider`)
    return null
  }
  if (request === undefined) throw bad(`${field}.prefix_id`, 'is missing; give prefix_id, or provider and request')
  if (provider === undefined) throw bad(`${field}.provider`, 'is missing beside request')
  const credential = useOf(one.credential, known, `${field}.credential`)
  return observedFingerprint({ ...one, provider, request }, field, now, credential, places)
}

const OURS = ['uncached_input_tokens', 'cached_input_tokens', 'cache_write_input_tokens', 'cache_write_by_retention']

/** The provider's own usage object, or ours. */
function usageOf(provider: string, usage: Record<string, unknown>, field: string): Usage {
  if (OURS.some((name) => name in usage)) {
    const ours = parseWith(normalisedUsage, usage, field)
    return {
      inputTokens: ours.input_tokens ?? null,
      uncachedTokens: ours.uncached_input_tokens ?? null,
      cacheReadTokens: ours.cached_input_tokens ?? null,
      cacheWriteTokens: ours.cache_write_input_tokens ?? null,
      cacheWriteByRetention: ours.cache_write_by_retention ?? {},
      outputTokens: ours.output_tokens ?? null,
      reasoningTokens: ours.reasoning_tokens ?? null,
    }
  }
  const read = dialectOf(cardFor(provider, field)).readUsage(usage)
  if (read === null) throw bad(field, `is neither the usage object of ${provider} nor the normalised one`)
  return read
}

/** Counts of tokens, in every spelling. A provider's usage holds other numbers as well: prices, durations. */
const COUNT = /tokens?$|token_?count$/i

/** Where a usage, whoever's shape it has, says a number of tokens that cannot be one; null when it does not. */
function wrongCount(usage: unknown, path: readonly PropertyKey[] = []): readonly PropertyKey[] | null {
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

function bad(field: string, what: string): Failure {
  return new Failure('invalid_request', `${field}: ${what}.`, { field })
}

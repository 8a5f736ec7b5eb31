import type * as z from 'zod'
import { Failure, invalid, readFailure } from '../../contract/failure.ts'
import type { FailureValue } from '../../contract/failure.ts'
import { fieldPath } from '../../contract/issues.ts'
import { observations as observationsBody } from '../../contract/observation.ts'
import type { Arrival } from '../../core/events/arrived.ts'
import type { Advice } from '../../core/model/advice.ts'
import { cardById } from '../../runtime/cards.ts'
import { believable, NO_COUNTS } from '../../core/model/usage.ts'
import type { Usage } from '../../core/model/usage.ts'
import { placeOf } from '../../runtime/env.ts'
import { account } from '../server/auth.ts'
import { orOlder } from '../server/older-object.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { idempotent } from '../server/idempotency.ts'
import { failureJson } from '../present/format.ts'
import { credentialsNamed, refuseRegion } from '../server/credential.ts'
import type { RawPath } from '../../registration/json-body.ts'
import { handleOf, hasNoCacheCount, observedBody, usageOf, wrongCount } from '../../registration/observation.ts'
import type { ObservedBody } from '../../registration/observation.ts'
import type { Lookup } from '../../registration/lookup.ts'
import { upstreamIn } from './upstream.ts'
import { whyUnread } from './reach.ts'
import { forgetRegistered, registeredOf, registrations } from './registered.ts'
import type { FoundByLookup, RegisteredPrefix } from '../../durable/registry/records/prefix-view.ts'
import { unmatchedReasons } from './unmatched.ts'
import type { UnmatchedReason } from './unmatched.ts'

const raw: RawPath = (path) => path.length === 2 && path[1] === 'request'

/** One observation: the prefix that it names, or why it was refused. */
type ReadObservation = {
  prefixId: string | null
  provider: string | null
  arrival: Arrival | null
  refused: FailureValue | null
  advice?: Advice[]
}

export const observations = router().post('/observations', account, idempotent, async (c) => {
  const { given, handles } = await withoutHandles(c, await readBody(c, observationsBody, { raw }))
  const registry = registryOf(c)
  const now = clockOf(c).now()
  const credentials = await credentialsNamed(
    c,
    given.map(({ credential }) => credential),
  )
  const bodies = given.map((one, index) =>
    attempt(() => {
      const region = one.region ?? credentials.get(one.credential ?? '')?.region ?? undefined
      return observedBody(one, index, now, credentials, (card) => {
        refuseRegion(card, region, `[${index}].region`)
        return placeOf(card, c.env, region)
      })
    }),
  )
  const { found, told } = await prefixesOf(c, bodies)
  const ids = [
    ...new Set([
      ...found.flatMap(({ id }) => id ?? []),
      ...given.flatMap(({ prefix_id }) => (prefix_id === undefined ? [] : [prefix_id])),
    ]),
  ]
  const registered = await registeredOf(c, ids, told)

  const readings = given.map((one, index): ReadObservation => {
    const body = bodies[index] ?? null
    if (body !== null && 'kind' in body) return refusedItem(body)
    const wrong = wrongCount(one.usage)
    if (wrong !== null) {
      const field = fieldPath(wrong, `[${index}].usage`)
      return refusedItem(invalid(field, 'must be a whole number of tokens, not below 0').value)
    }
    const { id = null, entry = null } = found[index] ?? {}
    const prefixId = one.prefix_id ?? id
    // The registration names the wire format: a vendor's one name may stand for two.
    const { provider = null, routing } = registered.get(prefixId ?? '') ?? {}
    // Nothing can be read of a provider that was removed, and nothing is kept warm there.
    if (prefixId === null || provider === null || cardById(provider) === undefined)
      return { prefixId, provider, arrival: null, refused: null }
    const usage = attempt(() => usageOf(provider, one.usage, `[${index}].usage`))
    if ('kind' in usage) return refusedItem(usage)
    const why = body === null || entry === null ? null : whyUnread(body, entry, routing)
    // What it read shows that it could.
    const unread = why?.cause === 'other_upstream' || (usage.cacheReadTokens ?? 0) === 0 ? why : null
    return {
      prefixId,
      provider,
      refused: null,
      advice: [...usageAdvice(one.usage, usage), ...(unread === null ? [] : [unread])],
      arrival: {
        startedAt: one.started_at,
        usage,
        ttftMs: one.ttft_ms == null ? null : Math.round(one.ttft_ms),
        ...(body === null ? {} : { bytes: 'same' }),
        ...(one.lifetime === undefined ? {} : { lifetime: one.lifetime }),
        ...(handles.has(index) ? { refers: true } : {}),
        ...(unread === null ? {} : { outOfReach: true }),
        ...upstreamIn(one.usage),
      },
    }
  })
  const refused = readings.flatMap((one) => (one.refused === null ? [] : [one.refused]))
  // No observation could be read: the whole call fails.
  if (refused[0] !== undefined && refused.length === readings.length) {
    throw new Failure(refused[0].kind, refused[0].message, refused[0].detail)
  }
  const reasons = await reasonsOf(
    c,
    readings.map(({ prefixId, refused: failure }, index) => {
      const body = bodies[index] ?? null
      return prefixId !== null || failure !== null || body === null || 'kind' in body ? null : body
    }),
    given,
  )
  const groups = new Map<string, Arrival[]>()
  readings.forEach(({ prefixId, arrival }, index) => {
    const changed = reasons[index] === undefined ? null : changedFrom(reasons[index], given[index]?.started_at ?? now)
    const [id, one] = arrival === null ? [changed?.id ?? null, changed?.arrival ?? null] : [prefixId, arrival]
    if (id === null || one === null) return
    const arrivals = groups.get(id)
    if (arrivals === undefined) groups.set(id, [one])
    else arrivals.push(one)
  })
  const observed = [...groups].map(([id, arrivals]) => ({ id, arrivals, provider: registered.get(id)?.provider }))
  const known = observed.length === 0 ? [] : await registry.observe(observed)
  for (const [index, { id }] of observed.entries()) if (known[index] !== true) forgetRegistered(c, id)
  const matched = new Set(observed.flatMap(({ id }, index) => (known[index] === true ? [id] : [])))
  return c.json({
    data: readings.map(({ prefixId, refused: failure, arrival, advice = [] }, index) => ({
      prefix_id: prefixId,
      matched: prefixId !== null && arrival !== null && matched.has(prefixId),
      ...reasonJson(reasons[index] ?? null),
      ...(failure === null ? {} : { error: failureJson(failure) }),
      ...(advice.length === 0 ? {} : { advice }),
    })),
    next_cursor: null,
  })
})

type Given = z.output<typeof observationsBody>

/**
 * Observations whose bodies refer to the handle of a managed cache that the planner keeps a prefix in: each names that prefix instead.
 * `handles`: their indices.
 */
async function withoutHandles(c: Call, given: Given): Promise<{ given: Given; handles: ReadonlySet<number> }> {
  const named = given.map(handleOf)
  const names = named.filter((name) => name !== null)
  const handles = new Set<number>()
  if (names.length === 0) return { given, handles }
  const none: Record<string, string> = {}
  const ids: Record<string, string> = await orOlder('prefixesOfHandles', registryOf(c).prefixesOfHandles(names), none)
  const plain = given.map((one, index): Given[number] => {
    const id = ids[named[index] ?? '']
    if (id === undefined || one.prefix_id !== undefined) return one
    handles.add(index)
    const { request: _request, provider: _provider, model: _model, cache: _cache, headers: _headers, ...rest } = one
    return { ...rest, prefix_id: id }
  })
  return { given: plain, handles }
}

type Body = ReturnType<typeof observedBody> | FailureValue

/** An object of the version before finds prefixes by fingerprint alone. */
const NO_LOOKUPS: FoundByLookup = { ids: {}, isWhole: false }

/** The longest registered prefix that a body begins with. `entry`: the lookup that found it; null: another name of it did. */
interface Found {
  id: string | null
  entry: Lookup | null
}

/** The longest registered prefix that each body begins with. An id of null: it begins with none, or names its prefix. */
async function prefixesOf(
  c: Call,
  bodies: readonly Body[],
): Promise<{ found: Found[]; told: ReadonlyMap<string, RegisteredPrefix> }> {
  const registry = registryOf(c)
  const observed = bodies.map((body) => (body === null || 'kind' in body ? null : body))
  const hashes = [...new Set(observed.flatMap((body) => body?.entries ?? []))]
  if (hashes.length === 0) return { found: bodies.map(() => ({ id: null, entry: null })), told: new Map() }
  const { ids, isWhole, registered = {} } = await orOlder('findByLookup', registry.findByLookup(hashes), NO_LOOKUPS)
  const found = observed.map((body): Found => {
    const entry = body?.entries.find((hash) => ids[hash] !== undefined)
    return entry === undefined ? { id: null, entry: null } : { id: ids[entry] ?? null, entry }
  })
  const told = new Map(registrations(registered))
  if (isWhole) return { found, told }
  const fingerprints = observed.map((body, index) => (found[index]?.id == null ? (body?.fingerprint() ?? null) : null))
  const known = await registry.idsOf([...new Set(fingerprints.filter((one) => one !== null))])
  return {
    found: found.map(({ id, entry }, index) => ({ id: id ?? known[fingerprints[index] ?? ''] ?? null, entry })),
    told,
  }
}

/** Why each body belongs to no prefix; null where there is nothing to say. Counts them. */
async function reasonsOf(
  c: Call,
  bodies: readonly (ObservedBody | null)[],
  given: Given,
): Promise<(UnmatchedReason | null)[]> {
  const unmatched = bodies.filter((body) => body !== null)
  const said = await unmatchedReasons(c, unmatched)
  const counts: Record<string, number> = {}
  for (const one of said) if (one !== null) counts[one.reason] = (counts[one.reason] ?? 0) + 1
  const requests = bodies.flatMap((body, index) => {
    const one = given[index]
    if (body === null || one === undefined) return []
    const usage = attempt(() => usageOf(body.card.id, one.usage, `[${index}].usage`))
    const { card, outline } = body
    return [{ provider: card.id, model: outline.model, at: one.started_at, usage: 'kind' in usage ? NO_COUNTS : usage }]
  })
  if (requests.length > 0) await orOlder('countUnmatched', registryOf(c).countUnmatched(counts, requests), undefined)
  return bodies.map((body) => (body === null ? null : (said[unmatched.indexOf(body)] ?? null)))
}

/** A request whose body is a changed form of a prefix counts there as drift; null: it is not. Its usage is about its own content. */
function changedFrom(given: UnmatchedReason | null, startedAt: number): { id: string; arrival: Arrival } | null {
  if (given?.nearest == null || (given.reason !== 'drifted' && given.reason !== 'other_model')) return null
  const { id, firstDifference: first } = given.nearest
  return {
    id,
    arrival: { startedAt, usage: NO_COUNTS, ttftMs: null, bytes: 'other', ...(first === null ? {} : { first }) },
  }
}

function reasonJson(given: UnmatchedReason | null) {
  if (given === null) return {}
  const { reason, nearest } = given
  if (nearest === null) return { reason }
  const { id, name, sharedTokens, firstDifference } = nearest
  return {
    reason,
    nearest: { prefix_id: id, name, shared_tokens: sharedTokens, first_difference: firstDifference },
  }
}

const NO_CACHE_COUNT: Advice = {
  cause: 'no_cache_count',
  severity: 'warning',
  message: 'This usage object counts no cached tokens, so that it shows neither a hit nor a miss.',
  fix: "Report the provider's own usage object. In a stream of Chat Completions ask for it with stream_options.include_usage; a proxy must not drop its members.",
}

const IMPOSSIBLE_USAGE: Advice = {
  cause: 'impossible_usage',
  severity: 'warning',
  message:
    'These counts cannot be true: they contradict each other, or no prompt has so many tokens or none. The request is counted, and shows neither a hit nor a miss.',
  fix: "Report the provider's own usage object of one answer, unchanged. A proxy that does not know a count must leave it out.",
}

/** What is said of a usage object that shows nothing of the cache. */
function usageAdvice(given: Record<string, unknown>, usage: Usage): Advice[] {
  if (believable(usage) !== usage) return [IMPOSSIBLE_USAGE]
  return hasNoCacheCount(given, usage) ? [NO_CACHE_COUNT] : []
}

function refusedItem(refused: FailureValue): ReadObservation {
  return { prefixId: null, provider: null, arrival: null, refused }
}

/** The result of `work`, or its `Failure` as a value. Other errors are thrown. */
function attempt<Value>(work: () => Value): Value | FailureValue {
  try {
    return work()
  } catch (thrown) {
    const failure = readFailure(thrown)
    if (failure === null) throw thrown
    return failure
  }
}
